"""Two replicas behind HAProxy: do visits stay together, what happens when a replica dies, what does a second one bring?

    python -m tests.benchmarks.proxy [--visitors 20] [--photos 3]

Starts two servers as deploy/serve.py and HAProxy with deploy/haproxy.cfg, all on the loopback address. Prints one table
and exits with 1 if something failed. Needs haproxy, and chromium for the part with a browser. The visitors, HAProxy and
both servers share the processors, so the throughput says little about machines of their own: there it grows with them.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import hashlib
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.load import Table, photo
from tests.support import live
from tests.support.live import COOKIE, ROOT, Answer, LiveError, Visitor

QUERY = "upsampling=Bilinear&stride=FCN-16s"  # what must survive the death of a replica
PATIENCE = 60  # seconds that a visitor waits
BACK = 10  # seconds within which visitors of a dead replica must see their page again
# Script for the page: tells when the connection was lost and is there again. A page at rest is not drawn anew then.
WATCH = """app => {
    let lost = false;
    new MutationObserver(() => {
        const connected = app.dataset.testConnectionState === "CONNECTED";
        window.connectedAgain = lost && connected;
        lost ||= !connected;
    }).observe(app, {attributes: true});
}"""
BROWSER = ("chromium", "chromium-browser", "google-chrome")
_connect = live.connect
_replica: ContextVar[str] = ContextVar("_replica", default="")


@dataclass(frozen=True)
class Replica:
    """A running server of its own."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def ask_ready(self) -> tuple[int, str]:
        """Status and text of /ready; status 0 while the server does not answer."""
        try:
            with urllib.request.urlopen(f"{self.url}/ready", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def wait_until_ready(self, patience: float = 120) -> list[tuple[int, str]]:
        """Ask until the answer is 200; return all answers."""
        answers, end = [], time.monotonic() + patience
        while time.monotonic() < end and self.process.poll() is None:
            answers.append(self.ask_ready())
            if answers[-1][0] == 200:
                return answers
            time.sleep(0.02)
        raise LiveError(f"The server is not ready: {answers[-1:]}\n{self.log.read_text(errors='replace')}")


@contextmanager
def replica(port: int, log: Path, root: Path = ROOT) -> Iterator[Replica]:
    """Run deploy/serve.py of a folder on a port of the loopback address for as long as the context lasts."""
    command = [sys.executable, "-m", "streamlit", "run", "deploy/serve.py", "--server.headless", "true"]
    command += ["--server.address", "127.0.0.1", "--server.port", str(port), "--logger.hideWelcomeMessage", "true"]
    with log.open("ab") as output, ending(subprocess.Popen(command, cwd=root, stdout=output, stderr=output)) as process:
        yield Replica(f"http://127.0.0.1:{port}", process, log)


@contextmanager
def haproxy(port: int, replicas: list[int], folder: Path) -> Iterator[Path]:
    """Run HAProxy before two ports; give the file of its log."""
    addresses = [f"127.0.0.1:{one}" for one in replicas]
    settings = {"FCN_LISTEN": f"127.0.0.1:{port}", "FCN_REPLICA_A": addresses[0], "FCN_REPLICA_B": addresses[1]}
    settings |= {"FCN_ADMIN_SOCKET": str(folder / f"{port}.sock"), "FCN_USER": getpass.getuser()}
    command, log = ["haproxy", "-f", str(ROOT / "deploy" / "haproxy.cfg")], folder / f"haproxy-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=os.environ | settings)
    with ending(process):
        end = time.monotonic() + 20
        while time.monotonic() < end and process.poll() is None:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5):
                break
            time.sleep(0.1)
        else:
            raise LiveError(f"HAProxy did not start:\n{log.read_text(errors='replace')}")
        yield log


