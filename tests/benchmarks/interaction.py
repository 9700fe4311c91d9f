"""What a visitor waits for and loads: the server's time for a switch, traffic while pointing, bytes of the first page.

    python -m tests.benchmarks.interaction

Starts the app and a browser on this machine, which share its processors. Prints one table and exits with 1 if a target
is missed. A switch takes from the first message that the browser sends to the last that it gets, by its own clock.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from playwright.sync_api import Page, sync_playwright

from fcn.model.network import STRIDES
from fcn.ui.parts import UPSAMPLING_TITLES
from tests.benchmarks.load import Table
from tests.support.browsing import Frame, Wire, canvas, choose, find_browser, launch, open_page, point, visiting
from tests.support.live import serving

SWITCH = 150  # milliseconds
WEIGHT = 3_000_000  # bytes
QUIET = 300  # milliseconds without a message, after which a switch is over
WARMING = 6  # switches that are not counted


def main() -> int:
    """Measure, print, and return 0 if all targets are met."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--repeats", type=int, default=20, help="of each switch (default: 20)")
    options = arguments.parse_args()
    path = find_browser()
    if path is None:
        print("No chromium is installed.", file=sys.stderr)
        return 1
    table = Table()
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        serving(Path(folder) / "log.txt") as server,
    ):
        browser = launch(playwright, path)
        with visiting(browser, server.url) as page:
            open_page(page)  # the server loads its models
        with visiting(browser, server.url) as page:
            wire = Wire(page)
            open_page(page)
            page.wait_for_load_state("networkidle")
            measure_weight(table, wire)
            measure_switches(table, page, wire, options.repeats)
            measure_hover(table, page, wire)
        browser.close()
    return 0 if table.show() else 1


def measure_weight(table: Table, wire: Wire) -> None:
    """Put the size of the first page into the table."""
    found = wire.bytes()
    total, own = sum(found.values()), sum(found.values()) - wire.bundle()
    for name, size in found.items():
        table.add(f"first page, cold: {name}", f"{size / 1000:.0f} kB")
    table.add("first page, cold: what this app adds", f"{own / 1000:.0f} kB", "< 3 MB", own < WEIGHT)
    table.add("first page, cold: all, uncompressed as Streamlit", f"{total / 1000:.0f} kB")


def measure_switches(table: Table, page: Page, wire: Wire, repeats: int) -> None:
    """Time the switches, each on another score map than the one before: the browser keeps what it has just received."""
    seen: dict[str, list[list[Frame]]] = {"network": [], "upsampling": []}
    for number in range(-WARMING, repeats):
        stride = STRIDES[number % len(STRIDES)]
        upsampling, title = list(UPSAMPLING_TITLES.items())[number % 2]
        actions = {
            "network": partial(choose, page, "stride", str(stride), f"{stride}$"),
            "upsampling": partial(choose, page, "upsampling", title, upsampling),
        }
        for name, action in actions.items():
            frames = record_messages(page, wire, action)
            if number >= 0:
                seen[name].append(frames)
    for name, target in (("upsampling", SWITCH), ("network", None)):
        spans = [1000 * (max(one.time for one in frames) - min(one.time for one in frames)) for frames in seen[name]]
        received = [sum(one.size for one in frames if not one.sent) for frames in seen[name]]
        median, late = np.percentile(spans, 50), np.percentile(spans, 95)
        wanted = "" if target is None else f"median < {target} ms"
        met = None if target is None else bool(median < target)
        table.add(f"switch of the {name}, median / p95 of {repeats}", f"{median:.0f} ms / {late:.0f} ms", wanted, met)
        table.add(f"switch of the {name}, received", f"{np.median(received) / 1000:.0f} kB")


def measure_hover(table: Table, page: Page, wire: Wire) -> None:
    """Move over the pictures and put the number of messages meanwhile into the table."""

    def move() -> None:
        for index in range(3):
            canvas(page, index).scroll_into_view_if_needed()
            for x in range(0, 480, 16):
                page.mouse.move(*point(page, index, x, 0.7 * x))

    count = len(record_messages(page, wire, move))
    table.add("messages while pointing at 90 pixels", str(count), "none", count == 0)


def record_messages(page: Page, wire: Wire, action: Callable[[], None]) -> list[Frame]:
    """Carry out an action and return the messages exchanged until all is quiet."""
    start = len(wire.frames)
    action()
    before = -1
    while before != len(wire.frames):
        before = len(wire.frames)
        page.wait_for_timeout(QUIET)
    return wire.frames[start:]


if __name__ == "__main__":
    sys.exit(main())
