"""The visible steps of a transposed convolution against Keras, and against loops that do it as the paper says it."""

import keras
import numpy as np
import pytest
from scipy import ndimage

from fcn import explain
from fcn.model.upsampling import bilinear_kernel

STRIDES, SIZES, SIDES = (2, 3, 4), (1, 2, 3, 4, 7), (2, 5)


def random_numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def upsample_by_keras(scores: np.ndarray, stride: int, kernel: np.ndarray) -> np.ndarray:
    layer = keras.layers.Conv2DTranspose(1, len(kernel), stride, padding="same", use_bias=False)
    layer.build((None, None, None, 1))
    layer.kernel.assign(kernel[:, :, np.newaxis, np.newaxis])
    return np.asarray(keras.ops.convert_to_numpy(layer(scores[np.newaxis, :, :, np.newaxis])))[0, :, :, 0]


def upsample_by_stamping(scores: np.ndarray, stride: int, kernel: np.ndarray) -> np.ndarray:
    """Each cell lays its kernel, times its score, onto the output; of the surplus the smaller half goes first."""
    size, (height, width) = len(kernel), scores.shape
    full = np.zeros((height * stride + size, width * stride + size))
    for row in range(height):
        for column in range(width):
            for i in range(size):
                for j in range(size):
                    full[row * stride + i, column * stride + j] += scores[row, column] * kernel[i, j]
    cut = max(size - stride, 0) // 2
    return full[cut : cut + height * stride, cut : cut + width * stride]


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("side", SIDES)
def test_transposed_is_keras_and_is_stamping(stride: int, size: int, side: int) -> None:
    scores, kernel = random_numbers(side, side + 1), random_numbers(size, size, seed=1)
    found = explain.transposed(scores, stride, kernel)
    np.testing.assert_allclose(found, upsample_by_stamping(scores, stride, kernel), atol=1e-12)
    np.testing.assert_allclose(found, upsample_by_keras(scores, stride, kernel), atol=1e-5)


@pytest.mark.parametrize("stride", (1, *STRIDES))
@pytest.mark.parametrize("size", SIZES)
def test_products_of_every_pixel_sum_to_it(stride: int, size: int) -> None:
    scores, kernel = random_numbers(2, 3), random_numbers(size, size, seed=1)
    full = explain.transposed(scores, stride, kernel)
    for row, column in np.ndindex(full.shape):
        terms = explain.products(scores, stride, kernel, row, column)
        assert terms.shape == kernel.shape
        np.testing.assert_allclose(terms.sum(), full[row, column], atol=1e-12)


def test_stretching_puts_zeros_between_the_cells() -> None:
    found = explain.insert_zeros(np.array([[1, 2], [3, 4]]), 3)
    assert found.tolist() == [[1, 0, 0, 2], [0, 0, 0, 0], [0, 0, 0, 0], [3, 0, 0, 4]]


@pytest.mark.parametrize("stride", (1, *STRIDES))
@pytest.mark.parametrize("size", SIZES)
def test_border_leaves_one_window_a_pixel(stride: int, size: int) -> None:
    grid = explain.pad(np.ones((3, 2)), stride, size)
    assert grid.shape == (3 * stride + size - 1, 2 * stride + size - 1)
    assert sum(explain.border(stride, size)) == size + stride - 2 and grid.sum() == 6


@pytest.mark.parametrize("stride", (2, 4, 32))
def test_bilinear_kernel_of_an_even_stride_is_the_networks(stride: int) -> None:
    np.testing.assert_allclose(explain.kernel("bilinear", stride), bilinear_kernel(stride, 1)[:, :, 0, 0], atol=1e-7)