@contextmanager
def ending(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """End a process with the context."""
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def find_free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nobody listens on."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


class StickyVisitor(Visitor):
    """A visitor who keeps HAProxy's cookie too, as a browser does.

    Attributes:
        replica: The replica that the cookie names.
    """

    replica = ""

    async def request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None, chunked: bool = False
    ) -> Answer:
        cookies = {COOKIE: self._cookie, "replica": self.replica}
        held = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items() if value)}
        answer = await super().request(method, path, body, held | (headers or {}), chunked)
        if answer.status in (502, 503):  # the page of a browser tries again then
            raise LiveError(f"{method} {path}: HAProxy finds no replica.")
        if not (given := re.match(r"replica=(\w+)", answer.headers.get("set-cookie", ""))):
            return answer
        self.replica = given[1]
        _replica.set(self.replica)
        # Its cookie hides the one of the replica in this answer; asked again, it has none to add.
        return await self.request(method, path, body, headers, chunked) if method == "GET" else answer

    async def open_page(self) -> StickyVisitor:
        """Connect and open the page."""
        await self.connect()
        await self.run()
        return self


def connect(*arguments: Any, **options: Any) -> Any:
    """As websockets' connect, with HAProxy's cookie of the visitor who connects."""
    if _replica.get():
        options["additional_headers"]["Cookie"] += f"; replica={_replica.get()}"
    return _connect(*arguments, **options)


