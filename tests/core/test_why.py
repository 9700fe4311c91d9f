"""Why this pixel: the sums shown are those of Keras and of the label map, at every stride, with shape channels."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
import pytest

from fcn.model.network import STRIDES
from fcn.model.segmenter import Scores, Segmenter
from fcn.model.upsampling import bilinear
from fcn.photos.images import network_input
from fcn.ui.viewer import why
from tests.support.photos import smooth_photo

HEIGHT, WIDTH = 150, 201  # neither is a multiple of 32


@pytest.fixture(scope="module")
def trained_segmenter(segmenter: Segmenter) -> Segmenter:
    """The random model with kernels that are not bilinear: at every weight something is added."""
    rng = np.random.default_rng(1)
    own = {stride: segmenter.kernel(stride) for stride in STRIDES}
    noisy = {stride: kernel + rng.normal(0, 0.02, kernel.shape) for stride, kernel in own.items()}
    return segmenter.with_kernels({stride: kernel.astype(np.float32) for stride, kernel in noisy.items()})


@pytest.fixture(scope="module")
def scores(segmenter: Segmenter) -> Scores:
    found = segmenter.score(smooth_photo(HEIGHT, WIDTH))
    assert found.shape.shape[2] == 48
    return found


def upsample_by_keras(segmenter: Segmenter, scores: Scores, stride: int) -> np.ndarray:
    """Scores of every pixel, (h, w, C), from Keras' own layer."""
    import keras

    kernel = segmenter.kernel(stride)
    maps = np.concatenate([scores.maps[stride], scores.shape], -1) if stride == 32 else scores.maps[stride]
    layer = keras.layers.Conv2DTranspose(kernel.shape[2], 2 * stride, stride, padding="same", use_bias=False)
    layer.build((None, None, None, kernel.shape[3]))
    layer.kernel.assign(kernel)
    full = np.asarray(keras.ops.convert_to_numpy(layer(maps[np.newaxis])))[0]
    return full[: scores.height, : scores.width]


def unpack(text: str, kind: str, *shape: int) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), kind).reshape(shape)


