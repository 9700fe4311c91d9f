"""From a photo to labels: any size, one run of the network, the same answer in any thread."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
import pytest
from scipy.ndimage import zoom
from scipy.special import softmax

from fcn.errors import ModelError
from fcn.model.network import FEATURE_LAYERS, STRIDES
from fcn.model.segmenter import Scores, Segmenter
from fcn.model.upsampling import UPSAMPLINGS
from tests.support.photos import smooth_photo

SIZES = [(1, 1), (31, 31), (32, 32), (33, 33), (375, 500), (500, 375)]


@pytest.fixture(scope="module")
def scores(segmenter: Segmenter) -> Scores:
    return segmenter.score(smooth_photo(150, 200))


@pytest.mark.parametrize("height, width", SIZES)
def test_any_size(segmenter: Segmenter, height: int, width: int) -> None:
    scores = segmenter.score(smooth_photo(height, width), 480)
    scale = min(1, 480 / max(height, width))
    assert (scores.height, scores.width) == (round(height * scale), round(width * scale))
    for stride in STRIDES:
        rows, columns = -(-scores.height // stride), -(-scores.width // stride)
        assert scores.cells(stride).shape == (rows, columns, 11)
        assert scores.coarse_labels(stride).shape == (rows, columns)
        assert scores.coarse_labels(stride).dtype == np.uint8
        for upsampling in UPSAMPLINGS:
            labels = segmenter.upsample(scores, stride, upsampling).labels
            assert labels.shape == (scores.height, scores.width)
            assert labels.dtype == np.uint8 and labels.max() < 11


def test_a_small_photo_is_not_enlarged_and_a_large_one_is_shrunk(segmenter: Segmenter) -> None:
    photo = smooth_photo(60, 80)
    assert segmenter.score(photo, 480).width == 80
    assert (segmenter.score(photo, 40).height, segmenter.score(photo, 40).width) == (30, 40)


def test_score_maps_are_those_of_the_network(segmenter: Segmenter, network: Any) -> None:
    photo = smooth_photo(64, 96)
    found = segmenter.score(photo)
    expected = network(photo[np.newaxis].astype(np.float32), training=False)
    for stride in STRIDES:
        values = np.asarray(expected[f"scores_{stride}"])[0]
        np.testing.assert_allclose(found.maps[stride], values, rtol=1e-3, atol=1e-3 * np.abs(values).max())


@pytest.mark.parametrize("stride", STRIDES)
def test_transposed_labels_are_those_of_the_networks_own_layer(segmenter: Segmenter, network: Any, stride: int) -> None:
    photo = smooth_photo(64, 96)
    found = segmenter.upsample(segmenter.score(photo), stride, "transposed").labels
    expected = np.asarray(network(photo[np.newaxis].astype(np.float32), training=False)[f"upsampled_{stride}"])[0]
    assert (found == expected.argmax(-1)).mean() > 0.999  # rounding may decide a tie


@pytest.mark.parametrize("stride", STRIDES)
def test_confidence_is_the_probability_of_the_label(segmenter: Segmenter, scores: Scores, stride: int) -> None:
    chances = softmax(scores.cells(stride).astype(np.float64), axis=-1)
    np.testing.assert_allclose(scores.probabilities(stride), chances, atol=1e-5)
    assert scores.confidence(stride) == pytest.approx(chances.max(-1).mean(), abs=1e-4)
    zoomed = zoom(scores.maps[stride], (stride, stride, 1), order=1, mode="nearest", grid_mode=True)
    best = softmax(zoomed.astype(np.float64), axis=-1).max(-1)[2::4, 2::4]  # the middles of blocks of 4 x 4 pixels
    found = segmenter.upsample(scores, stride, "bilinear", confidence=True).confidence
    assert found is not None and found.dtype == np.uint8
    assert found.shape == (-(-scores.height // 4), -(-scores.width // 4))
    assert np.abs(found - 255 * best[: found.shape[0], : found.shape[1]]).max() <= 1.1


@pytest.mark.parametrize("stride, layer", FEATURE_LAYERS.items())
def test_features_are_the_strongest_channels(
    segmenter: Segmenter, network: Any, scores: Scores, stride: int, layer: str
) -> None:
    photo = smooth_photo(64, 96)
    found = segmenter.score(photo)
    backbone = keras.Model(network.input, network.get_layer(layer).output)
    expected = np.asarray(backbone(photo[np.newaxis].astype(np.float32), training=False))[0]
    strength = np.abs(expected).mean((0, 1))
    numbers, maps = found.channels[stride], found.features[stride]
    assert len(set(numbers.tolist())) == len(numbers) == maps.shape[-1]
    assert strength[numbers[0]] == pytest.approx(strength.max(), rel=1e-3)
    assert (np.diff(strength[numbers]) <= 1e-3 * strength.max()).all()
    assert maps.shape[:2] == (64 // stride, 96 // stride) and maps.dtype == np.uint8
    first = expected[..., numbers[0]]
    scaled = 255 * (first - first.min()) / (first.max() - first.min())
    assert np.abs(maps[..., 0] - scaled).max() < 3


@pytest.mark.parametrize("stride", STRIDES)
def test_kernel_is_the_networks(segmenter: Segmenter, network: Any, stride: int) -> None:
    np.testing.assert_array_equal(segmenter.kernel(stride), np.asarray(network.get_layer(f"upsample_{stride}").kernel))


def test_there_is_no_kernel_of_stride_4(segmenter: Segmenter) -> None:
    with pytest.raises(ModelError, match="no kernel of stride 4"):
        segmenter.kernel(4)


@pytest.mark.parametrize("stride", STRIDES)
def test_an_untrained_kernel_gives_the_labels_of_bilinear(segmenter: Segmenter, scores: Scores, stride: int) -> None:
    bilinear, transposed = (
        segmenter.upsample(scores, stride, upsampling).labels for upsampling in ("bilinear", "transposed")
    )
    assert len(np.unique(bilinear)) > 1
    assert (bilinear == transposed).mean() > 0.999  # rounding may decide a tie


def test_the_switch_does_not_run_the_network_again(
    segmenter: Segmenter, scores: Scores, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    run = segmenter.engine.run
    monkeypatch.setattr(segmenter.engine, "run", lambda photo: runs.append(photo.shape) or run(photo))
    for stride in STRIDES:
        for upsampling in UPSAMPLINGS:
            segmenter.upsample(scores, stride, upsampling)
    assert runs == []
    segmenter.score(smooth_photo(32, 32))
    assert runs == [(1, 32, 32, 3)]


@pytest.mark.parametrize("stride, upsampling", [(4, "bilinear"), (32, "cubic"), (8, "mixed"), (0, "")])
def test_unknown_stride_or_upsampling(segmenter: Segmenter, scores: Scores, stride: int, upsampling: str) -> None:
    with pytest.raises(ModelError, match=f"Stride {stride} with '{upsampling}'"):
        segmenter.upsample(scores, stride, upsampling)


def test_threads_share_a_segmenter(segmenter: Segmenter) -> None:
    photos = [smooth_photo(64 + 8 * index, 96, seed=index) for index in range(6)]

    def labels(photo: np.ndarray) -> np.ndarray:
        return segmenter.upsample(segmenter.score(photo), 8, "transposed").labels

    alone = [labels(photo) for photo in photos]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(labels, photos))
    for one, other in zip(alone, together, strict=True):
        assert one.shape == other.shape and (one == other).mean() > 0.999


def test_times_are_measured(segmenter: Segmenter, scores: Scores) -> None:
    assert scores.milliseconds > 0
    assert segmenter.upsample(scores).milliseconds > 0