def main() -> int:
    """Check, measure, print, and return 0 if nothing failed."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--visitors", type=int, default=20, help="at once (default: 20)")
    arguments.add_argument("--photos", type=int, default=3, help="that each uploads (default: 3)")
    options = arguments.parse_args()
    if shutil.which("haproxy") is None:
        print("haproxy is not installed: apt-get install haproxy", file=sys.stderr)
        return 1
    table = Table()
    os.environ.setdefault("STREAMLIT_SERVER_COOKIE_SECRET", secrets.token_hex(32))
    with tempfile.TemporaryDirectory() as name, patch.object(live, "connect", connect):
        try:
            asyncio.run(run_checks(table, Path(name), options.visitors, options.photos))
        except Exception as error:
            traceback.print_exc()
            table.add("stopped by", type(error).__name__, "nothing", False)
    return 0 if table.show() else 1


async def run_checks(table: Table, folder: Path, visitors: int, photos: int) -> None:
    """Run all checks, one after another."""
    port, alone, nobody, *ports = find_free_ports(5)
    logs = [folder / "a.log", folder / "b.log"]
    with ExitStack() as stack:
        pair = [stack.enter_context(replica(one, log)) for one, log in zip(ports, logs, strict=True)]
        for one in pair:
            one.wait_until_ready()
        url = f"http://127.0.0.1:{port}"
        with haproxy(port, ports, folder) as log:
            await check_stickiness(table, url, pair, log, visitors)
            await check_limits(table, url)
            double = await measure_throughput(url, visitors, photos)
        with haproxy(alone, [ports[0], nobody], folder):
            single = await measure_throughput(f"http://127.0.0.1:{alone}", visitors, photos)
        table.add(f"{visitors} visitors, photos/s: one replica, two", f"{single:.2f}, {double:.2f}")
        table.add("ratio (all on the same processors)", f"{double / single:.2f}")
        with haproxy(port, ports, folder):
            await kill_replica(table, url, pair, visitors)
            pair[0] = stack.enter_context(replica(ports[0], logs[0]))
            pair[0].wait_until_ready()
            await check_restart(table, url)
            await kill_replica_in_browser(table, url, pair)
    traces = sum(log.read_text(errors="replace").count("Traceback") for log in logs)
    table.add("tracebacks in the servers' logs", str(traces), "none", not traces)


async def check_stickiness(table: Table, url: str, pair: list[Replica], log: Path, visitors: int) -> None:
    """Check that all requests of a visitor, upload and pictures included, reach the replica that has the visit."""
    pages = [StickyVisitor(url, patience=PATIENCE) for _ in range(visitors)]
    await asyncio.gather(*(page.open_page() for page in pages))
    await asyncio.gather(*(page.upload("own.jpg", photo(n, 320, 240)) for n, page in enumerate(pages)))
    counts = Counter(page.replica for page in pages)
    table.add("visitors: replica a, replica b", f"{counts['a']}, {counts['b']}", "fair", min(counts.values()) > 0)
    uploads = Counter(re.findall(r"replicas/(\w) 204 .* PUT /_stcore/upload_file", log.read_text()))
    table.add("uploads: replica a, replica b", f"{uploads['a']}, {uploads['b']}", "as visitors", uploads == counts)
    # Without the cookie an upload must fail, or the lines above say nothing. Pictures come over the WebSocket.
    stray = Visitor(pair["ba".index(pages[0].replica)].url)
    stray.session, stray._cookie = pages[0].session, pages[0]._cookie
    refused = await stray.put(f"/_stcore/upload_file/{stray.session}/{secrets.token_hex(8)}", b"x")
    table.add("an upload at the other replica", str(refused.status), "400", refused.status == 400)
    await asyncio.gather(*(page.disconnect() for page in pages))


async def check_limits(table: Table, url: str) -> None:
    """Check what HAProxy answers itself and which headers it adds."""
    async with StickyVisitor(url, patience=PATIENCE) as page:
        await page.run()
        first = (await Visitor(url).request("GET", "/")).headers
        path = (await page.ask_file_urls("large.bin")).upload_url
        statuses = [
            (await page.put(path, bytes(20 * 1024**2 - 1024))).status,
            (await page.put(path, bytes(22 * 1024**2))).status,
            (await page.put(path, bytes(1024), chunked=True)).status,
            (await page.request("GET", "/_stcore/metrics")).status,
        ]
    expected = [204, 413, 400, 404]
    table.add("20 MB, 22 MB, no length, metrics", str(statuses)[1:-1], str(expected)[1:-1], statuses == expected)
    wanted = {"x-content-type-options", "referrer-policy", "permissions-policy", "x-frame-options"}
    there = wanted <= first.keys() and "frame-ancestors" in first.get("content-security-policy", "")
    table.add("security headers", "all" if there else f"{first}", "all", there)
    cookie = first.get("set-cookie", "")
    table.add("cookie of the proxy", cookie, "", "HttpOnly" in cookie and "SameSite=Lax" in cookie)


async def measure_throughput(url: str, visitors: int, photos: int) -> float:
    """Photos per second, from upload to result, when all visitors upload one after another at the same time."""
    pages = [StickyVisitor(url, patience=PATIENCE) for _ in range(visitors)]
    await asyncio.gather(*(page.open_page() for page in pages))
    data = [[photo(secrets.randbits(32), 640, 480) for _ in range(photos)] for _ in pages]

    async def upload_all(page: StickyVisitor, own: list[bytes]) -> None:
        for one in own:
            await page.upload("own.jpg", one)

    start = time.perf_counter()
    await asyncio.gather(*map(upload_all, pages, data))
    seconds = time.perf_counter() - start
    await asyncio.gather(*(page.disconnect() for page in pages))
    return visitors * photos / seconds


async def kill_replica(table: Table, url: str, pair: list[Replica], visitors: int) -> None:
    """Kill replica a and check that its visitors see the page of their link again, on replica b."""
    pages = [StickyVisitor(url, QUERY, patience=PATIENCE) for _ in range(visitors)]
    await asyncio.gather(*(page.open_page() for page in pages))
    captions = [page.payload["captions"] for page in pages]
    hit = [page for page in pages if page.replica == "a"]
    pair[0].process.kill()
    start = time.perf_counter()
    times = await asyncio.gather(*(time_return(page, start) for page in hit))
    found = f"{len(times)} of {visitors}, {max(times):.1f} s"
    table.add("replica a killed: its visitors, slowest back", found, f"< {BACK} s", max(times) < BACK)
    kept = sum(page.payload["captions"] == before for page, before in zip(pages, captions, strict=True))
    moved = {page.replica for page in hit} == {"b"}
    table.add("state of the link kept", f"{kept} of {visitors}", "all, on b", kept == visitors and moved)
    await asyncio.gather(*(page.disconnect() for page in pages))


async def time_return(page: StickyVisitor, start: float) -> float:
    """Seconds from `start` until a visitor whose connection broke has the page again; tries as a browser does."""
    while time.perf_counter() - start < PATIENCE:
        try:
            await page.disconnect()
            await page.open_page()
            return time.perf_counter() - start
        except LiveError:
            await asyncio.sleep(0.3)
    raise LiveError("A visitor of the killed replica found no other.")


async def check_restart(table: Table, url: str) -> None:
    """Check that a restarted replica gets new visitors."""
    start, got = time.monotonic(), ""
    while got != "a" and time.monotonic() - start < 30:
        visitor = StickyVisitor(url)
        await visitor.request("GET", "/")
        got = visitor.replica
        await asyncio.sleep(0.2)
    table.add("replica a ready again: takes new visitors after", f"{time.monotonic() - start:.1f} s", "", got == "a")


async def kill_replica_in_browser(table: Table, url: str, pair: list[Replica]) -> None:
    """Kill the replica of an untouched page in a real browser; then upload, for which its token must still be valid."""
    from playwright.async_api import FilePayload, async_playwright, expect

    path = next(filter(None, map(shutil.which, BROWSER)), None)
    if path is None:
        table.add("in a browser", "not checked: no chromium")
        return
    expect.set_options(timeout=1000 * PATIENCE)
    async with async_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = await playwright.chromium.launch(executable_path=path, args=arguments)
        context = await browser.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(1000 * PATIENCE)
        page = await context.new_page()
        await page.goto(f"{url}/?{QUERY}")
        viewer = page.locator(".viewer")
        await expect(viewer).to_have_attribute("data-ready", re.compile("."))
        await expect(app := page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
        before, link = await read_pictures(page), page.url
        name = await read_replica_cookie(context)
        await app.evaluate(WATCH)
        pair["ab".index(name)].process.kill()
        start = time.perf_counter()
        while not await page.evaluate("window.connectedAgain"):  # the policy of the pages forbids a watch by eval
            await page.wait_for_timeout(50)
        seconds = time.perf_counter() - start
        same = await read_pictures(page) == before and page.url == link and await read_replica_cookie(context) != name
        table.add("in a browser, untouched: connected again", f"{seconds:.1f} s", f"< {BACK} s", seconds < BACK)
        table.add("same pictures and link as before", "yes" if same else "NO", "yes", same)
        own = photo(7, 320, 240)
        file: FilePayload = {"name": "own.jpg", "mimeType": "image/jpeg", "buffer": own}
        await page.locator(".st-key-upload input[type=file]").set_input_files([file])
        wanted = re.compile(f"{hashlib.sha256(own).hexdigest()}.*bilinear.*16")
        with suppress(AssertionError):
            await expect(viewer).to_have_attribute("data-ready", wanted, timeout=15_000)
        uploaded = wanted.search((await read_pictures(page))[0]) is not None
        table.add("then an upload is shown, with the same settings", "yes" if uploaded else "NO", "yes", uploaded)
        await browser.close()


async def read_pictures(page: Any) -> tuple[str, list[str]]:
    """What the page says it shows, and the pixels of its pictures."""
    pictures = await page.locator(".viewer canvas").evaluate_all("all => all.map(one => one.toDataURL())")
    return await page.locator(".viewer").get_attribute("data-ready"), pictures


async def read_replica_cookie(context: Any) -> str:
    """The replica that the browser's cookie names."""
    return {one["name"]: one["value"] for one in await context.cookies()}["replica"]


if __name__ == "__main__":
    sys.exit(main())
