"""What a visit keeps on the server, and for how long; spoken to without a page, as somebody would who means harm."""

import asyncio
import time
import uuid
from collections.abc import Iterator

import pytest
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from fcn.ui import downloads, visits
from tests.benchmarks.load import photo, read_memory
from tests.support import hostile
from tests.support.live import Server, Visitor, serving

PATIENCE = 120
MEGABYTE = 1024**2
LIFE = 12  # seconds that a visit outlasts its connection here


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with serving(log, "--server.disconnectedSessionTTL", str(LIFE), patience=PATIENCE) as running:
        yield running
        assert "Traceback" not in running.log.read_text(errors="replace")


def read_resident_memory(server: Server) -> float:
    return read_memory(server, "VmRSS") / MEGABYTE


async def send(visitor: Visitor, megabytes: float) -> None:
    path = f"/_stcore/upload_file/{visitor.session}/{uuid.uuid4()}"
    assert (await visitor.put(path, bytes(int(megabytes * MEGABYTE)))).status == 204


def test_a_visit_keeps_three_files_and_gives_them_back_on_a_quiet_server(server: Server) -> None:
    async def visit() -> tuple[float, float]:
        async with Visitor(server.url, patience=PATIENCE) as visitor:
            await visitor.run()
            before = read_resident_memory(server)
            for _ in range(20):
                await send(visitor, 19.5)
            return before, read_resident_memory(server)

    before, after = asyncio.run(visit())
    assert after - before < 160, "three files of 20, and what libc keeps of the way in"
    end = time.monotonic() + LIFE + 25
    while read_resident_memory(server) - before > 15 and time.monotonic() < end:
        time.sleep(0.5)
    assert read_resident_memory(server) - before <= 15


def test_a_download_waits_for_its_visitor_and_makes_room_for_the_next(server: Server) -> None:
    async def visit() -> None:
        async with Visitor(server.url, patience=PATIENCE) as visitor, Visitor(server.url, patience=PATIENCE) as other:
            await visitor.run()
            first = await visitor.ask_for_download("README")
            for _ in range(3):
                await other.run()
                await visitor.run()
            assert (await visitor.request("GET", first)).status == 200
            labels = ("README", "labels", "labels", "overlay")
            urls = [first, *[await visitor.ask_for_download(label) for label in labels]]
            assert urls[0] == urls[1] and urls[2] == urls[3]
            found = [(await visitor.request("GET", url)).status for url in urls[1:]]
            assert found == [404, 200, 200, 200]  # the last two files of a visit, however often it asked for each

    asyncio.run(visit())


def test_who_asks_for_many_downloads_holds_nobody_up(server: Server) -> None:
    async def visit() -> None:
        async with Visitor(server.url, patience=PATIENCE) as greedy, Visitor(server.url, patience=PATIENCE) as other:
            await greedy.run()
            await other.run()
            await greedy.upload("large.jpg", photo(1, 4000, 3000))
            for _ in range(5):
                await greedy.ask_for_download("All files", wait=False)
            start = time.perf_counter()
            assert (await other.download("README")).status == 200
            assert time.perf_counter() - start < 15
            await greedy.ask_for_download("All files")
            said = [answer.error_msg for answer in greedy._downloads.values()]
            assert said.count("Wait for your other files.") >= 3

    asyncio.run(visit())


def test_downloads_are_dropped_in_time_and_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = MediaFileManager(MemoryMediaFileStorage("/media"))

    class FakeRuntime:
        media_file_mgr = manager
        instance = classmethod(lambda cls: cls)

    monkeypatch.setattr(downloads, "Runtime", FakeRuntime)
    monkeypatch.setattr(downloads, "_held", {})
    monkeypatch.setattr(downloads, "ALL", 250)
    urls = [manager.add(bytes([n]) * 100, "text/plain", str(n), is_for_static_download=True) for n in range(4)]
    manager.clear_session_refs()
    for number, url in enumerate(urls[:3]):
        downloads._hold(f"visit {number}", url)
    for _ in range(3):
        manager.remove_orphaned_files()
    names = [url.rpartition("/")[2].partition(".")[0] for url in urls]
    assert [manager.read_file(name) is not None for name in names] == [False, True, True, False]
    assert not downloads.drop_old()
    assert downloads.drop_old(time.monotonic() + downloads.KEPT + 1)
    assert not any(manager.read_file(name) for name in names)


