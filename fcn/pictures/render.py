"""Labels to pictures: arrays, and encoded files that a browser shows as they are."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fcn.photos.images import Labels, Pixels

Palette = Sequence[tuple[int, int, int]]
GRID = (20, 20, 20)  # lines between cells
BAND = 1 << 20  # pixels mixed at a time


def overlay(pixels: Pixels, labels: Labels, palette: Palette, opacity: float, background: int | None = None) -> Pixels:
    """Lay the colours of the labels over the photo.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        labels: (H, W) uint8 class indices.
        palette: One RGB colour per class.
        opacity: 0 shows the photo, 1 the colours alone.
        background: Index of the class that gets no colour and is slightly dimmed.

    Returns:
        (H, W, 3) uint8.
    """
    mixed = np.empty_like(pixels)
    rows = max(1, BAND // pixels.shape[1])
    for top in range(0, pixels.shape[0], rows):  # whole, 16 megapixels would take 250 MB
        band = slice(top, top + rows)
        colours = _palette_image(labels[band], palette).convert("RGB")
        photo = Image.fromarray(pixels[band])
        tinted = Image.blend(photo, colours, opacity)
        if background is not None:
            dimmed = Image.blend(photo, Image.new("RGB", photo.size), dimming(opacity))
            tinted.paste(dimmed, mask=Image.fromarray(np.where(labels[band] == background, 255, 0).astype(np.uint8)))
        mixed[band] = np.asarray(tinted)
    return mixed


def dimming(opacity: float) -> float:
    """How much black lies over the background, 0 to 1, when the colours of the classes have this opacity."""
    return min(opacity / 2, 0.25)


def png(pixels: Pixels) -> bytes:
    """Encode an RGB picture (H, W, 3) uint8; Huffman coding alone is the quickest, and not larger on photos."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1, compress_type=zlib.Z_HUFFMAN_ONLY)
    return buffer.getvalue()


def jpeg(pixels: Pixels, quality: int = 90) -> bytes:
    """Encode a photo (H, W, 3) uint8 for the page; colours keep their full resolution."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def labels_png(labels: Labels, palette: Palette) -> bytes:
    """Encode labels as a PNG whose pixel values are the class indices and whose palette is the model's."""
    buffer = io.BytesIO()
    _palette_image(labels, palette).save(buffer, "PNG")
    return buffer.getvalue()


def cells_png(labels: Labels, palette: Palette, stride: int, height: int, width: int, grid: bool = False) -> bytes:
    """Draw a coarse label map as large cells that match the photo exactly.

    Args:
        labels: (ceil(height / stride), ceil(width / stride)) uint8 class indices of the cells.
        palette: One RGB colour per class.
        stride: Side of a cell, pixels of the photo at working size.
        height: Rows of the photo at working size; the last cells are cut there.
        width: Columns of the photo at working size.
        grid: Draw lines between the cells, on a picture enlarged twice to keep them thin.

    Returns:
        A palette PNG of height x width, or twice that with a grid.
    """
    scale = 2 if grid else 1
    side = stride * scale
    picture = labels.repeat(side, 0).repeat(side, 1)[: height * scale, : width * scale].copy()
    if grid:
        picture[side::side] = picture[:, side::side] = len(palette)
    return labels_png(picture, [*palette, GRID])


def errors_png(wrong: NDArray[np.bool_], unknown: NDArray[np.bool_]) -> bytes:
    """Draw wrong pixels orange, unknown ones grey, on near white; both (H, W) bool."""
    states = wrong.astype(np.uint8)
    states[unknown] = 2
    return labels_png(states, ((240, 243, 246), (213, 94, 0), (150, 150, 150)))


def class_shares(labels: Labels, classes: Sequence[str]) -> dict[str, float]:
    """Share of the photo that each class covers, 0 to 1, largest first; classes that do not occur are left out."""
    counts = np.bincount(labels.ravel(), minlength=len(classes))
    order = np.argsort(-counts, kind="stable")
    return {classes[index]: float(counts[index] / labels.size) for index in order if counts[index]}


def _palette_image(labels: Labels, palette: Palette) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(labels))
    image.putpalette([part for colour in palette for part in colour])
    return image
