"""How many visitors one server bears: time, memory and throughput under a crowd, memory over a long visit.

    python -m tests.benchmarks.load [--visitors 200] [--uploads 50] [--photos 500] [--large] [--training]

Starts the app itself, on the loopback address. The visitors arrive within a minute, look and use the switch, and some
upload a photo; those upload another one all at once. Before and after, a plain loop over as many photos gives the speed
to compare with; its better time counts. Then, on a fresh server, one visitor uploads many photos in a row. Prints one
table and exits with 1 if a target is missed. Needs /proc (Linux). The visitors share the processors with the server,
and so does whatever else runs: the table tells how much that was.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from PIL import Image
from threadpoolctl import threadpool_limits

from fcn.compute.learning import STEPS
from tests.support.live import ROOT, LiveError, Server, Visitor, serving

ARRIVAL = 60  # seconds within which the visitors come
PAUSE = 2, 8  # seconds between two actions of a visitor, from and to
ACTIONS: tuple[dict[str, Any], ...] = ({"upsampling": "bilinear"}, {"stride": 8}, {"upsampling": "transposed"},
                                       {"stride": 32})  # fmt: skip
PATIENCE = 120  # seconds that a visitor waits
BOUND = 900  # seconds for each of the two parts
SIZES = {False: (1600, 1200), True: (4000, 3000)}  # of a photo, and with --large: width and height in pixels
MEMORY = {False: 10**9, True: 1.5 * 10**9}  # bytes that the server may take at most, likewise
PROBES = 50, 100, 200, 500  # photos of the long visit after which memory is read
MIB = 1024**2

Span = tuple[float, float]  # start and end, seconds


@dataclass
class Notes:
    """What the visitors saw. Times are start and end in seconds."""

    served: int = 0
    errors: list[str] = field(default_factory=list)
    first: list[Span] = field(default_factory=list)
    switches: list[Span] = field(default_factory=list)
    uploads: list[Span] = field(default_factory=list)
    burst: list[Span] = field(default_factory=list)
    burst_switches: list[Span] = field(default_factory=list)
    page: list[int] = field(default_factory=list)  # bytes of the first page
    steps: dict[int, int] = field(default_factory=dict)  # of each training
    clients: float = 0  # processor time, seconds
    server: float = 0  # processor time, seconds
    burst_server: float = 0  # of that, during the burst
    others: float = 0  # share of the processors that went to anything else
    burst_others: float = 0  # the same, during the burst
    memory_first: int = 0  # resident memory after the first page, bytes
    memory: int = 0  # most resident memory, bytes
    memory_before: int = 0  # the same before the burst


@dataclass
class Table:
    """What is printed: name, value, target and whether it was met."""

    lines: list[tuple[str, str, str, bool | None]] = field(default_factory=list)

    def add(self, name: str, value: str, target: str = "", met: bool | None = None) -> None:
        self.lines.append((name, value, target, met))

    def show(self) -> bool:
        """Print the table; return whether all targets are met."""
        for name, value, target, met in self.lines:
            verdict = {None: "", True: "met", False: "MISSED"}[met]
            print(f"{name:48}{value:>30}  {target:20}{verdict}")
        return all(met is not False for *_, met in self.lines)


def main() -> int:
    """Measure, print, and return 0 if all targets are met."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--visitors", type=int, default=200, help="0 leaves the crowd out (default: 200)")
    arguments.add_argument("--uploads", type=int, default=50, help="visitors who upload (default: 50)")
    arguments.add_argument("--photos", type=int, default=500, help="of the long visit; 0 leaves it out (default: 500)")
    arguments.add_argument("--large", action="store_true", help="photos of 12 megapixels, not 2")
    arguments.add_argument("--training", action="store_true", help="one visitor trains all the while")
    arguments.add_argument("--loop", type=int, default=0, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.loop:
        print(*run_loop(options.loop, options.large))
        return 0
    table = Table()
    table.add("processors", str(os.cpu_count()))
    with tempfile.TemporaryDirectory() as folder:
        if options.visitors:
            alone = run_loop_alone(max(options.uploads, 1), options.large)
            log = Path(folder) / "crowd.log"
            with serving(log) as server:
                uploads = min(options.uploads, options.visitors)
                notes = asyncio.run(run_crowd(server, options.visitors, uploads, options.large, options.training))
            alone = max(alone, run_loop_alone(max(options.uploads, 1), options.large))
            fill_table(table, notes, options.visitors, alone, log, MEMORY[options.large])
        if options.photos:
            with serving(Path(folder) / "visit.log") as server:
                fill_memory_rows(table, asyncio.run(run_long_visit(server, options.photos, options.large)))
    return 0 if table.show() else 1


def photo(seed: int, width: int = 1600, height: int = 1200) -> bytes:
    """A JPEG with soft areas, edges and grain; no two seeds give the same."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for cells, strength, mode in ((6, 70, Image.Resampling.NEAREST), (40, 40, Image.Resampling.BICUBIC), (400, 12, 2)):
        noise = rng.integers(0, 256, (cells * 3 // 4, cells, 3), dtype=np.uint8)
        total += strength * (np.asarray(Image.fromarray(noise).resize((width, height), mode), np.float32) / 128 - 1)
    file = io.BytesIO()
    Image.fromarray(np.clip(128 + total, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def run_loop(count: int, large: bool) -> tuple[float, float]:
    """A plain loop that computes what the page does for an upload, once: both models look, and every upsampling.

    Returns:
        Photos per second; seconds of processor time for a photo.
    """
    from fcn.model import zoo
    from fcn.model.segmenter import Segmenter
    from fcn.model.upsampling import UPSAMPLINGS
    from fcn.photos.images import decode_light, shrink
    from fcn.pictures import render
    from fcn.quality import suits
    from fcn.ui.compute import BLAS_THREADS

    threadpool_limits(BLAS_THREADS, "blas")
    segmenters = {name: Segmenter.load(name) for name in zoo.names()}
    cards = {name: segmenter.card for name, segmenter in segmenters.items()}
    photos = [photo(seed, *SIZES[large]) for seed in range(count + 3)]
    start = own = 0.0
    for number, data in enumerate(photos):
        if number == 3:  # the first ones warm up
            start, own = time.perf_counter(), time.process_time()
        pixels = shrink(decode_light(data, "photo.jpg"))
        scores = {name: segmenter.score(pixels) for name, segmenter in segmenters.items()}
        verdict = suits.judge({name: suits.features(scores[name], cards[name]) for name in cards}, cards)
        for upsampling in UPSAMPLINGS:
            segmenters[verdict.model].upsample(scores[verdict.model], 32, upsampling, confidence=True)
        render.jpeg(pixels)
    return count / (time.perf_counter() - start), (time.process_time() - own) / count


def run_loop_alone(count: int, large: bool) -> tuple[float, float]:
    """Run `run_loop` in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.load", "--loop", str(count)] + ["--large"] * large
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if run.returncode:
        sys.exit(run.stderr)
    rate, seconds = map(float, run.stdout.split()[-2:])
    return rate, seconds


async def run_crowd(server: Server, visitors: int, uploads: int, large: bool, training: bool = False) -> Notes:
    """Let the visitors come, act and stay; at the end `uploads` of them upload another photo all at once."""
    notes = Notes()
    trainer = asyncio.create_task(keep_training(server, notes)) if training else None
    photos = [photo(seed, *SIZES[large]) for seed in range(2 * uploads)]
    random.seed(0)
    pages = [Visitor(server.url, patience=PATIENCE) for _ in range(visitors)]
    uploaders = dict(zip(random.sample(range(visitors), uploads), photos[:uploads], strict=True))
    async with Visitor(server.url, patience=PATIENCE) as first:
        await first.run()
        notes.memory_first = read_memory(server, "VmRSS")
    whole = Meter(server)
    async with asyncio.timeout(BOUND):
        visits = [visit(page, ARRIVAL * n / visitors, uploaders.get(n), notes) for n, page in enumerate(pages)]
        fine = await asyncio.gather(*visits)
        notes.served = sum(fine)
        notes.memory_before, during = read_memory(server, "VmHWM"), Meter(server)
        able = [pages[n] for n in uploaders if fine[n]]
        burst = [attempt(time_action(page.upload(f"{n}.jpg", photos[uploads + n]), notes.burst), notes)
                 for n, page in enumerate(able)]  # fmt: skip
        others = [page for n, page in enumerate(pages) if fine[n] and n not in uploaders]
        bystander = asyncio.create_task(keep_switching(others[0], notes)) if others else None
        await asyncio.gather(*burst)
        notes.burst_server, _, notes.burst_others = during.read()
        if bystander:
            bystander.cancel()
            await asyncio.gather(bystander, return_exceptions=True)
        notes.server, notes.clients, notes.others = whole.read()
        notes.memory = read_memory(server, "VmHWM")
        if trainer:
            trainer.cancel()
            await asyncio.gather(trainer, return_exceptions=True)
        await asyncio.gather(*(page.disconnect() for page in pages))
    return notes


async def visit(page: Visitor, wait: float, own: bytes | None, notes: Notes) -> bool:
    """One visit: open the page, look, use the switches, upload a photo. Returns whether all went well."""
    await asyncio.sleep(wait)
    return await attempt(_visit(page, own, notes), notes)


async def _visit(page: Visitor, own: bytes | None, notes: Notes) -> None:
    seen: set[str] = set()

    async def open_page() -> None:
        await page.connect()
        await page.run()

    await time_action(open_page(), notes.first)
    notes.page.append(page.received + await fetch_pictures(page, seen))
    for number, choices in enumerate(ACTIONS):
        await asyncio.sleep(random.uniform(*PAUSE))
        if number == 2 and own is not None:
            await time_action(page.upload("own.jpg", own), notes.uploads)
            await fetch_pictures(page, seen)
            await asyncio.sleep(random.uniform(*PAUSE))
        await time_action(page.pick(**choices), notes.switches)
        await fetch_pictures(page, seen)


async def keep_switching(page: Visitor, notes: Notes) -> None:
    """Use the switch once a second for ever."""
    for number in range(1000):
        upsampling = ("transposed", "bilinear")[number % 2]
        await attempt(time_action(page.pick(upsampling=upsampling), notes.burst_switches), notes)
        await asyncio.sleep(1)


async def keep_training(server: Server, notes: Notes) -> None:
    """Train one run after another for ever."""
    for draw in range(1, 100):
        async with Visitor(server.url, f"learn_draw={draw}", "learn", PATIENCE) as page:
            await attempt(page.run(), notes)
            while True:
                state = await page.train(STEPS)
                notes.steps[draw] = state["step"]
                if state["trouble"] or state["done"]:
                    break
                await asyncio.sleep(0.5)


async def fetch_pictures(page: Visitor, seen: set[str]) -> int:
    """Fetch the new pictures of the page, as a browser does, and return their size in bytes."""
    shown = [one.url for element in page.elements.values() for one in element.imgs.imgs]
    new = dict.fromkeys(url for url in shown if url not in seen)
    seen.update(new)
    return sum([len((await page.request("GET", url)).body) for url in new])


async def time_action(action: Awaitable[None], spans: list[Span]) -> None:
    """Note the time of an action if it succeeds."""
    start = time.perf_counter()
    await action
    spans.append((start, time.perf_counter()))


async def attempt(action: Awaitable[None], notes: Notes) -> bool:
    """Note an error if there is one; return whether there was none."""
    try:
        await action
    except LiveError as error:
        notes.errors.append(str(error))
        return False
    return True


async def run_long_visit(server: Server, photos: int, large: bool) -> dict[int, int]:
    """Let one visitor upload one photo after another: number of photos so far -> resident memory in bytes."""
    found = {}
    async with asyncio.timeout(BOUND), Visitor(server.url, patience=PATIENCE) as page:
        await page.run()
        for number in range(1, photos + 1):
            await page.upload(f"{number}.jpg", photo(10_000 + number, *SIZES[large]))
            if number in PROBES or number == photos:
                found[number] = read_memory(server, "VmRSS")
    return found


def fill_table(table: Table, notes: Notes, visitors: int, alone: tuple[float, float], log: Path, memory: float) -> None:
    """Put what the crowd saw into the table; `alone` is from `run_loop`, `memory` the most bytes allowed."""
    for error in dict.fromkeys(notes.errors):
        print(f"{notes.errors.count(error)} x {error}", file=sys.stderr)
    traces = log.read_text(errors="replace").count("Traceback")
    during = [span for span in notes.switches if any(overlap(span, upload) for upload in notes.uploads)]
    table.add("visitors served", f"{notes.served} of {visitors}", "all", notes.served == visitors)
    table.add("errors: of visitors, in the server's log", f"{len(notes.errors)}, {traces}", "none",
              not notes.errors and not traces)  # fmt: skip
    table.add("first result, p50 / p95", format_quantiles(notes.first))
    table.add(f"switch, p50 / p95 of {len(notes.switches)}", format_quantiles(notes.switches))
    table.add(f"switch during an upload, p50 / p95 of {len(during)}", format_quantiles(during), "p95 < 1 s",
              not during or quantile(during, 95) < 1)  # fmt: skip
    table.add("upload to result, p50 / p95", format_quantiles(notes.uploads))
    table.add("the same, all at once", format_quantiles(notes.burst))
    table.add("switch meanwhile, p50 / p95", format_quantiles(notes.burst_switches))
    if notes.steps:
        table.add("steps trained meanwhile", str(sum(notes.steps.values())), "some", sum(notes.steps.values()) > 0)
    table.add("resident memory after the first page", f"{notes.memory_first / MIB:.0f} MiB")
    table.add(
        "peak resident memory of the server",
        f"{notes.memory / MIB:.0f} MiB",
        f"< {memory / 1e9:g} GB",
        notes.memory < memory,
    )
    table.add("the same before the uploads all at once", f"{notes.memory_before / MIB:.0f} MiB")
    if notes.page:
        table.add("first page over the wire, pictures included", f"{np.median(notes.page) / 1000:.0f} kB")
    rate = 0.0
    if notes.burst:
        rate = len(notes.burst) / (max(end for _, end in notes.burst) - min(start for start, _ in notes.burst))
    table.add("uploads all at once", f"{rate:.2f} photos/s")
    table.add("a plain loop over as many photos, alone", f"{alone[0]:.2f} photos/s")
    table.add("ratio", f"{rate / alone[0]:.2f}", ">= 0.8", rate / alone[0] >= 0.8)
    spent_each = notes.burst_server / max(len(notes.burst), 1)
    table.add("processor time of a photo: all at once, loop", f"{1000 * spent_each:.0f} ms, {1000 * alone[1]:.0f} ms")
    table.add("processor time: server, all visitors together", f"{notes.server:.1f} s, {notes.clients:.1f} s")
    shares = f"{notes.others:.0%}, {notes.burst_others:.0%}"
    table.add("taken by anything else: all the time, all at once", shares)


def fill_memory_rows(table: Table, found: dict[int, int]) -> None:
    """Put the memory of the long visit into the table."""
    for number, size in found.items():
        table.add(f"resident memory after {number} photos of one visitor", f"{size / MIB:.0f} MiB")
    growth = found[max(found)] / found[min(found)] - 1
    table.add(f"growth from {min(found)} to {max(found)} photos", f"{growth:+.1%}", "within 10%", abs(growth) <= 0.1)


def overlap(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def quantile(spans: list[Span], percent: float) -> float:
    return float(np.percentile([end - start for start, end in spans], percent))


def format_quantiles(spans: list[Span]) -> str:
    return f"{quantile(spans, 50):.2f} s / {quantile(spans, 95):.2f} s" if spans else "none"


def find_processes(server: Server) -> list[Path]:
    """Folders in /proc of the server's process and its descendants, without that of Keras."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has just ended
            continue
    found = [server.process.pid]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return [folder for folder in (Path(f"/proc/{pid}") for pid in found) if not _is_keras(folder)]


def _is_keras(folder: Path) -> bool:
    """Whether a process is the one that trains: it comes and goes, and has limits of its own."""
    return b"keras_questions" in (folder / "cmdline").read_bytes()


def read_memory(server: Server, name: str) -> int:
    """Resident memory of the server in bytes: VmRSS now, VmHWM at its peak."""
    texts = [(folder / "status").read_text() for folder in find_processes(server)]
    return sum(1024 * int(text.partition(f"{name}:")[2].split()[0]) for text in texts)


def read_processor_seconds(server: Server) -> float:
    """Processor time of the server so far, seconds."""
    fields = [(folder / "stat").read_text().rpartition(")")[2].split() for folder in find_processes(server)]
    return sum(int(field[11]) + int(field[12]) for field in fields) / os.sysconf("SC_CLK_TCK")


class Meter:
    """Who uses the processors from now on."""

    def __init__(self, server: Server):
        self._server = server
        self._start = self._read_totals()

    def _read_totals(self) -> tuple[float, float, float, float]:
        """Seconds so far: of the server, of this process, of all processes of the machine, and on the clock."""
        user, nice, system, _, _, interrupts, soft, *_ = map(int, Path("/proc/stat").read_text().split()[1:11])
        busy = (user + nice + system + interrupts + soft) / os.sysconf("SC_CLK_TCK")
        return read_processor_seconds(self._server), time.process_time(), busy, time.perf_counter()

    def read(self) -> tuple[float, float, float]:
        """Processor time of the server and of the visitors, seconds; share of the processors that others took."""
        server, clients, busy, clock = (
            now - start for now, start in zip(self._read_totals(), self._start, strict=True)
        )
        return server, clients, (busy - server - clients) / (clock * (os.cpu_count() or 1))


if __name__ == "__main__":
    sys.exit(main())