def test_all_visits_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    manager, there = MemoryUploadedFileManager(""), {"a", "c", "d"}
    closed: list[str] = []

    class FakeRuntime:
        instance = classmethod(lambda cls: cls)
        is_active_session = staticmethod(there.__contains__)
        close_session = staticmethod(closed.append)

    monkeypatch.setattr(visits, "Runtime", FakeRuntime)
    monkeypatch.setattr(visits, "_lives", lambda session_id: True)
    monkeypatch.setattr(visits, "ALL", 50)

    def add(session_id: str, size: int) -> None:
        file = UploadedFileRec(str(uuid.uuid4()), "x.jpg", "image/jpeg", bytes(size))
        visits._add_file(manager, session_id, file)

    for session_id in "abc":
        add(session_id, 16)
    assert not closed and len(manager.file_storage) == 3
    add("d", 16)  # the one that has left goes first
    assert closed == ["b"] and set(manager.file_storage) == set("acd")
    add("d", 30)  # then those who are there, the earliest first
    assert set(manager.file_storage) == {"d"}
    held = visits._held(manager)
    assert held <= 50
    monkeypatch.setattr(visits, "is_full", lambda: True)
    add("d", 1)
    assert visits._held(manager) == held


def test_an_upload_that_ends_after_its_visit_is_not_kept(server: Server) -> None:
    async def visit() -> tuple[float, float]:
        visitor = Visitor(server.url, patience=PATIENCE)
        await visitor.connect()
        await visitor.run()
        before = read_resident_memory(server)
        mark = "mark"
        head = f'--{mark}\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'.encode()
        body = head + bytes(19 * MEGABYTE) + f"\r\n--{mark}--\r\n".encode()
        address = server.url.removeprefix("http://").split(":")
        writers = []
        for _ in range(6):  # all but the last byte
            reader, writer = await asyncio.open_connection(*address)
            path = f"/_stcore/upload_file/{visitor.session}/{uuid.uuid4()}"
            lines = [
                f"PUT {path} HTTP/1.1",
                "Host: x",
                f"Content-Length: {len(body)}",
                f"X-Xsrftoken: {visitor._cookie}",
                f"Cookie: _streamlit_xsrf={visitor._cookie}",
                f"Content-Type: multipart/form-data; boundary={mark}",
            ]
            writer.write("\r\n".join([*lines, "", ""]).encode() + body[:-1])
            await writer.drain()
            writers.append((reader, writer))
        await visitor.disconnect()
        await asyncio.sleep(LIFE + 12)
        for _, writer in writers:
            writer.write(body[-1:])
        for reader, writer in writers:
            assert b" 204 " in await reader.readline()
            writer.close()
        return before, read_resident_memory(server)

    before, _ = asyncio.run(visit())
    end = time.monotonic() + 30
    while read_resident_memory(server) - before > 25 and time.monotonic() < end:
        time.sleep(0.5)
    assert read_resident_memory(server) - before <= 25


def test_a_file_that_the_page_claims_and_the_server_has_not_ends_in_a_sentence(server: Server) -> None:
    async def visit() -> list[str]:
        async with Visitor(server.url, patience=PATIENCE) as visitor:
            await visitor.run()
            put = visitor.put

            async def put_elsewhere(path: str, *arguments: object) -> object:
                return await put(f"/_stcore/upload_file/{visitor.session}/{uuid.uuid4()}", b"another")

            visitor.put = put_elsewhere  # type: ignore[method-assign, assignment]
            await visitor.upload("mine.jpg", hostile.in_jpeg(b""))
            said = visitor.texts("alert")
            await visitor.run()
            return [*said, *visitor.texts("alert")]

    first, again = asyncio.run(visit())
    assert first == again and "no longer on the server" in first


def test_a_visit_that_comes_back_in_time_has_its_photo(server: Server) -> None:
    data = hostile.in_jpeg(b"")

    async def visit() -> tuple[str, str]:
        async with Visitor(server.url, patience=PATIENCE) as visitor:
            await visitor.run()
            await visitor.upload("mine.jpg", data)
            key = visitor.payload["key"]
            for _ in range(3):
                await visitor.disconnect()
                await asyncio.sleep(1)
                await visitor.connect()
            await asyncio.sleep(LIFE)
            await visitor.run()
            return key, visitor.payload["key"]

    before, after = asyncio.run(visit())
    assert before == after
