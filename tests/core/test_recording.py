"""The recorded runs: the file that is shipped, and that reading gives what was written."""

import lzma
from pathlib import Path

import numpy as np
import pytest

from fcn.compute import recording
from fcn.compute.learning import RESULTS, Result, Settings, Task
from fcn.compute.recording import Recorded, Recording
from fcn.errors import ModelError
from fcn.model import zoo
from fcn.ui.learning import claims


@pytest.fixture(scope="module")
def shipped_recording() -> Recording:
    return recording.read()


def test_the_shipped_file_holds_whole_runs(shipped_recording: Recording) -> None:
    assert {run.name for run in shipped_recording.runs} >= {"zeros", "random", "bilinear", "one"}
    assert recording.FILE.stat().st_size < 900_000
    classes = len(zoo.read_card("street").classes)
    for run in shipped_recording.runs:
        assert [one.step for one in run.results] == list(RESULTS)
        assert run.task.goals.keys() == {"nearest", "bilinear", "transposed"}
        assert run.task.labels.keys() == {"nearest", "bilinear", "transposed", "truth"}
        for one in run.results:
            assert one.labels.shape == (360, 480) and one.labels.max() < classes
            assert one.kernels.shape == (len(run.pairs), 64, 64) and len(one.limits) == len(run.pairs)
            assert 0 <= one.figures["miou"] <= 100 and one.figures["loss"] > 0 and one.figures["seen"] > 0


def test_the_bilinear_run_starts_as_bilinear(shipped_recording: Recording) -> None:
    [run] = [run for run in shipped_recording.runs if run.name == "bilinear"]
    assert run.results[0].figures["miou"] == pytest.approx(run.task.goals["bilinear"]["miou"], abs=0.1)
    assert (run.results[0].labels == run.task.labels["bilinear"]).mean() > 0.999


def test_training_from_zeros_lowers_the_loss(shipped_recording: Recording) -> None:
    [run] = [run for run in shipped_recording.runs if run.name == "zeros"]
    assert run.results[-1].figures["loss"] < run.results[0].figures["loss"] / 5
    assert claims.first_step_above(run, "nearest") is not None


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = make_recording()
    file = tmp_path / "learning.xz"
    file.write_bytes(recording.packed(written))
    found = recording.read(file)
    assert (found.date, found.sha256, found.unseen) == (written.date, written.sha256, written.unseen)
    for one, other in zip(written.runs, found.runs, strict=True):
        assert (one.name, one.title, one.settings, one.pairs) == (other.name, other.title, other.settings, other.pairs)
        assert one.task.goals == other.task.goals
        for first, second in zip(one.results, other.results, strict=True):
            assert (first.step, first.figures, first.limits) == (second.step, second.figures, second.limits)
            np.testing.assert_array_equal(first.labels, second.labels)
            assert second.kernels.dtype == np.int8
            np.testing.assert_allclose(first.kernels.astype(int), second.kernels, atol=5)


@pytest.mark.parametrize("data", [None, b"", b"nonsense", lzma.compress(b"nonsense"), lzma.compress(b"\2\0\0\0{}")])
def test_a_missing_or_broken_file_is_a_sentence(data: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "learning.xz"
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(ModelError, match="record-learning"):
        recording.read(file)


def test_claims_follow_the_figures() -> None:
    """Runs that do the opposite of what one expects are told as they are."""
    usual = "\n".join(claims.sentences(make_recording()))
    assert "Then it overtakes bilinear" in usual and "at step 2" in usual
    assert "Random numbers take longer" in usual and "learns by heart" in usual
    other = "\n".join(claims.sentences(make_recording(miou=(5, 6, 7), late=(70, 71, 72), loss=(3, 2, 1))))
    assert "has not overtaken bilinear after 2 steps" in other and "does not overtake cells" in other
    assert "do not take longer" in other and "One picture is enough here" in other


def make_recording(
    miou: tuple[float, ...] = (5, 55, 65), late: tuple[float, ...] = (2, 20, 55), loss: tuple[float, ...] = (3, 1, 2)
) -> Recording:
    """Small runs with given figures on unseen pictures; `late` is of the one from random numbers."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 11, (4, 6), dtype=np.uint8)
    goals = {upsampling: {"loss": 0.5, "miou": goal, "boundary_f1": goal} for upsampling, goal in GOALS.items()}
    task = Task(goals, dict.fromkeys((*goals, "truth"), labels))

    def run(name: str, settings: Settings, values: tuple[float, ...]) -> Recorded:
        results = tuple(
            Result(
                step,
                {"seen": 3.0 - step, "loss": loss[step], "miou": value, "boundary_f1": value},
                rng.integers(0, 11, (4, 6), dtype=np.uint8),
                rng.integers(-127, 128, (2, 8, 8)).astype(np.int8),
                (1.0, 0.25),
            )
            for step, value in enumerate(values)
        )
        return Recorded(name, name, settings, ((0, 0), (1, 0)), task, results)

    runs = (
        run("zeros", Settings(), miou),
        run("random", Settings(start="random"), late),
        run("bilinear", Settings(start="bilinear"), miou),
        run("one", Settings(pictures=1), miou),
    )
    return Recording(runs, "2025-01-01", "abc", 3)


GOALS = {"nearest": 50.0, "bilinear": 60.0, "transposed": 61.0}
