"""The fair comparison, and what kernels are made of."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from fcn.errors import ModelError
from fcn.model.segmenter import Segmenter
from fcn.model.upsampling import bilinear_kernel
from fcn.quality.comparison import MEASURES, compare, high_frequency_energy, inspect_kernels, smooth_kernel
from fcn.quality.evaluation import score_variants
from tests.support.photos import smooth_photo


@pytest.fixture(scope="module")
def samples(segmenter: Segmenter) -> list[tuple[np.ndarray, np.ndarray]]:
    """Photos with the labels that the network itself gives at stride 8."""
    photos = [smooth_photo(96, 128, seed) for seed in range(4)]
    return [(photo, segmenter.upsample(segmenter.score(photo), 8, "bilinear").labels) for photo in photos]


def test_at_the_start_nothing_is_gained(segmenter: Segmenter, samples: list[tuple[np.ndarray, np.ndarray]]) -> None:
    report = compare(segmenter, samples)
    assert report["images"] == 4
    assert report["scores"].keys() == {"bilinear", "mixed", "transposed"}
    assert report["gains"].keys() == {"bilinear", "mixed", "best"}
    for gains in report["gains"].values():
        assert gains.keys() == MEASURES.keys()
        for gain in gains.values():
            assert gain["low"] <= gain["mean"] <= gain["high"]
            assert gain["mean"] == pytest.approx(0, abs=0.2)  # rounding decides ties


def test_the_scores_are_those_of_the_evaluation(
    segmenter: Segmenter, samples: list[tuple[np.ndarray, np.ndarray]]
) -> None:
    noise = np.random.default_rng(0).normal(size=segmenter.kernel(32).shape)
    noisy = segmenter.with_kernels({32: (segmenter.kernel(32) + 0.3 * noise).astype(np.float32)})
    report = compare(noisy, samples)
    scorers = score_variants(noisy, samples, [(32, "bilinear"), (32, "transposed")])
    for (_, upsampling), scorer in scorers.items():
        assert report["scores"][upsampling]["miou"] == pytest.approx(100 * scorer.miou, abs=0.01)
        assert report["scores"][upsampling]["boundary_f1"] == pytest.approx(100 * scorer.boundary_f1, abs=0.01)
        assert report["scores"][upsampling]["trimap_8"] == pytest.approx(100 * scorer.trimap_miou(8), abs=0.01)
    ahead = report["gains"]["bilinear"]["miou"]
    difference = report["scores"]["transposed"]["miou"] - report["scores"]["bilinear"]["miou"]
    assert ahead["mean"] == pytest.approx(difference, abs=0.02)
    assert ahead["mean"] < -1 and ahead["high"] < 0  # noise in the kernel is seen
    better = max(("bilinear", "mixed"), key=lambda name: report["scores"][name]["miou"])
    assert report["gains"]["best"]["miou"] == report["gains"][better]["miou"]


def test_no_photos(segmenter: Segmenter) -> None:
    with pytest.raises(ModelError, match="no photos"):
        compare(segmenter, [])


def test_a_bilinear_kernel_is_smooth_and_a_grid_is_not() -> None:
    kernel = bilinear_kernel(32, 2)
    grid = kernel.copy()
    grid[::2] *= 1.3
    assert high_frequency_energy(kernel) < 1e-4
    assert high_frequency_energy(grid) > 0.01
    assert high_frequency_energy(smooth_kernel(grid, 0.7)) < high_frequency_energy(grid) / 5


def test_smoothing_is_scipys() -> None:
    kernel = np.random.default_rng(0).normal(size=(16, 16, 2, 3)).astype(np.float32)
    expected = ndimage.gaussian_filter(kernel, (0.7, 0.7, 0, 0), mode="constant", radius=(3, 3, 0, 0))
    np.testing.assert_allclose(smooth_kernel(kernel, 0.7), expected, atol=1e-4)


def test_kernels_are_inspected_stride_by_stride(
    segmenter: Segmenter, samples: list[tuple[np.ndarray, np.ndarray]]
) -> None:
    rows = inspect_kernels(segmenter, samples[:2])
    assert [row["stride"] for row in rows] == [32, 16, 8]
    for row in rows:
        assert 0 <= row["high_frequency"] < 5
        assert abs(row["gain"]["miou"]) < 0.3
        assert row["gain_smoothed"].keys() == {"miou", "boundary_f1"}