@pytest.mark.parametrize("stride", (1, *STRIDES))
def test_bilinear_kernel_interpolates_inside(stride: int) -> None:
    scores = random_numbers(4, 5)
    size = len(explain.kernel("bilinear", stride))
    found = explain.transposed(scores, stride, explain.kernel("bilinear", stride))
    expected = ndimage.zoom(scores, stride, order=1, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(explain.inner(found, stride, size), explain.inner(expected, stride, size), atol=1e-12)
    assert explain.inner(found, stride, size).size > 0


@pytest.mark.parametrize("stride", (1, *STRIDES))
def test_nearest_kernel_repeats_each_score(stride: int) -> None:
    scores = random_numbers(3, 4)
    found = explain.transposed(scores, stride, explain.kernel("nearest", stride))
    np.testing.assert_array_equal(found, scores.repeat(stride, 0).repeat(stride, 1))


@pytest.mark.parametrize("kind, stride", [("cubic", 2), ("bilinear", 0), ("nearest", -1)])
def test_kernel_refuses_what_it_does_not_know(kind: str, stride: int) -> None:
    with pytest.raises(ValueError, match=f"{kind}.*{stride}"):
        explain.kernel(kind, stride)


@pytest.mark.parametrize("stride", (1, *STRIDES))
@pytest.mark.parametrize("size", SIZES)
def test_overlap_counts_the_cells_that_reach_a_pixel(stride: int, size: int) -> None:
    cells = 5
    one_each = np.eye(cells * cells).reshape(-1, cells, cells)
    reached = sum(upsample_by_stamping(cell, stride, np.ones((size, size))) != 0 for cell in one_each)
    found = explain.overlap(cells, stride, size)
    np.testing.assert_array_equal(found, reached)
    inside = explain.inner(found, stride, size)
    if inside.size and size >= stride:
        assert (inside.min() == inside.max()) == (size % stride == 0)


@pytest.mark.parametrize("stride", (1, *STRIDES))
@pytest.mark.parametrize("size", SIZES)
def test_inner_pixels_are_those_that_no_further_cell_would_reach(stride: int, size: int) -> None:
    cells, more = 6, 4
    alone = explain.overlap(cells, stride, size)
    wider = explain.overlap(cells + 2 * more, stride, size)
    rim = more * stride
    same = (alone == wider[rim : rim + cells * stride, rim : rim + cells * stride]).nonzero()
    inside = explain.inner(np.arange(alone.size).reshape(alone.shape), stride, size)
    expected = np.ravel_multi_index(same, alone.shape)
    assert set(inside.ravel().tolist()) <= set(expected.tolist())
    rows = np.unique(expected // alone.shape[1])
    if size > stride:
        assert inside.shape == (len(rows), len(rows))


def test_64_over_32_reaches_each_inner_pixel_from_two_by_two_cells() -> None:
    assert set(explain.inner(explain.overlap(4, 32, 64), 32, 64).ravel().tolist()) == {4}


def test_ranking_names_the_pair_that_changed_most_first() -> None:
    before = random_numbers(4, 4, 3, 3)
    after = before.copy()
    after[..., 2, 0] += 0.5  # Keras' order: output 2, input 0
    after[0, 0, 1, 1] -= 3
    first, second, *rest = explain.rank_changes(before, after)
    assert (first.source, first.target, first.amount) == (1, 1, pytest.approx(3))
    assert (second.source, second.target, second.amount) == (0, 2, pytest.approx(2))
    assert len(rest) == 7 and all(change.amount == 0 for change in rest)


def test_half_pixel_row_is_scipys_and_keeps_the_mean_of_a_pair() -> None:
    row = random_numbers(5)
    expected = ndimage.zoom(row, 4, order=1, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(explain.enlarged_row(row, 4, False), expected, atol=1e-12)


def test_align_corners_row_is_scipys_and_keeps_both_ends() -> None:
    row = random_numbers(5)
    found = explain.enlarged_row(row, 4, True)
    np.testing.assert_allclose(found, ndimage.zoom(row, 4, order=1, grid_mode=False), atol=1e-12)
    assert (found[0], found[-1]) == (row[0], pytest.approx(row[-1]))


@pytest.mark.parametrize("align", [True, False])
def test_a_single_number_is_repeated(align: bool) -> None:
    assert explain.enlarged_row(np.array([7.0]), 3, align).tolist() == [7, 7, 7]


@pytest.mark.parametrize("seed", range(3))
def test_regions_are_scipys(seed: int) -> None:
    mask = random_numbers(20, 30, seed=seed) > 0.3
    assert explain.regions(mask) == ndimage.label(mask)[1]
    assert explain.regions(np.zeros((3, 3), bool)) == 0
