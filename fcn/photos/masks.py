"""Ground-truth masks: bytes to labels, from class indices or from colours."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fcn.errors import MaskError
from fcn.photos.files import failing_as, open_header
from fcn.photos.images import IGNORE_LABEL, Labels, labels_to_own_size
from fcn.photos.rgb import Pixels, bands


def read_mask(
    data: bytes,
    size: tuple[int, int],
    classes: int,
    palette: Sequence[tuple[int, int, int]] = (),
    *,
    name: str = "The mask",
    most: int | None = None,
) -> Labels:
    """Read a ground-truth mask, either class indices or colours.

    A greyscale mask holds class indices, and 255 for pixels to ignore. So does a mask with a colour table, unless every
    colour in use belongs to a class: then the colours count, because programs reorder such tables when they save. An
    RGB mask holds exactly the colours of the palette.

    Args:
        data: the bytes of a PNG.
        size: (height, width) the mask must have, as in `Photo.size`.
        classes: number of classes, at most 255.
        palette: one (red, green, blue) per class, 0-255; none, if only class indices are allowed.
        name: what to call the mask in an error.
        most: how many pixels the labels may have; of a larger mask every pixel is checked, and `fit` gives the size
            returned. None for the mask's own size.

    Returns:
        (height, width) uint8: class indices and IGNORE_LABEL.

    Raises:
        MaskError: not a PNG, a different size from the photo, or values and colours that are not classes.
    """
    image = open_header(data, name, ("PNG",), "PNG (other formats change label values)", MaskError)
    if image.size != (size[1], size[0]):
        received, expected = f"{image.width} x {image.height}", f"{size[1]} x {size[0]}"
        raise MaskError(f"{name} has {received} pixels, but its photo has {expected}. Use a mask of the photo's size.")
    with failing_as(MaskError(f"{name} is damaged or incomplete: its pixels cannot be read. Save it again as PNG.")):
        image.load()
        in_colour = image.mode in ("RGB", "RGBA")
        if image.mode == "LA" or (in_colour and not palette):
            kinds = "greyscale, with a colour table, or as RGB" if palette else "greyscale: class indices"
            raise MaskError(f"{name} has {len(image.getbands())} channels. Save it as {kinds}.")
        by_colour = in_colour or (bool(palette) and image.mode == "P" and _colours_in_use(image) <= set(palette))
        table = _table(palette) if by_colour else None
        labels = np.empty(size, np.uint8)
        for top, end, band in bands(image):  # whole, a colour mask of 50 megapixels would take over 1 GB
            if table is None:
                labels[top:end] = _labels_from_indices(np.asarray(band), classes, name)
            else:
                labels[top:end] = _labels_from_colours(np.asarray(band.convert("RGB")), table, name)
    return labels if most is None else labels_to_own_size(labels, fit(size, most))


def fit(size: tuple[int, int], most: int) -> tuple[int, int]:
    """The size (height, width) of a picture with at most so many pixels and about the same shape."""
    height, width = size
    scale = min(1.0, math.sqrt(most / (height * width)))
    height = max(1, min(most, round(height * scale)))
    return height, max(1, min(most // height, round(width * scale)))


def _colours_in_use(image: Image.Image) -> set[tuple[int, int, int]]:
    """List the colours that the pixels of a P image really use."""
    table = np.zeros((256, 3), np.uint8)
    colours = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
    table[: len(colours)] = colours
    return {(int(red), int(green), int(blue)) for red, green, blue in table[np.flatnonzero(image.histogram())]}


def _labels_from_indices(values: NDArray[np.generic], classes: int, name: str) -> Labels:
    """Check (H, W) class indices of any integer type."""
    unknown = sorted(set(np.unique(values).astype(int).tolist()) - {*range(classes), IGNORE_LABEL})
    if unknown:
        listed = ", ".join(str(value) for value in unknown[:5]) + (", ..." if len(unknown) > 5 else "")
        expected = f"0 to {classes - 1}, or {IGNORE_LABEL} for pixels to ignore"
        raise MaskError(f"{name} has values that are not classes: {listed}. Use class indices {expected}.")
    return values.astype(np.uint8)


def _table(palette: Sequence[tuple[int, int, int]]) -> Labels:
    """Label of every colour, (2^24,): quicker than one pass per class."""
    table = np.full(1 << 24, IGNORE_LABEL, np.uint8)
    for label, (red, green, blue) in enumerate(palette):
        table[(red << 16) + (green << 8) + blue] = label
    return table


def _labels_from_colours(values: Pixels, table: Labels, name: str) -> Labels:
    """Look up (H, W, 3) colours in the table."""
    red, green, blue = np.moveaxis(values.astype(np.uint32), -1, 0)  # (H, W) each
    packed = (red << 16) + (green << 8) + blue
    labels: Labels = table[packed]  # (H, W)
    unknown = np.unique(packed[labels == IGNORE_LABEL])
    if unknown.size:
        colours = [f"({c >> 16}, {c >> 8 & 255}, {c & 255})" for c in unknown[:5].tolist()]
        listed = ", ".join(colours) + (", ..." if unknown.size > 5 else "")
        raise MaskError(f"{name} has colours that are not classes: {listed}. Use exactly the colours of the legend.")
    return labels
