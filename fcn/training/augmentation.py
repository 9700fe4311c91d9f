"""Random changes of a training photo, and of its labels with it."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from fcn.photos.images import IGNORE_LABEL


def augment(
    photo: np.ndarray,
    labels: np.ndarray,
    crop: tuple[int, int],
    scale: tuple[float, float],
    colour: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Enlarge or shrink, mirror, cut out and recolour, each at random.

    Args:
        photo: (H, W, 3) uint8 RGB.
        labels: (H, W) uint8, class index or IGNORE_LABEL.
        crop: Height and width of the result, pixels. Where the photo ends, it is dark and its label ignored.
        scale: Smallest and largest factor of enlargement.
        colour: How far brightness, contrast and saturation may change, as a share.
        rng: Source of all chance.

    Returns:
        The photo (h, w, 3) uint8 and its labels (h, w) uint8.
    """
    factor = np.exp(rng.uniform(np.log(scale[0]), np.log(scale[1])))
    stretch = np.exp(rng.uniform(-0.12, 0.12))  # width against height
    height, width = photo.shape[:2]
    size = (max(1, round(width * factor * stretch)), max(1, round(height * factor / stretch)))
    offset = [
        rng.integers(min(0, have - want), max(0, have - want) + 1) for have, want in zip(size[::-1], crop, strict=True)
    ]

    image = Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR)
    mask = Image.fromarray(labels).resize(size, Image.Resampling.NEAREST)
    image = recolour(cut(image, offset, crop, (0, 0, 0)), colour, rng)
    mask = cut(mask, offset, crop, IGNORE_LABEL)
    mirror = slice(None, None, -1 if rng.random() < 0.5 else 1)
    return np.asarray(image)[:, mirror], np.asarray(mask)[:, mirror]


def paste_objects(
    photo: np.ndarray, labels: np.ndarray, donor: np.ndarray, donor_labels: np.ndarray, objects: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Copy the objects of one photo into another, at the place where they are.

    Args:
        photo: (H, W, 3) uint8 RGB.
        labels: (H, W) uint8.
        donor: (H, W, 3) uint8 RGB, the photo that the objects come from.
        donor_labels: (H, W) uint8.
        objects: Indices of the classes that are copied.

    Returns:
        The changed photo and labels, of the same shapes.

    Source:
        Ghiasi et al.: Simple copy-paste is a strong data augmentation method for instance segmentation, 2021.
    """
    copied = np.isin(donor_labels, objects)  # (H, W)
    return np.where(copied[..., np.newaxis], donor, photo), np.where(copied, donor_labels, labels)


def cut(image: Image.Image, offset: list[int], size: tuple[int, int], fill: int | tuple[int, int, int]) -> Image.Image:
    """Cut out a rectangle of `size` (height, width) at `offset` (top, left); outside the image it is `fill`."""
    result = Image.new(image.mode, (size[1], size[0]), fill)
    result.paste(image, (-int(offset[1]), -int(offset[0])))
    return result


def recolour(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    """Change brightness, contrast, saturation, gamma and white balance a little, and blur some photos."""
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = change(image).enhance(rng.uniform(1 - strength, 1 + strength))
    if rng.random() < 0.5:
        gains = rng.uniform(1 - strength / 3, 1 + strength / 3, size=3)
        gamma = np.exp(rng.uniform(-strength, strength))
        ramps = np.clip(gains[:, None] * 255 * (np.arange(256) / 255) ** gamma, 0, 255).astype(int)
        image = image.point(ramps.ravel().tolist())
    if rng.random() < 0.15:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
    return image
