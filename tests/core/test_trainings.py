"""Training for visitors: one at a time, a line, shared results, limits; a process that dies ends in a sentence."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from fcn.compute import trainings as module
from fcn.compute.keras_process import KerasProcess
from fcn.compute.learning import STEPS, Settings
from fcn.compute.trainings import Run, Trainings
from fcn.errors import ModelError

ONE, OTHER = Settings(), Settings(start="bilinear")


class FakeKeras:
    """Answers as Keras' process does, without training; `before` is called before each answer."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.steps: dict[str, int] = {}
        self.before: Callable[[str], None] = lambda question: time.sleep(0.005)
        self.seconds = 0.01

    def load(self) -> None:
        self.ask("load", {"run": ""})

    def ask(self, question: str, values: dict[str, Any], seconds: float = 0) -> tuple[dict[str, Any], dict[str, Any]]:
        run = values["run"]
        self.asked.append((question, run))
        self.before(question)
        if question == "task":
            return {"goals": {"bilinear": {"miou": 60.0}}}, {"truth": np.zeros((2, 2), np.uint8)}
        if question == "begin":
            self.steps[run] = 0
        elif question == "advance":
            self.steps[run] += values["steps"]
        answer: dict[str, Any] = {"step": self.steps.get(run, 0), "seconds": self.seconds}
        answer |= {"training": 0.1, "measuring": 0.1, "figures": {"loss": 1.0}, "limits": [1.0], "pairs": [[0, 0]]}
        labels, kernels = np.zeros((2, 2), np.uint8), np.zeros((1, 2, 2), np.int8)
        return answer, {"labels": labels, "kernels": kernels, "kernel": np.zeros((2, 2, 1, 1), np.float32)}


@pytest.fixture
def keras() -> FakeKeras:
    return FakeKeras()


@pytest.fixture
def trainings(keras: FakeKeras) -> Trainings:
    return Trainings(keras)  # type: ignore[arg-type]


