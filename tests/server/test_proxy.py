"""HAProxy's limits, before servers that only pretend: one address never shuts out another, nothing endless gets in."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.benchmarks.proxy import ending, find_free_ports
from tests.support.live import ROOT

OTHER = "127.0.0.2"
opened: list[asyncio.StreamWriter] = []  # connections of the test that runs, ours and the pretenders'
pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed.")


async def pretend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer whatever is asked; a WebSocket stays open, an upload is answered when it is there."""
    opened.append(writer)
    with suppress(OSError, asyncio.IncompleteReadError):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if "/_stcore/stream" in head:
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n")
            writer.write(b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
            await reader.read(1)
        else:
            length = [line.split(":")[1] for line in head.lower().split("\r\n") if line.startswith("content-length:")]
            await reader.readexactly(int(length[0]) if length else 0)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        await writer.drain()
    writer.close()


@asynccontextmanager
async def proxy(folder: Path, certificate: str = "") -> AsyncIterator[int]:
    """HAProxy with our file before two pretenders; its port."""
    port, secure, *ports = find_free_ports(4)
    servers = [await asyncio.start_server(pretend, "127.0.0.1", one, backlog=2000) for one in ports]
    settings = {"FCN_LISTEN": f"0.0.0.0:{port}", "FCN_ADMIN_SOCKET": str(folder / "admin.sock")}
    settings |= {"FCN_LISTEN_TLS": f"127.0.0.1:{secure}", "FCN_USER": getpass.getuser()}
    settings |= {"FCN_REPLICA_A": f"127.0.0.1:{ports[0]}", "FCN_REPLICA_B": f"127.0.0.1:{ports[1]}"}
    settings |= {"FCN_CERTIFICATE": certificate} if certificate else {}
    command = ["haproxy", "-f", str(ROOT / "deploy" / "haproxy.cfg")]
    with (folder / "haproxy.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | settings)
    with ending(process):
        for _ in range(100):
            if await ask(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") in (200, 308):
                break
            await asyncio.sleep(0.1)
        yield secure if certificate else port
    for server in servers:
        server.close()
    for writer in opened:
        writer.transport.abort()
    opened.clear()
    await asyncio.sleep(0.1)  # in which they close


async def connect(port: int, address: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the proxy, closed with it at the latest."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    opened.append(writer)
    return reader, writer


async def ask(port: int, head: str, body: bytes = b"", address: str = "127.0.0.1") -> int:
    """Status of the answer, 0 if there is none; a WebSocket stays open."""
    try:
        reader, writer = await connect(port, address)
        writer.write(head.encode() + body)
        await writer.drain()
        line = await asyncio.wait_for(reader.readline(), 10)
        status = int(line.split()[1]) if line else 0
    except (OSError, TimeoutError):
        return 0
    if status != 101:
        writer.close()
    return status


def run(folder: Path, work: Callable[[int], Coroutine[None, None, None]]) -> None:
    async def run_work() -> None:
        async with proxy(folder) as port:
            await work(port)

    asyncio.run(run_work())


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 12000:
        pytest.skip("needs many open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (12000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


STREAM = (
    "GET /_stcore/stream HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
PAGE = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def test_one_address_with_all_the_visits_it_gets_leaves_room_for_others(tmp_path: Path) -> None:
    async def work(port: int) -> None:
        found: list[int] = []
        for _ in range(14):
            found += await asyncio.gather(*(ask(port, STREAM) for _ in range(50)))
        assert Counter(found) == {101: 500, 429: 200}, "a class of 200 has room, 1800 are never taken"
        async with asyncio.timeout(2):
            assert await ask(port, STREAM, address=OTHER) == 101
            assert await ask(port, PAGE, address=OTHER) == 200

    run(tmp_path, work)


def test_one_address_with_all_the_connections_it_gets_leaves_room_for_others(tmp_path: Path) -> None:
    async def work(port: int) -> None:
        for _ in range(1300):
            with suppress(OSError):
                await connect(port)
        await asyncio.sleep(0.5)
        assert await ask(port, PAGE) == 0
        async with asyncio.timeout(2):
            assert await ask(port, PAGE, address=OTHER) == 200

    run(tmp_path, work)


def test_uploads_of_one_address_are_bounded(tmp_path: Path) -> None:
    head = "PUT /_stcore/upload_file/a/b HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"

    async def work(port: int) -> None:
        slow = [asyncio.create_task(ask(port, head, b"x")) for _ in range(100)]
        await asyncio.sleep(1)
        assert await ask(port, head, bytes(1000)) == 429
        assert await ask(port, head, bytes(1000), address=OTHER) == 200
        assert await ask(port, PAGE) == 200
        for task in slow:
            task.cancel()

    run(tmp_path, work)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 22020097\r\n\r\n", 413),
        ("PUT /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("POST /x HTTP/1.1\r\nHost: x\r\n\r\n", 411),
        ("GET /_stcore/metrics HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        ("GET /demo/%5fstcore/Metrics HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    ],
)
def test_what_no_page_sends_is_refused(tmp_path: Path, head: str, status: int) -> None:
    async def work(port: int) -> None:
        assert await ask(port, head) == status

    run(tmp_path, work)


@pytest.mark.skipif(shutil.which("openssl") is None or shutil.which("curl") is None, reason="needs openssl and curl")
def test_bodies_over_http_2_say_their_length(tmp_path: Path) -> None:
    command = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key -out crt && cat key crt > both"
    subprocess.run(command, shell=True, check=True, cwd=tmp_path, capture_output=True)
    if "HTTP2" not in subprocess.run(["curl", "--version"], capture_output=True, text=True).stdout:
        pytest.skip("curl speaks no HTTP/2.")
    (tmp_path / "photo").write_bytes(bytes(1000))

    async def fetch_status(port: int, *options: str) -> str:
        line = ["curl", "-sk", "--http2", "-o", os.devnull, "-w", "%{http_code} %{http_version}", *options]
        process = await asyncio.create_subprocess_exec(
            *line, f"https://127.0.0.1:{port}/x", stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return (await process.communicate(bytes(1000)))[0].decode()

    async def send_uploads() -> None:
        async with proxy(tmp_path, str(tmp_path / "both")) as port:
            assert await fetch_status(port, "-T", str(tmp_path / "photo")) == "200 2"
            pipe = [await fetch_status(port, "-X", "PUT", "-T", "-") for _ in range(6)]  # from a pipe: no length
            # curl misses an answer that comes before it has sent all; let in is it never
            assert "411 2" in pipe and set(pipe) <= {"411 2", "000 0"}

    asyncio.run(send_uploads())
