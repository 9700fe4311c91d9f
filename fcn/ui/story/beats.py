"""The text of the story at each beat: a sentence, and a number that is true of this photo."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fcn.model.network import STRIDES
from fcn.photos.images import Labels
from fcn.quality.metrics import confusion_matrix, mean_iou
from fcn.ui.lessons.resize_loss import Subject

#: The seven stops; some have several beats.
STOPS = ("Photo", "Halved five times", "Cells", "Zeros between", "Kernel stamped", "Result", "Sharpened")
HALVINGS = (2, 4, 8, 16, 32)
#: What happens at each halving, by the stride reached.
ON_THE_WAY = {
    2: "A convolution of stride 2 leaves half the rows and half the columns. Behind the photo is a feature map, one "
    "of the pictures that the network works with from now on.",
    4: "Halved again. Each number now describes a small patch of the photo: edges, colours, stripes.",
    8: "Fewer places, but more numbers in each. The network can tell small shapes apart.",
    16: "Now it recognises parts of things: a wheel, a leg, a piece of sky. Where exactly they end is already blurred.",
    32: "After five halvings the network knows best what is in the photo, and least about where it is.",
}


@dataclass(frozen=True)
class Beat:
    """One position in the story.

    Attributes:
        stop: Index of the stop that it belongs to.
        sentence: What happens.
        number: A number that is true of this photo.
        unit: What the number counts.
    """

    stop: int
    sentence: str
    number: str
    unit: str


def beats(photo: Subject, labels: dict[int, Labels], channels: dict[int, int]) -> list[dict[str, Any]]:
    """Tell the story of a photo.

    Args:
        photo: The photo and its score maps.
        labels: Stride -> (h, w) uint8, by transposed convolution.
        channels: Stride -> number of channels of the network's features there.

    Returns:
        The beats in their order, as plain values: the photo, five halvings, cells, zeros, kernel, result, FCN-16s,
        FCN-8s, and the ground truth if there is one.
    """
    width, height = photo.scores.width, photo.scores.height
    coarse = photo.scores.coarse_labels(STRIDES[0])
    rows, columns = coarse.shape
    story = [
        Beat(
            0,
            "The photo as the network receives it. Each pixel is only a colour; the question is what it shows.",
            f"{width * height:,}",
            f"pixels, {width} x {height}, each waiting for a class",
        )
    ]
    for stride in HALVINGS:
        places = f"{-(-width // stride)} x {-(-height // stride)}"
        story.append(Beat(1, ON_THE_WAY[stride], places, f"places left, with {channels[stride]:,} numbers in each"))
    story += [
        Beat(
            2,
            "Each cell picks the class with the highest score. This is all that FCN-32s knows about the photo.",
            f"{coarse.size}",
            f"answers for {width * height:,} pixels: one for about every {width * height / coarse.size:,.0f}",
        ),
        Beat(
            3,
            "Zeros are inserted between the cells, so that each cell sits where it belongs in the full-size "
            "picture. This adds no information yet. Each dot is a single pixel, drawn larger.",
            f"{1 - coarse.size / (width * height):.1%}",
            "of the full-size picture is zeros now",
        ),
        Beat(
            4,
            "Cell by cell, the kernel is multiplied by the scores of the cell and stamped onto the picture. Where "
            "stamps overlap they add up, until every pixel is covered.",
            f"{coarse.size}",
            f"stamps of {2 * STRIDES[0]} x {2 * STRIDES[0]} pixels; four of them overlap on a pixel away from the edge",
        ),
        result(photo, labels[STRIDES[0]], coarse),
    ]
    return [asdict(beat) for beat in [*story, *sharpened(photo, labels)]]


def result(photo: Subject, labels: Labels, coarse: Labels) -> Beat:
    """How many pixels get a different class from their cell."""
    stride = STRIDES[0]
    cells = coarse.repeat(stride, 0).repeat(stride, 1)[: labels.shape[0], : labels.shape[1]]
    share = float((cells != labels).mean())
    sentence = "At each pixel the class with the highest sum wins: a class for every pixel, at the size of the photo."
    if photo.is_truth:
        return Beat(
            5,
            sentence,
            f"{_miou(photo, labels):.1f} %",
            "mIoU: how well the areas of the classes match the ground truth",
        )
    return Beat(5, sentence, f"{share:.1%}", "of the pixels get a different class from their cell")


def sharpened(photo: Subject, labels: dict[int, Labels]) -> list[Beat]:
    """FCN-16s, FCN-8s, and the ground truth if there is one."""
    story = []
    for stride, before in ((16, 32), (8, 16)):
        sentence = (
            f"FCN-{stride}s adds scores from an earlier layer, in cells of {stride} x {stride} pixels: the same "
            "upsampling, finer cells."
        )
        moved = float((labels[stride] != labels[before]).mean())
        if photo.is_truth:
            story.append(
                Beat(6, sentence, f"{_miou(photo, labels[stride]):.1f} %", f"mIoU; {moved:.1%} of the pixels changed")
            )
        else:
            story.append(Beat(6, sentence, f"{moved:.1%}", "of the pixels changed class"))
    if photo.is_truth:
        wrong = float((photo.labels != labels[8])[photo.labels < len(photo.card.classes)].mean())
        sentence = "The ground truth, drawn along with the scene. The network has never seen it."
        story.append(Beat(6, sentence, f"{1 - wrong:.1%}", "pixel accuracy of FCN-8s"))
    return story


def _miou(photo: Subject, labels: Labels) -> float:
    return 100 * mean_iou(confusion_matrix(photo.labels, labels, len(photo.card.classes)))


def contrast(maps: np.ndarray) -> np.ndarray:
    """The feature map with the most contrast: (h, w, K) uint8 -> (h, w) uint8."""
    return maps[..., int(maps.std((0, 1)).argmax())]
