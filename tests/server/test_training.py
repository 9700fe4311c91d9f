"""A training on a running server, and what becomes of photos when its process hangs or is killed."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.live import Server, Visitor, serving
from tests.support.photos import smooth_photo


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server") / "log.txt") as running:
        yield running


def find_keras_process(server: Server) -> int:
    """The process that a server asks: a child of it with this module's name."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == server.process.pid and b"keras_questions" in (folder / "cmdline").read_bytes():
                return int(folder.name)
        except OSError:  # it has just ended
            continue
    raise AssertionError("Keras does not run")


async def train_until(page: Visitor, steps: int, press: bool = True, seconds: float = 240) -> dict[str, Any]:
    """Ask for steps until they are done or there is trouble."""
    async with asyncio.timeout(seconds):
        await page.train(steps, press)
        while True:
            state = await page.train(steps)
            if state["trouble"] or (state["step"] >= steps and not state["doing"]):
                return state
            await asyncio.sleep(0.3)


def jpeg() -> bytes:
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(smooth_photo(90, 120)).save(file, "JPEG")
    return file.getvalue()


def test_a_hung_training_stops_no_photo_and_a_killed_one_is_told(server: Server) -> None:
    async def visit() -> None:
        async with Visitor(server.url, "learn_pictures=1", "learn", 120) as page:
            await page.run()
            assert (await train_until(page, 1))["step"] == 1
            process = find_keras_process(server)
            os.kill(process, signal.SIGSTOP)
            await page.train(50)
            async with asyncio.timeout(60), Visitor(server.url, patience=60) as other:  # before Keras is given up
                await other.run()
                await other.upload("own.jpg", jpeg())
                assert not other.texts("alert")
            state = await page.train(50)
            assert not state["trouble"]
            os.kill(process, signal.SIGKILL)
            assert "its process has ended" in (await train_until(page, 50, press=False))["trouble"]
            state = await train_until(page, 2)
            assert state["step"] == 2 and not state["trouble"]
            assert find_keras_process(server) != process

    asyncio.run(visit())
