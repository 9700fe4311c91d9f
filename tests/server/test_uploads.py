"""Uploads on their way: how many at once, how long, and with what said before; the part of deploy/serve.py alone."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable, Coroutine
from types import ModuleType
from typing import Any

import pytest

from tests.support.live import ROOT

MEGABYTE = 1024**2


@pytest.fixture(scope="module")
def serve() -> ModuleType:
    spec = importlib.util.spec_from_file_location("serve", ROOT / "deploy" / "serve.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class CountingApplication:
    """An application that counts who is inside at once and lets nobody out before `leave`."""

    def __init__(self) -> None:
        self.now = self.most = self.done = 0
        self.leave = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.leave.wait()
        finally:
            self.now -= 1
        self.done += 1
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def read_ten_chunks(scope: Any, receive: Any, send: Any) -> None:
    """An application that reads the body of an upload and answers."""
    for _ in range(10):
        await receive()
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def receive_nothing() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


def put(uploads: Any, visit: str, length: int | None, receive: Any = receive_nothing) -> Coroutine[None, None, int]:
    headers = [] if length is None else [(b"content-length", str(length).encode())]
    scope = {"type": "http", "method": "PUT", "path": f"/_stcore/upload_file/{visit}/1", "headers": headers}
    return ask(uploads, scope, receive)


async def ask(application: Any, scope: dict[str, Any], receive: Any) -> int:
    statuses: list[int] = []

    async def send(message: dict[str, Any]) -> None:
        statuses.extend([message["status"]] if message["type"] == "http.response.start" else [])

    await application(scope, receive, send)
    return statuses[0] if statuses else 0


def run(work: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), 20))


def test_two_of_a_visit_and_what_memory_bears_are_on_their_way_at_once(serve: ModuleType) -> None:
    async def work() -> None:
        inside = CountingApplication()
        uploads = serve.Uploads(inside)
        uploads.room = 200 * MEGABYTE
        waiting = [asyncio.create_task(put(uploads, "one", 20 * MEGABYTE)) for _ in range(6)]
        await asyncio.sleep(0.05)
        assert inside.now == 2
        waiting += [asyncio.create_task(put(uploads, f"visit-{n}", 20 * MEGABYTE)) for n in range(20)]
        await asyncio.sleep(0.05)
        assert inside.now == 10
        inside.leave.set()
        assert await asyncio.gather(*waiting) == [204] * 26
        assert inside.most == 10 and uploads.room == 200 * MEGABYTE and not uploads.visits

    run(work)


@pytest.mark.parametrize(("pause", "status"), [(0.0, 204), (0.5, 408), (0.08, 408)])
def test_an_upload_that_stalls_or_trickles_is_given_up(serve: ModuleType, pause: float, status: int) -> None:
    async def work() -> None:
        async def receive() -> dict[str, Any]:
            await asyncio.sleep(pause)
            return {"type": "http.request", "body": bytes(1000), "more_body": True}

        uploads = serve.Uploads(read_ten_chunks)
        uploads.STALL, uploads.RATE, before = 0.3, 50_000, uploads.room
        assert await put(uploads, "one", 10_000, receive) == status
        assert uploads.room == before and not uploads.visits

    run(work)


def test_while_others_wait_the_slowest_makes_room_now_and_then(serve: ModuleType) -> None:
    async def work() -> None:
        def receive_at(rate: int) -> Any:
            async def receive() -> dict[str, Any]:
                await asyncio.sleep(0.1)
                return {"type": "http.request", "body": bytes(rate // 10), "more_body": True}

            return receive

        uploads = serve.Uploads(read_ten_chunks)
        uploads.STALL, uploads.room = 0.2, 310_000
        slow = [asyncio.create_task(put(uploads, "slow", 100_000, receive_at(60_000)))]
        slow += [asyncio.create_task(put(uploads, f"{n}", 100_000, receive_at(100_000))) for n in range(2)]
        await asyncio.sleep(0.02)
        assert await put(uploads, "late", 100_000, receive_at(900_000)) == 204
        assert await asyncio.gather(*slow) == [408, 204, 204]
        assert uploads.room == 310_000 and not uploads.running
        # who waits for his own visit makes nobody hurry
        mine = [asyncio.create_task(put(uploads, "one", 50_000, receive_at(60_000))) for _ in range(3)]
        assert await asyncio.gather(*mine) == [204] * 3

    run(work)


def test_an_upload_that_cannot_begin_is_refused_in_time(serve: ModuleType) -> None:
    async def work() -> None:
        inside = CountingApplication()
        uploads = serve.Uploads(inside)
        uploads.WAIT = 0.1
        first = [asyncio.create_task(put(uploads, "one", 1000)) for _ in range(2)]
        await asyncio.sleep(0.02)
        assert await put(uploads, "one", 1000) == 503
        inside.leave.set()
        assert await asyncio.gather(*first) == [204, 204]

    run(work)


def test_all_uploads_together_take_a_bounded_part_of_a_large_memory(
    serve: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    rooms = []
    for gigabytes in (64, 1, 0.1):
        monkeypatch.setattr(serve, "memory", lambda size=int(gigabytes * 1024**3): size)
        rooms.append(serve.Uploads(CountingApplication()).room / MEGABYTE)
    assert rooms == [80, 80, 60]


def test_one_visit_cannot_take_all_places_for_waiting(serve: ModuleType) -> None:
    async def work() -> None:
        inside = CountingApplication()
        uploads = serve.Uploads(inside)
        many = [asyncio.create_task(put(uploads, "one", 1000)) for _ in range(40)]
        await asyncio.sleep(0.05)
        other = asyncio.create_task(put(uploads, "two", 1000))
        await asyncio.sleep(0.05)
        inside.leave.set()
        answers = await asyncio.gather(*many)
        assert (answers.count(204), answers.count(503)) == (12, 28) and await other == 204
        assert not uploads.waiting and not uploads.visits

    run(work)


def test_a_length_beside_chunks_is_refused(serve: ModuleType) -> None:
    async def work() -> None:
        inside = CountingApplication()
        headers = [(b"content-length", b"1"), (b"transfer-encoding", b"chunked")]
        scope = {"type": "http", "method": "PUT", "path": "/_stcore/upload_file/one/1", "headers": headers}
        assert await ask(serve.Uploads(inside), scope, receive_nothing) == 411
        assert not inside.most

    run(work)


def test_a_body_without_a_length_is_refused_before_it_is_read(serve: ModuleType) -> None:
    async def work() -> None:
        inside = CountingApplication()
        assert await put(serve.Uploads(inside), "one", None) == 411
        assert not inside.most

    run(work)


def test_a_full_server_takes_no_photo(serve: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "is_full", lambda: True)

    async def work() -> None:
        inside = CountingApplication()
        assert await put(serve.Uploads(inside), "one", 1000) == 503
        assert not inside.most

    run(work)


def test_a_flood_of_questions_is_one_look(serve: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    from fcn.ui import readiness as looking

    looks: list[list[str]] = []

    def look(models: list[str]) -> None:
        looks.append(models)
        raise TimeoutError("A tiny photo was not processed within 5 s.")

    monkeypatch.setattr(looking, "look", look)

    async def work() -> None:
        found = serve.Readiness()
        found.loaded = {"street": "litert"}
        answers = await asyncio.gather(*(found.look() for _ in range(50)))
        assert set(answers) == {"A tiny photo was not processed within 5 s."} and looks == [["street"]]
        monkeypatch.setattr(serve, "readiness", found)
        answer = await serve.ready(None)
        assert answer.status_code == 503 and b"tiny photo" in answer.body

    run(work)
