"""A long day: visitors of all kinds come and go while processes of the server are killed and stopped.

    python -m tests.benchmarks.soak [--minutes 60] [--visitors 8]

Starts deploy/serve.py on the loopback address and keeps the given number of visitors busy: they open every page,
switch, upload photos that this script makes (small ones, of 12 megapixels, no photos at all), send more than a visit
may, leave in the middle and come back. Every 20 seconds a child process of the server is killed or stopped. Prints
memory over time, errors and p95, and exits with 1 if a bound is broken. Needs /proc (Linux).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import secrets
import signal
import statistics
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[2]))

from fcn.compute.learning import STEPS
from tests.benchmarks.load import MIB, Span, Table, find_processes, photo, quantile, time_action
from tests.benchmarks.proxy import Replica, find_free_ports, replica
from tests.support.live import LiveError, Server, Visitor

PATIENCE = 60  # seconds that a visitor waits
PAUSE = 1, 5  # seconds between two actions, from and to
LOOK = 5.0  # seconds between two looks at memory and /ready
HURT = 20.0  # seconds between two kills
WARM = 600.0  # seconds after which memory may grow no more; a third of a shorter run
GROWTH = 0.10
PHOTOS = [(640, 480)] * 4 + [(1600, 1200)] * 3 + [(4000, 3000)]  # sizes that are uploaded
JUNK = (b"", b"no photo", b"\xff\xd8\xff\xe0" + bytes(5000), b"\x89PNG\r\n\x1a\n" + bytes(100), b"RIFF" + bytes(3000))


@dataclass
class Notes:
    """What happened. Times are start and end in seconds since `start`."""

    start: float = field(default_factory=time.perf_counter)
    done: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    sentences: int = 0
    switches: list[Span] = field(default_factory=list)
    uploads: list[Span] = field(default_factory=list)
    memory: list[tuple[float, int, int]] = field(default_factory=list)  # seconds, bytes of server, of its children
    ready: Counter[int] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)


@cache
def make_photo(width: int, height: int) -> bytes:
    """A photo of this size."""
    return photo(7, width, height)


def make_unseen_photo(width: int, height: int) -> bytes:
    """A photo that the server has not seen: the same picture with random bytes appended."""
    return make_photo(width, height) + secrets.token_bytes(8)


async def look_around(page: Visitor, notes: Notes) -> None:
    """Use the switches of the first page."""
    for _ in range(random.randint(1, 4)):
        key, value = random.choice(
            [("upsampling", "bilinear"), ("upsampling", "transposed"), ("stride", 8), ("stride", 32),
             ("model", "people_animals")]
        )  # fmt: skip
        await time_action(page.pick(**{key: value}), notes.switches)
        await asyncio.sleep(random.uniform(*PAUSE))


async def upload(page: Visitor, notes: Notes) -> None:
    """Bring photos, and what is none."""
    for _ in range(random.randint(1, 3)):
        if random.random() < 0.3:
            await page.upload("www.x.jpg", random.choice(JUNK))
        else:
            width, height = random.choice(PHOTOS)
            await time_action(page.upload("1. mine.jpg", make_unseen_photo(width, height)), notes.uploads)
        notes.sentences += len(page.texts("alert"))
        await look_around(page, notes)


async def flood(page: Visitor, notes: Notes) -> None:
    """Send more than a visit may keep; what is refused politely is no error."""
    paths = [f"/_stcore/upload_file/{page.session}/{uuid.uuid4()}" for _ in range(8)]
    answers = await asyncio.gather(*(page.put(path, bytes(15 * MIB)) for path in paths))
    if wrong := {answer.status for answer in answers} - {204, 408, 429, 503}:
        raise LiveError(f"Uploads were answered with {wrong}.")


async def break_off(page: Visitor, notes: Notes) -> None:
    """Leave in the middle of an upload and come back."""
    going = asyncio.create_task(page.upload("mine.jpg", make_unseen_photo(1600, 1200)))
    await asyncio.sleep(random.uniform(0, 0.3))
    await page.disconnect()
    with suppress(LiveError, AssertionError):
        await going
    await page.connect()
    await page.run()


async def read(page: Visitor, notes: Notes) -> None:
    """Stay on a page that is no place for photos and have it drawn again."""
    await asyncio.sleep(random.uniform(0, 2))
    await page.run()


async def train(page: Visitor, notes: Notes) -> None:
    """Train a while, and leave in the middle."""
    for _ in range(random.randint(2, 20)):
        state = await page.train(STEPS)
        if state["trouble"] or state["done"]:
            return
        await asyncio.sleep(0.5)


#: Page -> what visitors do there. A page that the app does not have is left out.
ACTS: dict[str, list[Callable[[Visitor, Notes], Awaitable[None]]]] = {
    "": [look_around, look_around, upload, upload, flood, break_off],
    "steps": [read],
    "quality": [read],
    "story": [read],
    "learn": [train],
}


def main() -> int:
    """Soak, print, and return 0 if no bound is broken."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--minutes", type=float, default=60, help="how long (default: 60)")
    arguments.add_argument("--visitors", type=int, default=8, help="at once (default: 8)")
    options = arguments.parse_args()
    os.environ.setdefault("STREAMLIT_SERVER_COOKIE_SECRET", secrets.token_hex(32))
    random.seed(0)
    for size in PHOTOS:
        make_photo(*size)
    notes, table = Notes(), Table()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.txt"
        [port] = find_free_ports(1)
        with replica(port, log) as server:
            server.wait_until_ready()
            notes.start = time.perf_counter()
            asyncio.run(soak(server, notes, 60 * options.minutes, options.visitors))
            alive = server.process.poll() is None
        text = log.read_text(errors="replace")
    fill_table(table, notes, options.minutes, alive, text.count("Traceback"))
    return 0 if table.show() else 1


