"""Keras in a separate process: it checks the step by step page, and trains on the page "Watch it learn".

TensorFlow takes 600 MB and four seconds to load. The server does without it: this process starts with the first
question and ends when nobody has asked for IDLE seconds. It has the lowest priority, a limit on its memory, and a time
limit per question: a process that hangs is killed, the visitor gets a sentence, and the next question starts another.

What this does not guard against: the process may read what the server's user may read. It is the project's own code,
and visitors send it numbers only.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from fcn.compute import messages, processes
from fcn.compute.messages import Arrays, Values
from fcn.compute.processes import Process, killed_after
from fcn.errors import ModelError

IDLE = 120.0  # seconds
LOADING = 90.0  # seconds for the first answer: a busy machine takes ten times as long as a quiet one
ANSWER = 20.0  # seconds for any other
ENDED = "Keras does not answer: its process has ended. Try again: it will be restarted."
HANGS = "Keras did not answer within {:.0f} s and was stopped. Try again: it will be restarted."


class KerasProcess:
    """Asks Keras, one question at a time, in the order in which they arrive.

    `ask` waits for its answer: call it on a thread that nobody else needs.
    """

    def __init__(self, idle: float = IDLE, answer: float = ANSWER):
        """Prepare; nothing runs before the first question.

        Args:
            idle: Seconds after the last answer until the process is ended.
            answer: Seconds that it has for an answer.
        """
        self._idle, self._answer = idle, answer
        self._line = ThreadPoolExecutor(1, "keras")  # a lock would not be fair: a training would never let others in
        self._lock = threading.Lock()  # of what follows
        self._process: Process | None = None
        self._asked = 0  # questions so far
        self._timer: threading.Timer | None = None

    @property
    def pid(self) -> int | None:
        """Number of the process, while it runs."""
        process = self._process
        return process.pid if process and process.poll() is None else None

    def ask(
        self,
        question: str,
        values: Values | None = None,
        arrays: Arrays | None = None,
        seconds: float | None = None,
    ) -> tuple[Values, Arrays]:
        """Ask a question of `fcn.compute.keras_questions`.

        Args:
            question: Its name.
            values: Plain values that it takes.
            arrays: Arrays that it takes.
            seconds: Time limit for the answer; default: as for every question.

        Returns:
            Plain values and arrays, by name.

        Raises:
            ModelError: The process ended, hung or could not do it.
        """
        return self._line.submit(self._exchange, question, values or {}, arrays or {}, seconds or self._answer).result()

    def load(self) -> None:
        """Start the process, if it does not run, and wait until Keras is loaded.

        Raises:
            ModelError: As for `ask`.
        """
        self.ask("load")

    def transposed(self, scores: np.ndarray, stride: int, kernel: np.ndarray) -> np.ndarray:
        """The result of `keras.layers.Conv2DTranspose` (one filter, padding "same", no bias) with this kernel.

        Args:
            scores: (h, w) float.
            stride: Factor of enlargement.
            kernel: (k, k) float.

        Returns:
            (h stride, w stride) float32.

        Raises:
            ModelError: As for `ask`.
        """
        return self.ask("transposed", {"stride": stride}, {"scores": scores, "kernel": kernel})[1]["full"]

    def stop(self) -> None:
        """End the process; the next question starts another."""
        with self._lock:
            if self._timer:
                self._timer.cancel()
            process, self._process = self._process, None
        if process:
            processes.end(process)

    def _exchange(self, question: str, values: Values, arrays: Arrays, seconds: float) -> tuple[Values, Arrays]:
        with self._lock:
            if self._timer:
                self._timer.cancel()
            self._asked += 1
            process = self._process
            fresh = process is None or process.poll() is not None
            if process is not None and fresh:
                processes.end(process)  # closes its pipes
            if process is None or fresh:
                process = self._process = _start_process()
        seconds = max(LOADING, seconds) if fresh else seconds
        assert process.stdin and process.stdout  # they are pipes
        try:
            with killed_after(seconds, process) as hangs:
                messages.write(process.stdin, {"question": question, **values}, arrays)
                answer, received = messages.read(process.stdout)
        except (OSError, EOFError, ValueError) as error:
            processes.end(process)
            raise ModelError(HANGS.format(seconds) if hangs.is_set() else ENDED) from error
        finally:
            self._end_when_idle()
        if "error" in answer:
            raise ModelError(f"Keras cannot do this: {answer['error']}")
        return answer, received

    def _end_when_idle(self) -> None:
        with self._lock:
            asked = self._asked

            def end() -> None:
                if self._asked == asked:
                    self.stop()

            self._timer = threading.Timer(self._idle, end)
            self._timer.daemon = True
            self._timer.start()


def _start_process() -> Process:
    return subprocess.Popen(
        [sys.executable, "-m", "fcn.compute.keras_questions"],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl+C in a terminal is meant for the server, which ends it in order
    )
