"""Is the transposed convolution worth it: a fair comparison at stride 32, and what its kernel is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fcn.errors import ModelError
from fcn.model.segmenter import Segmenter
from fcn.photos.images import WORKING_SIDE, Labels, Pixels
from fcn.quality.evaluation import percent, score_variants
from fcn.quality.metrics import TRIMAPS, Matrix, Scorer, mean_iou

STRIDE = 32
RESAMPLES = 1000
SMOOTHING = 0.7  # pixels, standard deviation of the Gaussian

Measure = Callable[[Scorer, np.ndarray], float]


def compare(
    segmenter: Segmenter, samples: Iterable[tuple[Pixels, Labels]], max_side: int = WORKING_SIDE
) -> dict[str, Any]:
    """Compare the transposed convolution of stride 32 with upsamplings without a trained kernel, on the same photos.

    The rivals are bilinear interpolation of the scores and, for a model with shape channels, "mixed": bilinear
    interpolation of scores into which a trained 1x1 convolution has mixed these channels.

    Args:
        segmenter: The model.
        samples: Pairs of photo (H, W, 3) uint8 and labels (H, W) uint8.
        max_side: Longest side of the working size, pixels.

    Returns:
        "images"; "scores", percent by upsampling and measure; and "gains", for each rival and measure the points by
        which transposed is ahead: "mean", and "low" and "high", the bounds of a 95 % interval from a paired bootstrap
        over photos. The rival "best" is the better of the others in that measure. None where the data cannot decide.

    Raises:
        ModelError: There is nothing to compare.
    """
    rivals = [name for name in segmenter.upsamplings(STRIDE) if name in ("bilinear", "mixed")]
    scorers = score_variants(segmenter, samples, [(STRIDE, name) for name in (*rivals, "transposed")], max_side)
    by_upsampling = {upsampling: scorer for (_, upsampling), scorer in scorers.items()}
    images = len(by_upsampling["transposed"].matrices)
    if not images:
        raise ModelError("There are no photos to compare on.")
    everything = np.ones(images)
    scores = {
        name: {measure: percent(value(scorer, everything)) for measure, value in MEASURES.items()}
        for name, scorer in by_upsampling.items()
    }
    draws = np.random.default_rng(0).multinomial(images, np.full(images, 1 / images), RESAMPLES)  # (RESAMPLES, images)
    gains: dict[str, dict[str, Any]] = {rival: {} for rival in rivals}
    best: dict[str, Any] = {}
    for measure, value in MEASURES.items():
        for rival in rivals:
            gains[rival][measure] = _gain(by_upsampling["transposed"], by_upsampling[rival], value, draws)
        measured = [rival for rival in rivals if scores[rival][measure] is not None]
        best[measure] = gains[max(measured, key=lambda name: scores[name][measure] or 0)][measure] if measured else None
    return {"images": images, "scores": scores, "gains": gains | {"best": best}}


def _gain(scorer: Scorer, rival: Scorer, value: Measure, draws: np.ndarray) -> dict[str, float] | None:
    mean = percent(value(scorer, np.ones(draws.shape[1])) - value(rival, np.ones(draws.shape[1])))
    if mean is None:
        return None
    sampled = [value(scorer, weights) - value(rival, weights) for weights in draws]
    low, high = np.nanpercentile(sampled, (2.5, 97.5))
    return {"mean": mean, "low": round(100 * float(low), 2), "high": round(100 * float(high), 2)}


def _weighted_miou(matrices: list[Matrix], weights: np.ndarray) -> float:
    return mean_iou(np.tensordot(weights, np.stack(matrices), axes=1))


def _weighted_boundary(scorer: Scorer, weights: np.ndarray) -> float:
    values = np.array(scorer.boundary)
    defined = ~np.isnan(values)
    total = weights[defined].sum()
    return float((weights * np.nan_to_num(values)).sum() / total) if total else float("nan")


#: Each takes the scores of all photos and how often each photo counts.
MEASURES: dict[str, Measure] = {
    "miou": lambda scorer, weights: _weighted_miou(scorer.matrices, weights),
    "boundary_f1": _weighted_boundary,
    "trimap_8": lambda scorer, weights: _weighted_miou(scorer.trimaps[TRIMAPS[0]], weights),
    "trimap_16": lambda scorer, weights: _weighted_miou(scorer.trimaps[TRIMAPS[1]], weights),
}


def inspect_kernels(
    segmenter: Segmenter, samples: Iterable[tuple[Pixels, Labels]], max_side: int = WORKING_SIDE
) -> list[dict[str, Any]]:
    """Tell smooth kernels from speckled ones: a fine grid in a kernel flatters boundary F1 without being of use.

    Args:
        segmenter: The model.
        samples: Pairs of photo and labels, as for `compare`.
        max_side: Longest side of the working size, pixels.

    Returns:
        A row for each stride: "stride", "high_frequency" (percent of the kernel's energy above half the Nyquist
        frequency), and the points of mIoU and boundary F1 that transposed is ahead of bilinear, with the kernel as it
        is ("gain") and smoothed by SMOOTHING pixels ("gain_smoothed").
    """
    samples = list(samples)
    kernels = {stride: segmenter.kernel(stride) for stride in segmenter.engine.kernels}
    smooth = segmenter.with_kernels({stride: smooth_kernel(kernel, SMOOTHING) for stride, kernel in kernels.items()})
    trained = score_variants(segmenter, samples, [(s, name) for s in kernels for name in ("bilinear", "transposed")],
                             max_side)  # fmt: skip
    smoothed = score_variants(smooth, samples, [(stride, "transposed") for stride in kernels], max_side)

    def gain(stride: int, scorer: Scorer) -> dict[str, float | None]:
        plain = trained[stride, "bilinear"]
        return {
            "miou": percent(scorer.miou - plain.miou),
            "boundary_f1": percent(scorer.boundary_f1 - plain.boundary_f1),
        }

    return [
        {
            "stride": stride,
            "high_frequency": round(100 * high_frequency_energy(kernel), 2),
            "gain": gain(stride, trained[stride, "transposed"]),
            "gain_smoothed": gain(stride, smoothed[stride, "transposed"]),
        }
        for stride, kernel in kernels.items()
    ]


def high_frequency_energy(kernel: np.ndarray) -> float:
    """Share of a kernel's energy above half the Nyquist frequency, in either direction.

    Args:
        kernel: (k, k, C, K) float.

    Returns:
        Fraction 0-1.
    """
    energy = (np.abs(np.fft.fft2(kernel, axes=(0, 1))) ** 2).sum((2, 3))  # (k, k)
    frequency = np.abs(np.fft.fftfreq(len(kernel)))  # cycles a pixel; Nyquist is 0.5
    fine = np.maximum.outer(frequency, frequency) > 0.25
    return float(energy[fine].sum() / energy.sum())


def smooth_kernel(kernel: np.ndarray, sigma: float) -> np.ndarray:
    """Smooth a kernel (k, k, C, K) in both directions by a Gaussian of `sigma` pixels; zeros lie around it."""
    reach = int(np.ceil(4 * sigma))
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    weights /= weights.sum()
    smooth = kernel
    for axis in (0, 1):
        padded = np.pad(smooth, [(reach, reach) if axis == each else (0, 0) for each in range(4)])
        rows = np.moveaxis(padded, axis, 0)
        size = kernel.shape[axis]
        smooth = np.moveaxis(sum(w * rows[start : start + size] for start, w in enumerate(weights)), 0, axis)
    return np.asarray(smooth, np.float32)