async def soak(server: Replica, notes: Notes, seconds: float, visitors: int) -> None:
    """Keep everybody busy for so long."""
    end = time.perf_counter() + seconds
    pages = [page for page in ACTS if page == "" or await has_page(server, page)]
    crowd = [come_and_go(server, notes, end, pages) for _ in range(visitors)]
    await asyncio.gather(watch(server, notes, end), hurt_children(server, notes, end), *crowd)


async def has_page(server: Replica, page: str) -> bool:
    """Whether the app has this page."""
    try:
        async with Visitor(server.url, page=page, patience=PATIENCE) as visitor:
            await visitor.run()
    except LiveError:
        return False
    return True


async def come_and_go(server: Replica, notes: Notes, end: float, pages: list[str]) -> None:
    """One visitor after another: a page, something to do there, and gone."""
    while time.perf_counter() < end:
        name = random.choice(pages + [""] * 2)
        act = random.choice(ACTS[name])
        try:
            async with Visitor(server.url, page=name, patience=PATIENCE) as page:
                await page.run()
                await act(page, notes)
            notes.done[act.__name__] += 1
        except LiveError as error:
            notes.errors[f"{act.__name__}: {str(error)[:300]}"] += 1
        await asyncio.sleep(random.uniform(*PAUSE))


async def watch(server: Replica, notes: Notes, end: float) -> None:
    """Note memory, and whether the server says that it is ready."""
    known = Server(server.url, server.process, server.log)
    while time.perf_counter() < end:
        sizes = [read_resident_memory(folder) for folder in find_processes(known)]
        notes.memory.append((time.perf_counter() - notes.start, sizes[0], sum(sizes[1:])))
        notes.ready[(await asyncio.to_thread(server.ask_ready))[0]] += 1
        await asyncio.sleep(LOOK)


def read_resident_memory(folder: Path) -> int:
    """Resident memory of a process, bytes; 0 if it has just ended."""
    with suppress(OSError):
        lines = (folder / "status").read_text().partition("VmRSS:")[2].split()
        return 1024 * int(lines[0]) if lines else 0
    return 0


async def hurt_children(server: Replica, notes: Notes, end: float) -> None:
    """Kill or stop a child process now and then: whoever asked it must get an answer all the same."""
    known = Server(server.url, server.process, server.log)
    while time.perf_counter() < end:
        await asyncio.sleep(HURT)
        children = [int(folder.name) for folder in find_processes(known)[1:]]
        if children:
            how = random.choice((signal.SIGKILL, signal.SIGSTOP))
            with suppress(ProcessLookupError):
                os.kill(random.choice(children), how)
                notes.kills[how.name] += 1


def fill_table(table: Table, notes: Notes, minutes: float, alive: bool, traces: int) -> None:
    """Put all results into the table."""
    for error, times in notes.errors.most_common():
        print(f"{times} x {error}", file=sys.stderr)
    table.add("lasted", f"{minutes:g} min")
    table.add("visits", ", ".join(f"{name} {times}" for name, times in sorted(notes.done.items())))
    table.add("files that ended in a sentence", str(notes.sentences))
    table.add("child processes killed, stopped", f"{notes.kills['SIGKILL']}, {notes.kills['SIGSTOP']}")
    table.add("errors: of visitors, in the server's log", f"{notes.errors.total()}, {traces}", "none",
              not notes.errors and not traces)  # fmt: skip
    table.add("the server lives", "yes" if alive else "NO", "yes", alive)
    said = ", ".join(f"{status or 'silent'} {times}" for status, times in sorted(notes.ready.items()))
    table.add("/ready", said, "200", set(notes.ready) == {200})
    if notes.switches:
        table.add(f"switch, p50 / p95 of {len(notes.switches)}",
                  f"{quantile(notes.switches, 50):.2f} s / {quantile(notes.switches, 95):.2f} s", "p95 < 1 s",
                  quantile(notes.switches, 95) < 1)  # fmt: skip
    if notes.uploads:
        table.add(f"upload to result, p50 / p95 of {len(notes.uploads)}",
                  f"{quantile(notes.uploads, 50):.2f} s / {quantile(notes.uploads, 95):.2f} s")  # fmt: skip
    if notes.memory:
        fill_memory_rows(table, notes.memory)


def fill_memory_rows(table: Table, samples: list[tuple[float, int, int]]) -> None:
    """Put the memory over time into the table, and whether it grows after the warm-up."""
    last = samples[-1][0]
    for share in (0, 0.1, 0.25, 0.5, 0.75, 1):
        near = min(samples, key=lambda sample: abs(sample[0] - share * last))
        table.add(f"memory after {near[0] / 60:.1f} min: server, its children",
                  f"{near[1] / MIB:.0f} MiB, {near[2] / MIB:.0f} MiB")  # fmt: skip
    most = max(size for _, size, _ in samples)
    table.add("most memory of the server", f"{most / MIB:.0f} MiB", "< 1 GB", most < 10**9)
    warm = min(WARM, last / 3)
    span = (last - warm) / 4
    early = [size for second, size, _ in samples if warm <= second <= warm + span]
    late = [size for second, size, _ in samples if second >= last - span]
    if not early:
        table.add("growth", "too short a run to tell")
        return
    growth = statistics.median(late) / statistics.median(early) - 1
    table.add(f"growth after {warm / 60:.1f} min, medians of quarters", f"{growth:+.1%}", "at most 10%",
              growth <= GROWTH)  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