def squares(segmenter: Segmenter, scores: Scores, stride: int) -> list[tuple[np.ndarray, np.ndarray, dict[str, Any]]]:
    """All squares of the photo, as the browser reads them: classes, numbers, and the rest."""
    labels = [segmenter.upsample(scores, stride, upsampling).labels for upsampling in ("transposed", "bilinear")]
    found = []
    for row in range(-(-HEIGHT // why.SQUARE)):
        for column in range(-(-WIDTH // why.SQUARE)):
            content = why.square(segmenter, scores, stride, row, column, *labels)
            shape = content["height"], content["width"], content["listed"]
            classes, numbers = (
                unpack(content["classes"], "u1", *shape),
                unpack(content["numbers"], "<i4", *shape, 17),
            )
            found.append((classes, numbers, content))
    return found


@pytest.mark.parametrize("stride", STRIDES)
def test_every_shown_sum_is_keras_rounded_and_its_parts_add_up(
    trained_segmenter: Segmenter, scores: Scores, stride: int
) -> None:
    expected, plain = upsample_by_keras(trained_segmenter, scores, stride), bilinear(scores.maps[stride], stride)
    labels = {
        upsampling: trained_segmenter.upsample(scores, stride, upsampling).labels
        for upsampling in ("transposed", "bilinear")
    }
    assert (labels["transposed"] != labels["bilinear"]).mean() > 0.01
    seen = 0
    for classes, numbers, content in squares(trained_segmenter, scores, stride):
        here = (slice(content["top"], content["top"] + content["height"]),
                slice(content["left"], content["left"] + content["width"]))  # fmt: skip
        chosen = classes.astype(np.int64)
        totals = {"bilinear": numbers[..., :4].sum(-1), "transposed": numbers[..., 4:13].sum(-1)}
        for upsampling, full in (("bilinear", plain), ("transposed", expected)):
            exact = 100 * np.take_along_axis(full[:HEIGHT, :WIDTH][here], chosen, -1)
            # The sum shown is the sum computed, rounded; float32 may fall on the other side of a half
            assert np.abs(totals[upsampling] - exact).max() <= 0.5 + 0.02
            # The class that wins is the one in the label map, and no class that is shown has more
            winner = np.take_along_axis(
                totals[upsampling], (chosen == labels[upsampling][here][..., None]).argmax(-1)[..., None], -1
            )
            assert (chosen == labels[upsampling][here][..., None]).any(-1).all()
            assert (winner >= totals[upsampling] - 1).all()
        seen += content["height"] * content["width"]
    assert seen == HEIGHT * WIDTH


@pytest.mark.parametrize("stride", STRIDES)
def test_terms_are_weight_times_score_of_the_four_cells(
    trained_segmenter: Segmenter, scores: Scores, stride: int
) -> None:
    kernel, maps = trained_segmenter.kernel(stride), scores.maps[stride]
    labels = [
        trained_segmenter.upsample(scores, stride, upsampling).labels for upsampling in ("transposed", "bilinear")
    ]
    rows, columns = (0, 40), (WIDTH - 40, WIDTH)
    found = why.sums(trained_segmenter, scores, stride, rows, columns, *labels)
    for y, x in ((0, WIDTH - 40), (3, WIDTH - 1), (39, WIDTH - 20)):
        here = y - rows[0], x - columns[0]
        for place, index in enumerate(found.classes[here]):
            top, left = (int(np.floor((at + 0.5) / stride - 0.5)) for at in (y, x))
            for corner, (down, right) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
                row, column = top + down, left + right
                inside = 0 <= row < maps.shape[0] and 0 <= column < maps.shape[1]
                weight = kernel[y - row * stride + stride // 2, x - column * stride + stride // 2]
                own = weight[index, index] * maps[row, column, index] if inside else 0
                assert found.own[(*here, place, corner)] == pytest.approx(own, abs=1e-6)
                shape = weight[index, maps.shape[2] :] @ scores.shape[row, column] if inside and stride == 32 else 0
                assert found.shape[(*here, place, corner)] == pytest.approx(shape, abs=1e-5)
                assert found.weights[(*here, place, corner)] == pytest.approx(weight[index, index])


def test_rounded_parts_add_up_to_the_rounded_sum() -> None:
    parts = np.random.default_rng(0).normal(0, 5, (2000, 9))
    found = why.rounded(parts)
    np.testing.assert_array_equal(found.sum(-1), np.rint(100 * parts.sum(-1)))
    assert np.abs(found - 100 * parts).max() < 1 + 1e-9
    assert why.rounded(np.array([[0.333, 0.333, 0.334]])).tolist() == [[33, 33, 34]]


def test_a_square_is_small(trained_segmenter: Segmenter, scores: Scores) -> None:
    for stride in STRIDES:
        for _, _, content in squares(trained_segmenter, scores, stride):
            assert sum(len(str(value)) for value in content.values()) < 300_000


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"key": "k"},
        {"key": "x", "stride": 32, "row": 0, "column": 0},
        {"key": "k", "stride": 16, "row": 0, "column": 0},
    ]
    + [
        {"key": "k", "stride": 32, "row": row, "column": column}
        for row, column in ((-1, 0), (0, 7), (0.0, 0), ("0", 0), (True, 0))
    ],
)  # fmt: skip
def test_nothing_is_answered_that_is_not_in_the_picture(scores: Scores, asked: dict[str, Any]) -> None:
    assert why.requested_square(asked, "k", 32, scores) is None


def test_a_square_of_the_picture_is_answered(scores: Scores) -> None:
    assert why.requested_square({"key": "k", "stride": 32, "row": 4, "column": 6}, "k", 32, scores) == (4, 6)
    assert network_input(smooth_photo(HEIGHT, WIDTH)).height == HEIGHT
