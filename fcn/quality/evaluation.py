"""A folder of photos and masks -> scores for every stride and upsampling. Training measures its models here too."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from fcn.errors import DataError, MaskError
from fcn.model.network import STRIDES
from fcn.model.segmenter import Scores, Segmenter
from fcn.model.upsampling import bilinear, choose_classes
from fcn.photos.files import read_file, shown_name
from fcn.photos.images import IGNORE_LABEL, WORKING_SIDE, Labels, Pixels, decode, labels_to_own_size
from fcn.photos.masks import read_mask
from fcn.quality.metrics import TRIMAPS, Scorer, confusion_matrix, mean_iou

FACTORS = (2, 4, 8, 16, 32, 64)  # of the upper bound

Pair = tuple[Path, Path]  # a photo and its mask
Variant = tuple[int, str]  # stride and upsampling


def find_pairs(folder: Path) -> list[Pair]:
    """List the photos of FOLDER/images with their masks in FOLDER/labels, by name.

    Raises:
        DataError: A folder is missing or empty, or a photo has no mask.
    """
    images, labels = folder / "images", folder / "labels"
    for needed in (images, labels):
        if not needed.is_dir():
            raise DataError(f"There is no folder {needed}. A data folder holds images/NAME.jpg and labels/NAME.png.")
    photos = sorted(path for path in images.iterdir() if path.is_file() and not path.name.startswith("."))
    pairs = [(photo, labels / f"{photo.stem}.png") for photo in photos]
    if not pairs:
        raise DataError(f"The folder {images} is empty. It should hold the photos to evaluate.")
    lacking = [mask.name for _, mask in pairs if not mask.is_file()]
    if lacking:
        raise DataError(f"{len(lacking)} photos have no mask in {labels}; the first missing one is {lacking[0]}.")
    return pairs


def read_pair(pair: Pair, classes: int, max_side: int | None = None) -> tuple[Pixels, Labels]:
    """Read a photo and its mask.

    Args:
        pair: Their paths.
        classes: Number of classes; mask values are below it, or IGNORE_LABEL.
        max_side: Longest side of the photo at working size, pixels; None for the photo's own size.

    Returns:
        Photo (h, w, 3) uint8 and labels (H, W) uint8; the labels always have the photo's own size.

    Raises:
        PhotoError: The photo cannot be read.
        MaskError: The mask cannot be read, has a different size from its photo, or holds unknown classes.
    """
    photo = decode(read_file(pair[0]), pair[0].name, max_side=max_side)
    labels = read_mask(read_file(pair[1], MaskError), photo.size, classes, name=f"The mask {shown_name(pair[1].name)}")
    return photo.pixels, labels


def evaluate(
    segmenter: Segmenter, samples: Iterable[tuple[Pixels, Labels]], max_side: int = WORKING_SIDE
) -> list[dict[str, Any]]:
    """Score a model on photos with ground truth.

    Args:
        segmenter: The model.
        samples: Pairs of photo (H, W, 3) uint8 and labels (H, W) uint8, of any sizes.
        max_side: Longest side of the working size, pixels. Labels are compared at the mask's own size.

    Returns:
        A row for each stride x upsampling: "stride", "upsampling", and in percent "miou", "pixel_accuracy",
        "boundary_f1", "trimap_8", "trimap_16" and "iou", a dictionary by class; None for what the data does not
        contain. For stride 32 of a model with shape channels also a row of the upsampling "mixed".
    """
    variants = [(stride, upsampling) for stride in STRIDES for upsampling in segmenter.upsamplings(stride)]
    scorers = score_variants(segmenter, samples, variants, max_side)
    return [row(scorer, *variant, segmenter.card.classes) for variant, scorer in scorers.items()]


def score_variants(
    segmenter: Segmenter,
    samples: Iterable[tuple[Pixels, Labels]],
    variants: Iterable[Variant],
    max_side: int = WORKING_SIDE,
) -> dict[Variant, Scorer]:
    """Score several variants on the same photos; one pass of the backbone per photo serves all of them."""
    scorers = {variant: Scorer(len(segmenter.card.classes)) for variant in variants}
    for pixels, truth in samples:
        scores = segmenter.score(pixels, max_side)
        for (stride, upsampling), scorer in scorers.items():
            scorer.add(truth, full_labels(segmenter, scores, stride, upsampling, (truth.shape[0], truth.shape[1])))
    return scorers


def upper_bound(masks: Iterable[Labels], classes: int) -> list[dict[str, Any]]:
    """What shrinking alone costs: ground truth is made smaller and larger again, and scored against itself.

    It bounds a network that predicts the share of each class in each cell. A trained one can exceed it: its scores may
    also express where in a cell an edge lies.

    Args:
        masks: (H, W) uint8 class indices or IGNORE_LABEL.
        classes: Number of classes.

    Returns:
        A row for each factor: "factor", and mIoU in percent after "nearest" and "bilinear" shrinking and enlarging.

    Source:
        Long, Shelhamer, Darrell: Fully convolutional networks for semantic segmentation, 2015, appendix A.
    """
    scorers = {
        (factor, resizing): np.zeros((classes, classes), np.int64) for factor in FACTORS for resizing in RESIZERS
    }
    for truth in masks:
        for (factor, resizing), matrix in scorers.items():
            matrix += confusion_matrix(truth, RESIZERS[resizing](truth, factor, classes), classes)
    return [
        {"factor": factor} | {resizing: percent(mean_iou(scorers[factor, resizing])) for resizing in RESIZERS}
        for factor in FACTORS
    ]


def shrunk_and_enlarged_nearest(labels: Labels, factor: int, classes: int) -> Labels:
    """Keep the middle pixel of each factor x factor cell and repeat it: (H, W) uint8 -> (H, W) uint8."""
    padded = _padded(np.where(labels == IGNORE_LABEL, 0, labels).astype(np.uint8), factor)
    cells = padded[factor // 2 :: factor, factor // 2 :: factor]
    return cells.repeat(factor, 0).repeat(factor, 1)[: labels.shape[0], : labels.shape[1]]


def shrunk_and_enlarged_bilinear(labels: Labels, factor: int, classes: int) -> Labels:
    """Share of each class in each cell, enlarged bilinearly, best class: (H, W) uint8 -> (H, W) uint8."""
    padded = _padded(labels, factor)
    rows, columns = padded.shape[0] // factor, padded.shape[1] // factor
    shares = np.stack(
        [(padded == index).reshape(rows, factor, columns, factor).mean((1, 3)) for index in range(classes)], axis=-1
    )
    full = bilinear(shares.astype(np.float32), factor)[: labels.shape[0], : labels.shape[1]]  # (H, W, C)
    return choose_classes(full)


def _padded(labels: Labels, factor: int) -> Labels:
    height, width = labels.shape
    return np.pad(labels, ((0, -height % factor), (0, -width % factor)), mode="edge")


RESIZERS = {"nearest": shrunk_and_enlarged_nearest, "bilinear": shrunk_and_enlarged_bilinear}


def full_labels(segmenter: Segmenter, scores: Scores, stride: int, upsampling: str, size: tuple[int, int]) -> Labels:
    """Labels at the photo's own size: (H, W) uint8 for `size` (H, W), nearest neighbour from working size."""
    return labels_to_own_size(segmenter.upsample(scores, stride, upsampling).labels, size)


def row(scorer: Scorer, stride: int, upsampling: str, classes: tuple[str, ...]) -> dict[str, Any]:
    """One line of the scoreboard, percent 0-100 with two decimals."""
    return {
        "stride": stride,
        "upsampling": upsampling,
        "miou": percent(scorer.miou),
        "pixel_accuracy": percent(scorer.pixel_accuracy),
        "boundary_f1": percent(scorer.boundary_f1),
        **{f"trimap_{radius}": percent(scorer.trimap_miou(radius)) for radius in TRIMAPS},
        "iou": {name: percent(value) for name, value in zip(classes, scorer.iou, strict=True)},
    }


def percent(fraction: float) -> float | None:
    """0-1 -> 0-100 with two decimals; NaN -> None, which JSON writes as null."""
    return None if math.isnan(fraction) else round(100 * float(fraction), 2)
