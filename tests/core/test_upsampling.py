"""Upsampling against SciPy, against an ordinary convolution over stretched scores, and by hand."""

import keras
import numpy as np
import pytest
from scipy.ndimage import zoom
from scipy.signal import convolve2d

from fcn.model.upsampling import bilinear, bilinear_kernel, nearest, transposed

STRIDES = (2, 8, 16, 32)


def random_scores(height: int, width: int, classes: int, seed: int = 0) -> np.ndarray:
    """(H, W, C) float32 random scores."""
    return np.random.default_rng(seed).normal(size=(height, width, classes)).astype(np.float32)


def stretch(map_: np.ndarray, stride: int) -> np.ndarray:
    """Put `stride` - 1 rows and columns of zeros between the cells of (h, w)."""
    height, width = map_.shape
    wide = np.zeros(((height - 1) * stride + 1, (width - 1) * stride + 1))
    wide[::stride, ::stride] = map_
    return wide


def convolve(map_: np.ndarray, stride: int, kernel: np.ndarray) -> np.ndarray:
    """An ordinary convolution over the stretched (h, w, C); its rim, half a stride wide, is cut off."""
    outputs, inputs = kernel.shape[2:]
    full = np.stack(
        [
            sum(convolve2d(stretch(map_[..., i], stride), kernel[:, :, o, i], mode="full") for i in range(inputs))
            for o in range(outputs)
        ],
        axis=-1,
    )
    rim = stride // 2
    return full[rim:-rim, rim:-rim]


def test_kernel_of_stride_2_is_the_outer_product_of_1_3_3_1() -> None:
    ramp = np.array([1, 3, 3, 1]) / 4
    kernel = bilinear_kernel(2, 2)
    assert kernel.shape == (4, 4, 2, 2)
    np.testing.assert_allclose(kernel[:, :, 0, 0], np.outer(ramp, ramp))
    np.testing.assert_allclose(kernel[:, :, 1, 1], np.outer(ramp, ramp))
    assert not kernel[:, :, 0, 1].any() and not kernel[:, :, 1, 0].any()


@pytest.mark.parametrize("stride", [0, 1, 3, -2])
def test_kernel_refuses_a_stride_that_is_odd_or_too_small(stride: int) -> None:
    with pytest.raises(ValueError, match=f"stride is {stride}"):
        bilinear_kernel(stride, 2)


@pytest.mark.parametrize("stride", STRIDES)
def test_bilinear_is_scipys_linear_zoom(stride: int) -> None:
    map_ = random_scores(3, 5, 2)
    expected = zoom(map_, (stride, stride, 1), order=1, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(bilinear(map_, stride), expected, atol=1e-5)


@pytest.mark.parametrize("stride", STRIDES)
def test_transposed_is_a_convolution_over_stretched_scores(stride: int) -> None:
    map_ = random_scores(3, 4, 3)
    kernel = np.random.default_rng(1).normal(size=(2 * stride, 2 * stride, 3, 3)).astype(np.float32)
    found = transposed(map_, stride, kernel)
    assert found.shape == (3 * stride, 4 * stride, 3)
    np.testing.assert_allclose(found, convolve(map_, stride, kernel), atol=1e-4)


@pytest.mark.parametrize("stride", STRIDES)
def test_transposed_is_the_layer_that_is_trained(stride: int) -> None:
    map_ = random_scores(2, 3, 2)
    layer = keras.layers.Conv2DTranspose(2, 2 * stride, stride, "same", use_bias=False)
    layer.build((1, *map_.shape))
    kernel = np.random.default_rng(2).normal(size=layer.kernel.shape).astype(np.float32)
    layer.kernel.assign(kernel)
    np.testing.assert_allclose(transposed(map_, stride, kernel), np.asarray(layer(map_[np.newaxis]))[0], atol=1e-5)


@pytest.mark.parametrize("stride", STRIDES)
def test_a_bilinear_kernel_interpolates_all_but_the_outer_half_stride(stride: int) -> None:
    map_ = random_scores(4, 3, 2)
    found, expected = transposed(map_, stride, bilinear_kernel(stride, 2)), bilinear(map_, stride)
    rim = stride // 2
    inside = np.s_[rim:-rim, rim:-rim]
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-5)
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        assert np.abs(found[edge] - expected[edge]).max() > 0.1


@pytest.mark.parametrize("stride", STRIDES)
def test_a_bilinear_kernel_gives_the_labels_of_bilinear_everywhere(stride: int) -> None:
    map_ = random_scores(4, 5, 6, seed=3)
    found, expected = transposed(map_, stride, bilinear_kernel(stride, 6)), bilinear(map_, stride)
    best, second = np.sort(expected, axis=-1)[..., [-1, -2]].transpose(2, 0, 1)
    clear = best - second > 1e-4  # closer than that, rounding may decide
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(found.argmax(-1)[clear], expected.argmax(-1)[clear])


@pytest.mark.parametrize("stride", [2, 8])
def test_every_pixel_inside_is_reached_by_two_by_two_cells(stride: int) -> None:
    cells = np.eye(25, dtype=np.float32).reshape(25, 5, 5, 1)  # map i has a single cell, number i
    ones = np.ones((2 * stride, 2 * stride, 1, 1), np.float32)
    reached = np.stack([transposed(cell, stride, ones)[..., 0] for cell in cells]) != 0
    count = reached.sum(0)
    rim = stride // 2
    assert (count[rim:-rim, rim:-rim] == 4).all()
    for row in reached[:, rim, rim], reached[:, -rim - 1, -rim - 1]:
        number = np.flatnonzero(row)
        assert np.ptp(number // 5) == 1 and np.ptp(number % 5) == 1


def test_nearest_repeats_each_cell() -> None:
    map_ = random_scores(2, 3, 4)
    found = nearest(map_, 8)
    assert found.shape == (16, 24, 4)
    np.testing.assert_array_equal(found[8:16, 16:24], np.broadcast_to(map_[1, 2], (8, 8, 4)))


def test_shape_channels_have_no_weight_at_the_start_and_the_layers_when_trained() -> None:
    import keras

    maps = random_scores(3, 4, 7)  # 3 classes and 4 shape channels
    start = bilinear_kernel(8, 3, 4)
    np.testing.assert_allclose(
        transposed(maps, 8, start), transposed(maps[..., :3], 8, bilinear_kernel(8, 3)), atol=1e-6
    )
    kernel = np.random.default_rng(1).normal(size=start.shape).astype(np.float32)
    layer = keras.layers.Conv2DTranspose(3, 16, 8, "same", use_bias=False)
    layer.build((None, None, None, 7))
    layer.kernel.assign(kernel)
    np.testing.assert_allclose(transposed(maps, 8, kernel), np.asarray(layer(maps[np.newaxis]))[0], atol=1e-4)
