"""Training for visitors: one run at a time, a queue for the others, results shared by equal settings.

A run continues while somebody watches: each look of a visitor counts for a few seconds. When a visitor leaves, they
stop and the run pauses. Its results are kept, so that the next visitor with the same settings sees them at once.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import asdict, dataclass, field

import numpy as np

from fcn.compute.keras_process import KerasProcess
from fcn.compute.learning import RESULTS, STEPS, Result, Settings
from fcn.compute.messages import Arrays, Values
from fcn.errors import ModelError
from fcn.photos.images import Labels

MOST = 60.0  # seconds of computing for a run
WATCHED = 5.0  # seconds for which a look counts
KEPT = 6  # runs whose results are kept
PATIENCE = 60.0  # seconds for a few steps, on a busy machine
CHUNK = 4  # most steps between two answers, so that the time left can be shown and others get answers too


@dataclass(eq=False)
class Run:
    """A run and its results so far.

    Attributes:
        settings: Of the run.
        number: Tells it from an earlier run of the same settings.
        results: So far, the first before any step.
        pairs: The pairs of channels whose kernels are shown.
        goals: Figures to beat, by upsampling, as in `Task`; empty until the first step, which is shown sooner.
        labels: Of the scene that is shown, by upsampling, and "truth".
        kernel: (2 stride, 2 stride, C, K) float32, after the last result.
        step: Steps so far.
        target: The step up to which somebody wants it to continue.
        seconds: Computing time so far, without waiting for a processor that others use.
        training: Seconds on the clock that the steps took.
        measuring: Seconds on the clock that the last result took.
        doing: The current activity in words; "" if there is none.
        trouble: Why it ended too early, in a sentence; "" if it did not.
        watchers: Visitor -> until when that visitor watches.
    """

    settings: Settings
    number: int
    results: list[Result] = field(default_factory=list)
    pairs: tuple[tuple[int, int], ...] = ()
    goals: dict[str, dict[str, float]] = field(default_factory=dict)
    labels: dict[str, Labels] = field(default_factory=dict)
    kernel: np.ndarray | None = None
    step: int = 0
    target: int = 0
    seconds: float = 0.0
    training: float = 0.0
    measuring: float = 0.0
    doing: str = ""
    trouble: str = ""
    watchers: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name in Keras' process."""
        return f"{self.number}"

    @property
    def done(self) -> bool:
        """Whether it goes no further."""
        return self.step >= STEPS or self.seconds >= MOST

    @property
    def waiting(self) -> bool:
        """Whether it should continue as soon as it is its turn."""
        open_ = not self.results or (self.step < self.target and not self.done)
        return open_ and not self.trouble and any(until > time.monotonic() for until in self.watchers.values())

    @property
    def seconds_left(self) -> float:
        """Estimated seconds left."""
        if not self.step:
            return MOST
        results = sum(step > self.step for step in RESULTS)
        left = (STEPS - self.step) * self.training / self.step + results * self.measuring
        return max(0.0, min(left, MOST - self.seconds))


class Trainings:
    """All runs of a server."""

    def __init__(self, keras: KerasProcess):
        self._keras = keras
        self._runs: OrderedDict[Settings, Run] = OrderedDict()  # the most recently requested last
        self._line: list[Run] = []  # the waiting runs; the first one is being trained
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._numbers = 0

    def want(self, visitor: str, settings: Settings, steps: int, press: bool = True) -> Run:
        """Let a run continue; to keep it going, repeat this within WATCHED seconds.

        Args:
            visitor: Who wants it.
            settings: Of the run; a new one begins if there is none.
            steps: Up to this step.
            press: Whether the visitor has just pressed a button: then a run that ended in trouble starts again.
        """
        with self._lock:
            run = self._runs.get(settings)
            if run is not None and run.trouble and not press:
                return run
            if run is None or run.trouble:
                self._numbers += 1
                run = self._runs[settings] = Run(settings, self._numbers)
            self._runs.move_to_end(settings)
            for other in list(self._runs.values()):
                if len(self._runs) > KEPT and not other.waiting and other is not run:
                    del self._runs[other.settings]
            run.watchers[visitor] = time.monotonic() + WATCHED
            run.target = max(run.target, steps)
            if run.waiting and run not in self._line:
                self._line.append(run)
            if self._line and self._thread is None:
                self._thread = threading.Thread(target=self._work, name="trainings", daemon=True)
                self._thread.start()
            return run

    def look(self, settings: Settings) -> Run | None:
        """The run of these settings, if there is one."""
        return self._runs.get(settings)

    def hold(self, visitor: str, settings: Settings, forget: bool = False) -> None:
        """Pause a run, unless others watch it.

        Args:
            visitor: Who pauses it.
            settings: Of the run.
            forget: Drop its results, too.
        """
        with self._lock:
            if run := self._runs.get(settings):
                run.watchers.pop(visitor, None)
                if not any(until > time.monotonic() for until in run.watchers.values()):
                    run.target = run.step
                    if forget:
                        del self._runs[settings]

    def place(self, run: Run) -> int:
        """How many runs are ahead of this one; 0 when it is its turn."""
        with self._lock:
            return self._line.index(run) if run in self._line else 0

    def _work(self) -> None:
        """Advance the first run in the queue until it pauses, then the next; end when none is waiting."""
        while True:
            with self._lock:
                self._line = [run for run in self._line if run.waiting]
                if not self._line:
                    self._thread = None
                    return
                run = self._line[0]
            try:
                self._advance(run)
            except ModelError as error:
                run.trouble = str(error)
            except Exception as error:  # the thread must not end: others are waiting
                run.trouble = f"The training failed: {error}"
            run.doing = ""

    def _advance(self, run: Run) -> None:
        if not run.results:
            run.doing = "Loading Keras"
            self._keras.load()
            run.doing = "Drawing the first scenes"
            values, arrays = self._ask("begin", {"run": run.name, "settings": asdict(run.settings)})
            run.pairs = tuple((source, target) for source, target in values["pairs"])
            self._take(run, values, arrays)
            return
        if run.step and not run.goals:
            run.doing = "Measuring cells and bilinear interpolation on the same scenes"
            values, run.labels = self._ask("task", {"run": run.name})
            run.goals = values["goals"]
        run.doing = "Training"
        result = next(step for step in (*RESULTS, STEPS) if step > run.step)
        until = min(result, run.target, run.step + CHUNK)
        if until <= run.step:  # nobody wants more steps any longer
            return
        measure = until in (result, run.target)
        values, arrays = self._ask("advance", {"run": run.name, "steps": until - run.step, "measure": measure})
        run.step = values["step"]
        run.seconds += values["seconds"]
        run.training += values["training"]
        if measure:
            run.measuring = values["measuring"]
        if measure:
            self._take(run, values, arrays)

    def _ask(self, question: str, values: Values) -> tuple[Values, Arrays]:
        answer, arrays = self._keras.ask(question, values, seconds=PATIENCE)
        if answer.get("forgotten"):
            raise ModelError("Keras has lost this run: its process ended. Press Play to start it again.")
        return answer, arrays

    def _take(self, run: Run, values: Values, arrays: Arrays) -> None:
        """Keep a result."""
        limits = tuple(values["limits"])
        run.kernel = arrays["kernel"]
        run.results.append(Result(values["step"], values["figures"], arrays["labels"], arrays["kernels"], limits))
