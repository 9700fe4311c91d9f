"""The results for a photo as files: pictures, shares, scores, and a README that explains how each was made."""

from __future__ import annotations

import csv
import io
import math
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fcn.model.segmenter import Scores
from fcn.model.zoo import Card
from fcn.photos.images import Labels, Photo, labels_to_own_size
from fcn.pictures import render

MOST_PIXELS = 16_000_000  # of a file: an overlay of 50 megapixels would take 10 s and 1 GB


def longest_side(size: tuple[int, int]) -> int:
    """The longest side of the files for a photo of `size`, pixels: its own, or half of it above MOST_PIXELS."""
    return max(size) // math.ceil(math.sqrt(size[0] * size[1] / MOST_PIXELS))


@dataclass(frozen=True, eq=False)
class Export:
    """Everything that the files are made from.

    Attributes:
        photo: The photo, decoded with `longest_side`.
        card: The model's card.
        scores: Its score maps of the photo.
        stride: Of the score map that was enlarged.
        upsampling: Of the labels that are exported: "nearest", "bilinear" or "transposed".
        against: The upsampling that they are compared with.
        by_upsampling: Labels (h, w) uint8 at working size, by upsampling.
        opacity: Of the colours of the overlay, 0 to 1.
        code: The same in Keras, from `keras_code.write`.
    """

    photo: Photo
    card: Card
    scores: Scores
    stride: int
    upsampling: str
    against: str
    by_upsampling: dict[str, Labels]
    opacity: float
    code: str

    @property
    def size(self) -> tuple[int, int]:
        """The files' (height, width), pixels: the photo's own, or half of it."""
        return self.photo.pixels.shape[0], self.photo.pixels.shape[1]

    @property
    def labels(self) -> Labels:
        """The chosen labels at the files' size, (H, W) uint8."""
        return labels_to_own_size(self.by_upsampling[self.upsampling], self.size)


def labels_png(export: Export) -> bytes:
    """Class indices with the model's palette."""
    return render.labels_png(export.labels, export.card.palette)


def overlay_png(export: Export) -> bytes:
    """The colours over the photo."""
    card = export.card
    pixels = render.overlay(export.photo.pixels, export.labels, card.palette, export.opacity, card.background)
    return render.png(pixels)


def coarse_png(export: Export) -> bytes:
    """The best class of each cell, enlarged to the working size."""
    scores, cells = export.scores, export.scores.coarse_labels(export.stride)
    return render.cells_png(cells, export.card.palette, export.stride, scores.height, scores.width)


def difference_png(export: Export) -> bytes:
    """Pixels that the two upsamplings label differently, orange."""
    differ = export.by_upsampling[export.against] != export.by_upsampling[export.upsampling]
    differ = labels_to_own_size(differ.astype(np.uint8), export.size)
    return render.errors_png(differ == 1, np.zeros(differ.shape, bool))


def shares_csv(export: Export) -> bytes:
    """How much of the photo each class covers."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["index", "class", "pixels", "percent"])
    counts = np.bincount(export.labels.ravel(), minlength=len(export.card.classes))
    for index, (name, count) in enumerate(zip(export.card.classes, counts, strict=True)):
        writer.writerow([index, name, count, f"{100 * count / counts.sum():.3f}"])
    return text.getvalue().encode()


def scores_npy(export: Export) -> bytes:
    """The score map, (rows, columns, classes) float32."""
    file = io.BytesIO()
    np.save(file, export.scores.cells(export.stride), allow_pickle=False)
    return file.getvalue()


def segment_py(export: Export) -> bytes:
    """The program that gives the labels, in Keras."""
    return export.code.encode()


def readme_txt(export: Export) -> bytes:
    """What is in the files, and how each was made."""
    card, scores, stride = export.card, export.scores, export.stride
    rows, columns, classes = scores.cells(stride).shape
    (height, width), (own_height, own_width) = export.size, export.photo.size
    most = f"{MOST_PIXELS // 10**6} megapixels"
    half = "" if height == own_height else f" Files are {width} x {height}, since it has over {most}."
    working = f"{scores.width} x {scores.height}"
    lines = [
        f"Segmentation of a photo of {own_width} x {own_height} pixels, computed at {working}.{half}",
        f"Model: {card.title} ({card.name}, {card.date}, SHA-256 {card.sha256}), FCN-{stride}s.",
        f"Upsampling: {export.upsampling}, x{stride}.",
        f"Classes: {', '.join(f'{index} {name}' for index, name in enumerate(card.classes))}.",
        "",
        f"labels.png      Class index of each pixel, {width} x {height}; the palette holds the colours. Labels were",
        f"                computed at {working} and brought to this size by nearest neighbour.",
        f"overlay.png     The colours of labels.png over the photo, opacity {export.opacity:.0%}.",
        f"coarse.png      The best class of each of the {columns} x {rows} cells of the score map, {working}.",
        f"difference.png  Orange: {export.against} and {export.upsampling} upsampling give different classes.",
        "shares.csv      Pixels of each class in labels.png, and their share in percent.",
        f"scores.npy      The score map, float32, shape ({rows}, {columns}, {classes}): rows, columns, classes.",
        "                Logits: softmax over the last axis gives probabilities. numpy.load reads it.",
        "segment.py      The same in Keras: a program to run in the project's folder.",
    ]
    return ("\n".join(lines) + "\n").encode()


#: File name -> the function that writes it.
FILES: dict[str, Callable[[Export], bytes]] = {
    "labels.png": labels_png,
    "overlay.png": overlay_png,
    "coarse.png": coarse_png,
    "difference.png": difference_png,
    "shares.csv": shares_csv,
    "scores.npy": scores_npy,
    "segment.py": segment_py,
    "README.txt": readme_txt,
}


def archive(export: Export) -> bytes:
    """All FILES in one ZIP."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for name, make in FILES.items():
            target.writestr(name, make(export))
    return file.getvalue()
