"""Keras in a process of its own: right, one at a time, started when it is needed and ended when it is not."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.signal import convolve2d

from fcn.compute.keras_process import Reference
from fcn.errors import ModelError


@pytest.fixture(scope="module")
def reference() -> Iterator[Reference]:
    started = Reference()
    yield started
    started.stop()


def expected(scores: np.ndarray, stride: int, kernel: np.ndarray) -> np.ndarray:
    """By SciPy: stretched with zeros, convolved, the rim cut off."""
    height, width = scores.shape
    stretched = np.zeros(((height - 1) * stride + 1, (width - 1) * stride + 1))
    stretched[::stride, ::stride] = scores
    full = convolve2d(stretched, kernel)
    rim = max(0, len(kernel) - stride) // 2
    return full[rim : rim + height * stride, rim : rim + width * stride]


@pytest.mark.parametrize("stride, size", [(2, 4), (3, 6), (2, 3), (4, 8)])
def test_keras_gives_a_convolution_over_stretched_scores(reference: Reference, stride: int, size: int) -> None:
    rng = np.random.default_rng(stride)
    scores, kernel = rng.normal(size=(3, 4)), rng.normal(size=(size, size))
    found = reference.transposed(scores, stride, kernel)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected(scores, stride, kernel), atol=1e-5)


def test_threads_get_their_own_answers(reference: Reference) -> None:
    kernel = np.ones((2, 2))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: reference.transposed(np.full((1, 1), n), 2, kernel), range(12)))
    assert [answer[0, 0] for answer in found] == list(range(12))


def test_a_process_that_died_is_told_and_replaced(reference: Reference) -> None:
    reference.transposed(np.ones((1, 1)), 2, np.ones((2, 2)))
    process = reference._process
    assert process
    process.kill()
    process.wait()
    assert reference.transposed(np.ones((1, 1)), 2, np.ones((2, 2))).shape == (2, 2)
    with pytest.raises(ModelError, match="Keras does not answer"):
        reference.transposed(np.ones((1, 1)), 2, np.ones((0, 0)))  # nothing that Keras could do


def test_it_ends_when_nobody_asks() -> None:
    quick = Reference(idle=0.1)
    quick.transposed(np.ones((1, 1)), 2, np.ones((2, 2)))
    process = quick._process
    assert process and process.wait(30) is not None
