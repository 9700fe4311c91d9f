"""A folder of photos and masks -> scores for every stride and upsampling. Training measures its models here too."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fcn.errors import DataError
from fcn.images import IGNORE_LABEL, Labels, Pixels, decode, labels_to_own_size
from fcn.metrics import Tally
from fcn.network import STRIDES
from fcn.segmenter import Scores, Segmenter
from fcn.upsampling import UPSAMPLERS

Pair = tuple[Path, Path]  # a photo and its mask


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
        raise DataError(f"{len(lacking)} photos have no mask in {labels}, the first is {lacking[0]}.")
    return pairs


def read_pair(pair: Pair, classes: int) -> tuple[Pixels, Labels]:
    """Read a photo and its mask.

    Args:
        pair: Their paths.
        classes: Number of classes; mask values are below it, or IGNORE_LABEL.

    Returns:
        Photo (H, W, 3) uint8 and labels (H, W) uint8.

    Raises:
        PhotoError: The photo cannot be read.
        DataError: The mask cannot be read, has another size than its photo, or holds unknown classes.
    """
    pixels = decode(pair[0].read_bytes(), pair[0].name).pixels
    try:
        labels = np.asarray(Image.open(pair[1]))
    except OSError as error:
        raise DataError(f"The mask {pair[1]} cannot be read as an image.") from error
    if labels.shape != pixels.shape[:2]:
        raise DataError(f"The mask {pair[1].name} is {_size(labels)}, its photo {_size(pixels)} pixels.")
    unknown = sorted(set(np.unique(labels).tolist()) - {*range(classes), IGNORE_LABEL})
    if unknown:
        raise DataError(
            f"The mask {pair[1].name} holds the values {unknown[:5]}; "
            f"the model knows the classes 0 to {classes - 1}, and {IGNORE_LABEL} for pixels to ignore."
        )
    return pixels, labels.astype(np.uint8)


def evaluate(segmenter: Segmenter, samples: Iterable[tuple[Pixels, Labels]], longest: int = 480) -> list[dict[str, Any]]:
    """Score a model on photos with ground truth.

    Args:
        segmenter: The model.
        samples: Pairs of photo (H, W, 3) uint8 and labels (H, W) uint8, of any sizes.
        longest: Longest side of the working size, pixels. Labels are compared at the mask's own size.

    Returns:
        A row for each stride x upsampling: "stride", "upsampling", and in percent "miou", "pixel_accuracy",
        "boundary_f1" and "iou", a dictionary by class; None for what the data does not contain.
    """
    classes = segmenter.card.classes
    tallies = {(stride, way): Tally(len(classes)) for stride in STRIDES for way in UPSAMPLERS}
    for pixels, truth in samples:
        scores = segmenter.score(pixels, longest)
        for (stride, way), tally in tallies.items():
            tally.add(truth, full_labels(segmenter, scores, stride, way, (truth.shape[0], truth.shape[1])))
    return [row(tally, stride, way, classes) for (stride, way), tally in tallies.items()]


def full_labels(segmenter: Segmenter, scores: Scores, stride: int, upsampling: str, size: tuple[int, int]) -> Labels:
    """Labels at the photo's own size: (H, W) uint8 for `size` (H, W), nearest neighbour from working size."""
    return labels_to_own_size(segmenter.upsample(scores, stride, upsampling).labels, size)


def row(tally: Tally, stride: int, upsampling: str, classes: tuple[str, ...]) -> dict[str, Any]:
    """One line of the scoreboard, percent 0-100 with two decimals."""
    return {
        "stride": stride,
        "upsampling": upsampling,
        "miou": percent(tally.miou),
        "pixel_accuracy": percent(tally.pixel_accuracy),
        "boundary_f1": percent(tally.boundary_f1),
        "iou": {name: percent(value) for name, value in zip(classes, tally.iou, strict=True)},
    }


def percent(fraction: float) -> float | None:
    """0-1 -> 0-100 with two decimals; NaN -> None, which JSON writes as null."""
    return None if math.isnan(fraction) else round(100 * float(fraction), 2)


def _size(array: np.ndarray) -> str:
    return f"{array.shape[1]} x {array.shape[0]}" if array.ndim == 2 else " x ".join(map(str, array.shape[1::-1]))
