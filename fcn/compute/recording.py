"""Recorded runs of "Watch it learn": `python -m fcn record-learning` makes them, the page plays them."""

from __future__ import annotations

import datetime
import io
import lzma
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from fcn.compute import messages
from fcn.compute.learning import (
    RESULTS,
    SUITABLE,
    Learner,
    Result,
    Settings,
    Task,
    network,
    pack_kernels,
    shape_channels,
)
from fcn.compute.messages import Arrays, Values
from fcn.errors import ModelError

FILE = Path(__file__).parents[2] / "assets" / "learning.xz"
LEVELS = 15  # of a weight, each way
UNSEEN, SEEN = 16, 8  # pictures that results are measured on


@dataclass(frozen=True, eq=False)
class Recorded:
    """A run that was recorded; attributes as for a run of `fcn.compute.trainings`.

    Attributes:
        name: In links.
        title: On the page.
    """

    name: str
    title: str
    settings: Settings
    pairs: tuple[tuple[int, int], ...]
    task: Task
    results: tuple[Result, ...]


@dataclass(frozen=True, eq=False)
class Recording:
    """All recorded runs, their date, the SHA-256 of the model, and the number of pictures they were measured on."""

    runs: tuple[Recorded, ...]
    date: str
    sha256: str
    unseen: int


def runs_to_record(shape: bool) -> dict[str, tuple[str, Settings]]:
    """The runs to record by name, with a title; `shape` tells whether the model has shape channels."""
    runs = {
        "zeros": ("From zeros", Settings()),
        "random": ("From random numbers", Settings(start="random", rate=SUITABLE["random"])),
        "bilinear": ("From bilinear", Settings(start="bilinear", rate=SUITABLE["bilinear"])),
        "one": ("From zeros, with one picture", Settings(pictures=1)),
    }
    if shape:
        runs["shape"] = ("From zeros, with shape channels", Settings(shape=True, rate=0.01))
    return runs


def record(file: Path = FILE, say: Callable[[str], None] = print, steps: tuple[int, ...] = RESULTS) -> None:
    """Train the runs and write them.

    Args:
        file: To write.
        say: Receives a line for each result.
        steps: After which to measure, ascending, the first 0.
    """
    runs = []
    for name, (title, settings) in runs_to_record(shape_channels("street") > 0).items():
        learner = Learner(settings, unseen=UNSEEN, seen=SEEN)
        task, results = learner.task(), []
        kernels = []
        for step in steps:
            learner.train(step - learner.step)
            results.append(learner.measure())
            kernels.append(np.stack([learner.kernel[:, :, target, source] for source, target in learner.pairs]))
            say(f"{title}, step {step}: {results[-1].figures}; bilinear {task.goals['bilinear']}")
        runs.append(Recorded(name, title, settings, learner.pairs, task, _one_scale(results, np.stack(kernels))))
    recording = Recording(tuple(runs), datetime.date.today().isoformat(), network("street").card.sha256, UNSEEN)
    file.write_bytes(packed(recording))
    say(f"Wrote {file}, {file.stat().st_size / 1000:.0f} kB")


def _one_scale(results: list[Result], kernels: np.ndarray) -> tuple[Result, ...]:
    """Round the kernels (results, P, k, k) on one scale for all results: what does not change then costs no bytes."""
    limits = tuple(float(limit) for limit in np.abs(kernels).max((0, 2, 3)))
    return tuple(
        Result(one.step, one.figures, one.labels, *pack_kernels(kernel, limits))
        for one, kernel in zip(results, kernels, strict=True)
    )


def packed(recording: Recording) -> bytes:
    """The bytes of the file: figures, labels and kernels as one message, compressed with LZMA.

    Kernels are rounded to LEVELS steps in each direction, which look the same as more, and all results of a weight are
    stored side by side: that takes a fifth of the bytes.
    """
    arrays: Arrays = {}
    values: Values = {"date": recording.date, "sha256": recording.sha256, "unseen": recording.unseen, "runs": []}
    for run in recording.runs:
        values["runs"].append(
            {
                "name": run.name,
                "title": run.title,
                "settings": asdict(run.settings),
                "pairs": run.pairs,
                "goals": run.task.goals,
                "results": [[one.step, one.figures, one.limits] for one in run.results],
            }
        )
        arrays[f"{run.name}_labels"] = np.stack([one.labels for one in run.results])
        kernels = np.stack([one.kernels for one in run.results], axis=-1)  # (P, k, k, results)
        arrays[f"{run.name}_kernels"] = np.rint(kernels * (LEVELS / 127)).astype(np.int8)
        arrays |= {f"by_{upsampling}_{run.settings.stride}": labels for upsampling, labels in run.task.labels.items()}
    file = io.BytesIO()
    messages.write(file, values, arrays)
    return lzma.compress(file.getvalue(), preset=9)


def read(file: Path = FILE) -> Recording:
    """Read the recorded runs.

    Raises:
        ModelError: The file is missing or broken.
    """
    try:
        with lzma.open(file) as stream:
            values, arrays = messages.read(stream)
        runs = tuple(_run(run, arrays) for run in values["runs"])
        return Recording(runs, values["date"], values["sha256"], values["unseen"])
    except (OSError, lzma.LZMAError, EOFError, KeyError, ValueError, TypeError) as error:
        raise ModelError(
            f"The recorded runs in {file.name} cannot be read. Record them again: python -m fcn record-learning"
        ) from error


def _run(run: Values, arrays: Arrays) -> Recorded:
    settings = Settings(**run["settings"])
    labels = {upsampling: arrays[f"by_{upsampling}_{settings.stride}"] for upsampling in (*run["goals"], "truth")}
    kernels = np.rint(np.moveaxis(arrays[f"{run['name']}_kernels"], -1, 0) * (127 / LEVELS)).astype(np.int8)
    results = tuple(
        Result(step, figures, arrays[f"{run['name']}_labels"][index], kernels[index], tuple(limits))
        for index, (step, figures, limits) in enumerate(run["results"])
    )
    pairs = tuple((source, target) for source, target in run["pairs"])
    return Recorded(run["name"], run["title"], settings, pairs, Task(run["goals"], labels), results)
