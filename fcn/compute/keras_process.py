"""Keras in a process of its own: the reference that the step by step page checks its result against.

TensorFlow takes 600 MB and four seconds to load. The server does without it: this process starts with the first
question and ends when nobody has asked for IDLE seconds.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np

from fcn.errors import ModelError

IDLE = 120.0  # seconds


class Reference:
    """Asks Keras; threads take turns."""

    def __init__(self, idle: float = IDLE):
        self._idle = idle
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._timer: threading.Timer | None = None

    def transposed(self, scores: np.ndarray, stride: int, kernel: np.ndarray) -> np.ndarray:
        """The result of `keras.layers.Conv2DTranspose` (one filter, padding "same", no bias) with this kernel.

        Args:
            scores: (h, w) float.
            stride: Factor of enlargement.
            kernel: (k, k) float.

        Returns:
            (h stride, w stride) float32.

        Raises:
            ModelError: Keras does not answer.
        """
        question = {"scores": scores.tolist(), "stride": stride, "kernel": kernel.tolist()}
        with self._lock:
            if self._timer:
                self._timer.cancel()
            process = self._process = self._running()
            assert process.stdin and process.stdout  # they are pipes
            try:
                process.stdin.write(json.dumps(question) + "\n")
                process.stdin.flush()
                answer = process.stdout.readline()
            except OSError:
                answer = ""
            if not answer:
                raise ModelError("Keras does not answer: its process has ended. Press Play again in a moment.")
            self._timer = threading.Timer(self._idle, self.stop)
            self._timer.daemon = True
            self._timer.start()
        return np.asarray(json.loads(answer), np.float32)

    def stop(self) -> None:
        """End the process; the next question starts another."""
        with self._lock:
            if self._process:
                self._process.kill()
                self._process.communicate()
                self._process = None

    def _running(self) -> subprocess.Popen[str]:
        if self._process and self._process.poll() is None:
            return self._process
        return subprocess.Popen(
            [sys.executable, "-m", "fcn.compute.keras_process"],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )


def answered(question: dict[str, Any]) -> np.ndarray:
    """What Keras gives; arguments and result as for `Reference.transposed`."""
    import keras

    kernel = np.asarray(question["kernel"], np.float32)[:, :, np.newaxis, np.newaxis]  # (k, k, 1, 1)
    layer = keras.layers.Conv2DTranspose(1, len(kernel), question["stride"], padding="same", use_bias=False)
    layer.build((None, None, None, 1))
    layer.kernel.assign(kernel)
    full = layer(np.asarray(question["scores"], np.float32)[np.newaxis, :, :, np.newaxis])
    return np.asarray(keras.ops.convert_to_numpy(full))[0, :, :, 0]


if __name__ == "__main__":  # a question a line on stdin, an answer a line on stdout, until stdin ends
    for line in sys.stdin:
        print(json.dumps(answered(json.loads(line)).tolist()), flush=True)