def wait_until(met: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def test_a_run_goes_as_far_as_somebody_wants(trainings: Trainings, keras: FakeKeras) -> None:
    run = trainings.want("a", ONE, 7)
    wait_until(lambda: run.step == 7 and not run.doing)
    assert [result.step for result in run.results] == [0, 1, 2, 3, 4, 5, 6, 7]
    assert [question for question, _ in keras.asked[:4]] == ["load", "begin", "advance", "task"]
    assert not run.done and not run.waiting
    trainings.want("a", ONE, STEPS)
    wait_until(lambda: run.done)
    assert run.step == STEPS and run.results[-1].step == STEPS


def test_equal_settings_share_a_run(trainings: Trainings, keras: FakeKeras) -> None:
    run = trainings.want("a", ONE, 5)
    wait_until(lambda: run.step == 5)
    count = len(keras.asked)
    assert trainings.want("b", Settings(), 5) is run
    time.sleep(0.05)
    assert len(keras.asked) == count


def test_others_stand_in_line_and_know_their_place(trainings: Trainings, keras: FakeKeras) -> None:
    first = trainings.want("a", ONE, 100)
    second = trainings.want("b", OTHER, 3)
    third = trainings.want("c", Settings(draw=2), 3)
    assert [trainings.place(run) for run in (first, second, third)] == [0, 1, 2]
    wait_until(lambda: first.step >= 4)
    assert not second.results
    trainings.hold("a", ONE)
    wait_until(lambda: second.step == 3 and third.step == 3)
    assert first.step < 100
    order = [run for question, run in keras.asked if question == "advance"]
    assert order == sorted(order)


def test_whoever_leaves_in_the_middle_stops_it(
    trainings: Trainings, keras: FakeKeras, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WATCHED", 0.2)
    keras.before = lambda question: time.sleep(0.05)
    run = trainings.want("a", ONE, STEPS)
    other = trainings.want("b", OTHER, 1)
    end = time.monotonic() + 2
    while time.monotonic() < end and other.step < 1:
        trainings.want("b", OTHER, 1)
        time.sleep(0.02)
    assert other.step == 1 and 0 < run.step < STEPS
    held = run.step
    time.sleep(0.2)
    assert run.step == held


def test_a_run_ends_when_its_time_is_used_up(trainings: Trainings, keras: FakeKeras) -> None:
    keras.seconds = 25
    run = trainings.want("a", ONE, STEPS)
    wait_until(lambda: run.done)
    assert run.step < STEPS and run.seconds >= module.MOST
    wait_until(lambda: not run.doing)
    assert not run.waiting


def test_stop_begins_anew_unless_others_watch(trainings: Trainings) -> None:
    run = trainings.want("a", ONE, 2)
    wait_until(lambda: run.step == 2)
    trainings.want("b", ONE, 2)
    trainings.hold("a", ONE, forget=True)
    assert trainings.look(ONE) is run
    trainings.hold("b", ONE, forget=True)
    assert trainings.look(ONE) is None
    assert trainings.want("a", ONE, 1).step == 0


def test_trouble_is_told_and_the_next_press_begins_anew(trainings: Trainings, keras: FakeKeras) -> None:
    def die(question: str) -> None:
        if question == "advance":
            raise ModelError("Keras does not answer")

    quick, keras.before = keras.before, die
    run = trainings.want("a", ONE, 5)
    wait_until(lambda: bool(run.trouble))
    assert "Keras does not answer" in run.trouble and not run.waiting
    keras.before = quick
    assert trainings.want("a", ONE, 5, press=False) is run, "it must be told before it begins anew"
    again = trainings.want("a", ONE, 2)
    assert again is not run
    wait_until(lambda: again.step == 2)
    assert not again.trouble


def test_an_unforeseen_error_does_not_stop_the_line(trainings: Trainings, keras: FakeKeras) -> None:
    keras.before = lambda question: [][1] if question == "begin" and keras.asked[-1][1] == "1" else None
    run, other = trainings.want("a", ONE, 1), trainings.want("b", OTHER, 1)
    wait_until(lambda: other.step == 1)
    assert run.trouble.startswith("The training failed")


def test_a_bounded_number_of_runs_is_kept(trainings: Trainings) -> None:
    for draw in range(1, 12):
        run = trainings.want("a", Settings(draw=draw), 1)
        wait_until(lambda run=run: run.step == 1 and not run.doing)  # type: ignore[misc]
    assert len(trainings._runs) <= module.KEPT
    assert trainings.look(Settings(draw=11)) is run and trainings.look(Settings(draw=1)) is None


def test_the_thread_ends_when_nobody_waits(trainings: Trainings) -> None:
    run = trainings.want("a", ONE, 1)
    wait_until(lambda: run.step == 1 and trainings._thread is None)
    trainings.want("a", ONE, 2)
    wait_until(lambda: run.step == 2)


# With Keras itself


@pytest.fixture(scope="module")
def real_keras() -> Iterator[KerasProcess]:
    process = KerasProcess()
    yield process
    process.stop()


def want_until(trainings: Trainings, settings: Settings, steps: int, met: Callable[[Run], bool]) -> Run:
    """Ask for a run again and again, as a page does, until a condition is met."""
    end = time.monotonic() + 240
    run = trainings.want("a", settings, steps)
    while not met(run):
        assert time.monotonic() < end, (run.doing, run.step, run.trouble)
        if not run.trouble:
            run = trainings.want("a", settings, steps)
        time.sleep(0.1)
    return run


def test_killed_in_the_middle_it_says_so_and_works_on_the_next_press(real_keras: KerasProcess) -> None:
    trainings, settings = Trainings(real_keras), Settings(pictures=1)
    run = want_until(trainings, settings, 100, lambda run: run.step >= 1)
    assert real_keras.pid
    os.kill(real_keras.pid, signal.SIGKILL)
    run = want_until(trainings, settings, 100, lambda run: bool(run.trouble))
    assert "its process has ended" in run.trouble
    again = want_until(trainings, settings, 1, lambda run: run.step >= 1 and not run.doing)
    assert again is not run and not again.trouble and again.kernel is not None
    assert again.results[1].figures["seen"] < again.results[0].figures["seen"]
    file = real_keras.ask("save", arrays={"kernel": again.kernel})[1]["file"].tobytes()
    assert file[:2] == b"PK"


def test_a_run_that_the_process_has_forgotten_is_told(real_keras: KerasProcess) -> None:
    trainings, settings = Trainings(real_keras), Settings(pictures=1, start="nearest")
    want_until(trainings, settings, 1, lambda run: run.step >= 1 and not run.doing)
    real_keras.stop()
    run = want_until(trainings, settings, 5, lambda run: bool(run.trouble))
    assert "has lost this run" in run.trouble
