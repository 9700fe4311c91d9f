"""Keras in a process of its own: right, one question at a time, replaced when it dies or hangs, ended when idle."""

import io
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.signal import convolve2d

from fcn.compute import messages
from fcn.compute.keras_process import KerasProcess
from fcn.errors import ModelError

ONE = np.ones((1, 1)), 2, np.ones((2, 2))


@pytest.fixture(scope="module")
def keras() -> Iterator[KerasProcess]:
    process = KerasProcess(answer=30)
    yield process
    process.stop()


def upsample_by_scipy(scores: np.ndarray, stride: int, kernel: np.ndarray) -> np.ndarray:
    """Stretch with zeros, convolve with SciPy and cut the rim off."""
    height, width = scores.shape
    stretched = np.zeros(((height - 1) * stride + 1, (width - 1) * stride + 1))
    stretched[::stride, ::stride] = scores
    full = convolve2d(stretched, kernel)
    rim = max(0, len(kernel) - stride) // 2
    return full[rim : rim + height * stride, rim : rim + width * stride]


@pytest.mark.parametrize("stride, size", [(2, 4), (3, 6), (2, 3), (4, 8)])
def test_keras_gives_a_convolution_over_stretched_scores(keras: KerasProcess, stride: int, size: int) -> None:
    rng = np.random.default_rng(stride)
    scores, kernel = rng.normal(size=(3, 4)), rng.normal(size=(size, size))
    found = keras.transposed(scores, stride, kernel)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, upsample_by_scipy(scores, stride, kernel), atol=1e-5)


def test_threads_get_their_own_answers(keras: KerasProcess) -> None:
    kernel = np.ones((2, 2))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: keras.transposed(np.full((1, 1), n), 2, kernel), range(12)))
    assert [answer[0, 0] for answer in found] == list(range(12))


def test_what_keras_cannot_do_is_told_and_does_not_end_it(keras: KerasProcess) -> None:
    keras.load()
    before = keras.pid
    with pytest.raises(ModelError, match="Keras cannot do this"):
        keras.transposed(np.ones((1, 1)), 2, np.ones((0, 0)))
    assert keras.pid == before


def test_a_killed_process_is_told_or_replaced(keras: KerasProcess) -> None:
    keras.load()
    assert keras.pid
    os.kill(keras.pid, signal.SIGKILL)
    time.sleep(0.2)
    assert keras.transposed(*ONE).shape == (2, 2)


def test_a_process_killed_over_a_question_ends_in_a_sentence(keras: KerasProcess) -> None:
    keras.load()
    assert keras.pid
    os.kill(keras.pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(keras.transposed, *ONE)
        time.sleep(0.2)
        os.kill(keras.pid, signal.SIGKILL)
        with pytest.raises(ModelError, match="its process has ended"):
            asked.result(10)
    assert keras.transposed(*ONE).shape == (2, 2)


def test_a_process_that_hangs_is_killed_and_replaced(keras: KerasProcess) -> None:
    keras.load()
    before = keras.pid
    assert before
    keras._answer, patience = 0.5, keras._answer
    os.kill(before, signal.SIGSTOP)
    with pytest.raises(ModelError, match="did not answer within"):
        keras.transposed(np.ones((900, 900)), 2, np.ones((2, 2)))  # more than a pipe holds
    keras._answer = patience
    assert keras.transposed(*ONE).shape == (2, 2)
    assert keras.pid != before and not os.path.exists(f"/proc/{before}")


def test_it_steps_back_for_others(keras: KerasProcess) -> None:
    keras.load()
    assert keras.pid
    assert os.getpriority(os.PRIO_PROCESS, keras.pid) >= min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)
    with open(f"/proc/{keras.pid}/limits", encoding="ascii") as file:
        [line] = [line for line in file if line.startswith("Max data size")]
    assert int(line.split()[3]) <= 3 * 1024**3


def test_it_ends_when_nobody_asks() -> None:
    quick = KerasProcess(idle=0.1)
    quick.transposed(*ONE)
    deadline = time.monotonic() + 30
    while quick.pid and time.monotonic() < deadline:
        time.sleep(0.05)
    assert quick.pid is None


def test_messages_come_as_they_went() -> None:
    pipe = io.BytesIO()
    arrays: messages.Arrays = {"a": np.arange(6, dtype=np.uint8).reshape(2, 3).T, "none": np.zeros((0, 4), np.float16)}
    messages.write(pipe, {"x": [1, None, "ü"]}, arrays)
    messages.write(pipe, {})
    pipe.seek(0)
    values, found = messages.read(pipe)
    assert values == {"x": [1, None, "ü"]} and found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    assert messages.read(pipe) == ({}, {})
    with pytest.raises(EOFError):
        messages.read(pipe)


@pytest.mark.parametrize("data", [b"", b"\1\0", b"\xff\xff\xff\xff", b"\2\0\0\0{}", b"\4\0\0\0true", b"\3\0\0\0{{{"])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(EOFError):
        messages.read(io.BytesIO(data))
