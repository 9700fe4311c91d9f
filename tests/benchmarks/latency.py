"""How much the whole path costs beside the bare network, and what a switch of the upsampling costs.

    python -m tests.benchmarks.latency

Prints medians, each step on its own, and two promises with the ratios measured; exits 1 if one is broken. The steps
take turns, so whatever else the machine is doing slows all of them alike: read the ratios, not the milliseconds.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from PIL import Image

from fcn.model import zoo
from fcn.model.segmenter import Segmentation, Segmenter
from fcn.photos.images import decode, network_input
from fcn.pictures import render
from fcn.scenes.scene import render_scene

WIDTH, HEIGHT, OPACITY = 480, 360, 0.65
END_TO_END, SWITCH = 1.5, 0.3  # the promises


def main() -> int:
    """Measure, print, and return 0 if both promises hold."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--model", default=zoo.names()[0], choices=zoo.names())
    arguments.add_argument("--repeats", type=int, default=40, help="rounds, after five to warm up (default: 40)")
    options = arguments.parse_args()
    times = measure(actions(Segmenter.load(options.model)), options.repeats)
    medians = {name: statistics.median(values) for name, values in times.items()}
    show(medians, options)
    end_to_end = statistics.median(np.divide(times["end to end"], times["bare network"]))
    switch = statistics.median(np.divide(times["switch"], times["end to end"]))
    kept = [
        promise("end to end, JPEG bytes to labels PNG, in units of the bare network", end_to_end, END_TO_END),
        promise("switch of the upsampling, in units of the first run", switch, SWITCH),
    ]
    return 0 if all(kept) else 1


def actions(segmenter: Segmenter) -> dict[str, Callable[[], Any]]:
    """What is timed, by name: the three that the promises are about, and the steps that they are made of."""
    file = photo_file()
    pixels = decode(file).pixels
    ready = network_input(pixels).array  # (1, 384, 480, 3)
    scores = segmenter.score(pixels)
    labels = segmenter.upsample(scores).labels
    picture = render.overlay(pixels, labels, segmenter.card.palette, OPACITY)

    def end_to_end() -> bytes:
        return drawn(segmenter.upsample(segmenter.score(decode(file).pixels)))

    def drawn(found: Segmentation) -> bytes:
        """The page lays labels over the photo in the browser; what the server makes for it is the labels."""
        return render.labels_png(found.labels, segmenter.card.palette)

    def bare() -> dict[int, np.ndarray]:
        return {stride: np.asarray(scores) for stride, scores in segmenter._network(ready).items()}

    return {
        "bare network": bare,
        "end to end": end_to_end,
        "switch": lambda: drawn(segmenter.upsample(scores, 32, "transposed")),
        "switch back": lambda: drawn(segmenter.upsample(scores, 32, "bilinear")),
        "  decode": lambda: decode(file),
        "  resize, pad": lambda: network_input(pixels),
        "  network": lambda: segmenter.score(pixels),
        "  upsample, argmax": lambda: segmenter.upsample(scores),
        "  labels PNG": lambda: render.labels_png(labels, segmenter.card.palette),
        "(overlay, on download)": lambda: render.overlay(pixels, labels, segmenter.card.palette, OPACITY),
        "(overlay PNG, likewise)": lambda: render.png(picture),
    }


def photo_file() -> bytes:
    """A street scene of 480 x 360 pixels as JPEG."""
    file = io.BytesIO()
    Image.fromarray(render_scene(24).photo).resize((WIDTH, HEIGHT)).save(file, "JPEG", quality=90)
    return file.getvalue()


def measure(timed: dict[str, Callable[[], Any]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each action, `repeats` times, in an order drawn anew each round."""
    times: dict[str, list[float]] = {name: [] for name in timed}
    for round_ in range(-5, repeats):
        for name, action in random.sample(list(timed.items()), len(timed)):
            start = time.perf_counter()
            action()
            if round_ >= 0:
                times[name].append(time.perf_counter() - start)
    return times


def show(medians: dict[str, float], options: argparse.Namespace) -> None:
    """Print the table."""
    print(f"model {options.model}, photo {WIDTH} x {HEIGHT}, median of {options.repeats} rounds")
    print(f"{'':24}{'ms':>8}{'of bare network':>18}")
    for name, seconds in medians.items():
        print(f"{name:24}{1000 * seconds:8.1f}{seconds / medians['bare network']:18.2f}")


def promise(what: str, ratio: float, limit: float) -> bool:
    """Print a promise and whether it holds."""
    holds = ratio <= limit
    print(f"{'kept  ' if holds else 'BROKEN'} {what}: {ratio:.2f} (at most {limit})")
    return holds


if __name__ == "__main__":
    sys.exit(main())
