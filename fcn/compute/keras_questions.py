"""The other side of `fcn.compute.keras_process`: waits for questions on stdin, answers on stdout, until stdin ends."""

from __future__ import annotations

import os
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import numpy as np

from fcn.compute import messages
from fcn.compute.learning import Learner, Settings, save_layer
from fcn.compute.messages import Arrays, Values

MEMORY = 3 * 1024**3  # bytes that the process may write to; what it uses is less than half
POLITE = 10  # how far the priority is lowered
KEPT = 3  # runs that can be continued

Answer = tuple[Values, Arrays]
FORGOTTEN: Values = {"forgotten": True}
_learners: OrderedDict[str, Learner] = OrderedDict()  # by run, the one that trained last at the end


def load() -> Answer:
    """Import Keras, so that the next question is quick."""
    import keras

    return {"version": keras.__version__}, {}


def transposed(stride: int, scores: np.ndarray, kernel: np.ndarray) -> Answer:
    """What Keras gives; arguments and result as for `KerasProcess.transposed`."""
    import keras

    layer = keras.layers.Conv2DTranspose(1, len(kernel), stride, padding="same", use_bias=False)
    layer.build((None, None, None, 1))
    layer.kernel.assign(kernel.astype(np.float32)[:, :, np.newaxis, np.newaxis])  # (k, k, 1, 1)
    full = layer(scores.astype(np.float32)[np.newaxis, :, :, np.newaxis])
    return {}, {"full": np.asarray(keras.ops.convert_to_numpy(full))[0, :, :, 0]}


def begin(run: str, settings: Values) -> Answer:
    """Begin a run and measure it before the first step."""
    learner = _learners[run] = Learner(Settings(**settings))
    while len(_learners) > KEPT:
        _learners.popitem(last=False)
    values, arrays = _packed(learner)
    return values | {"pairs": learner.pairs}, arrays


def task(run: str) -> Answer:
    """What a run is measured against."""
    if run not in _learners:
        return FORGOTTEN, {}
    learner_task = _learners[run].task()
    return {"goals": learner_task.goals}, learner_task.labels


def advance(run: str, steps: int, measure: bool) -> Answer:
    """Make steps of a run, and measure it after them."""
    if run not in _learners:
        return FORGOTTEN, {}
    _learners.move_to_end(run)
    learner, start, used = _learners[run], time.perf_counter(), time.process_time()
    learner.train(steps)
    trained = time.perf_counter()
    values, arrays = _packed(learner) if measure else ({"step": learner.step}, {})
    measured = time.perf_counter()
    # Processor time used by others does not count.
    seconds = min(measured - start, time.process_time() - used)
    return values | {"training": trained - start, "measuring": measured - trained, "seconds": seconds}, arrays


def save(kernel: np.ndarray) -> Answer:
    """The bytes of a .keras file that holds the layer with this kernel."""
    return {}, {"file": np.frombuffer(save_layer(kernel), np.uint8)}


def _packed(learner: Learner) -> Answer:
    values = asdict(learner.measure())
    arrays = {name: values.pop(name) for name in ("labels", "kernels")}
    return values, arrays | {"kernel": learner.kernel}


QUESTIONS: dict[str, Callable[..., Answer]] = {
    "load": load,
    "transposed": transposed,
    "begin": begin,
    "task": task,
    "advance": advance,
    "save": save,
}


def main() -> None:
    """Answer questions until stdin ends."""
    step_back()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get between the answers
    while True:
        try:
            values, arrays = messages.read(sys.stdin.buffer)
        except EOFError:
            return
        messages.write(answers, *answer(values.pop("question"), values | arrays))


def answer(question: str, arguments: dict[str, Any]) -> Answer:
    """Answer a question, or explain why it cannot be done."""
    try:
        return QUESTIONS[question](**arguments)
    except Exception as error:  # whatever Keras raises: report it and carry on
        return {"error": f"{str(error).strip().partition(chr(10))[0] or type(error).__name__}"}, {}


def step_back() -> None:
    """Give way to photos: low priority, limited memory, and first to be killed when the machine runs out of memory."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with suppress(ImportError, OSError, ValueError):  # a system that has no such limits
        import resource

        os.nice(POLITE)
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        limit = MEMORY if most == resource.RLIM_INFINITY else min(MEMORY, most)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, most))
    with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")


if __name__ == "__main__":
    main()
