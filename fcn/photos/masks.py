"""Ground-truth masks: bytes to labels, from class indices or from colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fcn.errors import MaskError
from fcn.photos.files import failing_as, open_header
from fcn.photos.images import IGNORE_LABEL, Labels, Pixels, bands


def read_mask(
    data: bytes, classes: Sequence[str], palette: Sequence[tuple[int, int, int]], size: tuple[int, int]
) -> Labels:
    """Read a ground-truth mask, either class indices or colours.

    A greyscale mask holds class indices, and 255 for pixels to ignore. So does a mask with a colour table, unless every
    colour in use belongs to a class: then the colours count, because programs reorder such tables when they save. An
    RGB mask holds exactly the colours of the palette.

    Args:
        data: the bytes of a PNG.
        classes: class names in the model's order, at most 255.
        palette: one (red, green, blue) a class, 0-255.
        size: (height, width) the mask must have, as in `Photo.size`.

    Returns:
        (height, width) uint8: class indices and IGNORE_LABEL.

    Raises:
        MaskError: no PNG, another size than the photo, or values and colours that are no class.
    """
    image = open_header(data, "The mask", ("PNG",), "PNG (other formats change label values)", MaskError)
    if image.size != (size[1], size[0]):
        received, expected = f"{image.width} x {image.height}", f"{size[1]} x {size[0]}"
        raise MaskError(f"The mask is {received} pixels and the photo {expected}. Use a mask of the photo's size.")
    with failing_as(MaskError("The mask is damaged or incomplete: its pixels cannot be read. Save it again as PNG.")):
        image.load()
        by_colour = image.mode in ("RGB", "RGBA") or (image.mode == "P" and _colours_in_use(image) <= set(palette))
        if image.mode == "LA":
            raise MaskError(f"The mask has mode {image.mode}. Save it as greyscale, with a colour table, or as RGB.")
        table = _table(palette) if by_colour else None
        labels = np.empty(size, np.uint8)
        for top, end, band in bands(image):  # whole, a colour mask of 50 megapixels would take over 1 GB
            if table is None:
                labels[top:end] = _labels_from_indices(np.asarray(band), len(classes))
            else:
                labels[top:end] = _labels_from_colours(np.asarray(band.convert("RGB")), table)
    return labels


def _colours_in_use(image: Image.Image) -> set[tuple[int, int, int]]:
    """List the colours that the pixels of a P image really use."""
    table = np.zeros((256, 3), np.uint8)
    colours = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
    table[: len(colours)] = colours
    return {(int(red), int(green), int(blue)) for red, green, blue in table[np.flatnonzero(image.histogram())]}


def _labels_from_indices(values: NDArray[np.generic], classes: int) -> Labels:
    """Check (H, W) class indices of any integer type."""
    unknown = sorted(set(np.unique(values).astype(int).tolist()) - {*range(classes), IGNORE_LABEL})
    if unknown:
        listed = ", ".join(str(value) for value in unknown[:5]) + (", ..." if len(unknown) > 5 else "")
        expected = f"0 to {classes - 1}, or {IGNORE_LABEL} for pixels to ignore"
        raise MaskError(f"The mask holds values that are no class: {listed}. Use class indices {expected}.")
    return values.astype(np.uint8)


def _table(palette: Sequence[tuple[int, int, int]]) -> Labels:
    """Label of every colour, (2^24,): quicker than one pass a class."""
    table = np.full(1 << 24, IGNORE_LABEL, np.uint8)
    for label, (red, green, blue) in enumerate(palette):
        table[(red << 16) + (green << 8) + blue] = label
    return table


def _labels_from_colours(values: Pixels, table: Labels) -> Labels:
    """Look up (H, W, 3) colours in the table."""
    red, green, blue = np.moveaxis(values.astype(np.uint32), -1, 0)  # (H, W) each
    packed = (red << 16) + (green << 8) + blue
    labels: Labels = table[packed]  # (H, W)
    unknown = np.unique(packed[labels == IGNORE_LABEL])
    if unknown.size:
        colours = [f"({c >> 16}, {c >> 8 & 255}, {c & 255})" for c in unknown[:5].tolist()]
        listed = ", ".join(colours) + (", ..." if unknown.size > 5 else "")
        raise MaskError(f"The mask holds colours that are no class: {listed}. Use the colours of the legend exactly.")
    return labels
