"""Any mode of Pillow to RGB, in bands of rows that take little memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

BAND = 1 << 19  # pixels converted at a time

Pixels = NDArray[np.uint8]


def bands(image: Image.Image, step: int = 1) -> Iterator[tuple[int, int, Image.Image]]:
    """Cut an image into bands of about BAND pixels, a multiple of `step` rows high: first row, end, and the band."""
    width, height = image.size
    rows = max(1, BAND // width // step) * step
    for top in range(0, height, rows):
        end = min(top + rows, height)
        yield top, end, image.crop((0, top, width, end))


def rgb_pixels(image: Image.Image, factor: int) -> tuple[Pixels, list[str]]:
    """Convert to RGB and shrink by a whole factor. In bands: Pillow's 4 bytes a pixel are 200 MB at the limit."""
    width, height = image.size
    pixels = np.empty((-(-height // factor), -(-width // factor), 3), np.uint8)
    span, notes = _span(image), dict[str, None]()
    for top, end, band in bands(image, factor):
        rgb, sentences = to_rgb(band, span)
        pixels[top // factor : -(-end // factor)] = np.asarray(rgb.reduce(factor))
        notes |= dict.fromkeys(sentences)
    return pixels, list(notes)


def to_rgb(image: Image.Image, span: tuple[float, float] = (0.0, 1.0)) -> tuple[Image.Image, list[str]]:
    """Convert any Pillow mode to RGB, with notes where a difference could be visible; `span` is for modes I and F."""
    if image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.uint32)
        grey = ((values + 128) // 257).astype(np.uint8)  # Pillow's own conversion clips everything above 255
        return Image.fromarray(grey).convert("RGB"), ["16-bit greyscale: scaled to 8 bits."]
    if image.mode in ("I", "F"):
        grey = _stretched(_finite(image), *span)
        return Image.fromarray(grey).convert("RGB"), ["Greyscale values scaled from their own darkest to brightest."]
    if image.mode == "LAB":
        spaces = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        rgb = ImageCms.profileToProfile(image, *spaces, outputMode="RGB")
        assert rgb is not None  # None is for inPlace=True
        return rgb, ["Lab colours converted to RGB."]
    if image.mode == "CMYK":
        return image.convert("RGB"), ["CMYK converted to RGB without a colour profile: colours may differ from print."]
    if image.mode == "La":  # Pillow's only mode without a way to RGBA
        image = image.convert("LA")
    if image.has_transparency_data:
        return _on_white(image.convert("RGBA"))
    return image.convert("RGB"), []


def _span(image: Image.Image) -> tuple[float, float]:
    """Find the darkest and brightest value of modes I and F, whose range is not defined."""
    if image.mode not in ("I", "F"):
        return 0.0, 1.0
    extremes = [(float(values.min()), float(values.max())) for *_, band in bands(image) for values in [_finite(band)]]
    return min(low for low, _ in extremes), max(high for _, high in extremes)


def _finite(image: Image.Image) -> NDArray[np.float32]:
    """Give (H, W) float32 without infinities, so that a difference of two values still fits."""
    limit = 1e37
    values = np.nan_to_num(np.asarray(image).astype(np.float32), nan=0.0, posinf=limit, neginf=-limit)
    finite: NDArray[np.float32] = values.clip(-limit, limit)
    return finite


def _stretched(values: NDArray[np.float32], low: float, high: float) -> Pixels:
    """Scale low to high to 0-255 uint8; a constant picture is black."""
    if high <= low:
        return np.zeros(values.shape, np.uint8)
    scaled: Pixels = np.rint((values - np.float32(low)) / np.float32(high - low) * 255).astype(np.uint8)
    return scaled


def _on_white(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """Composite an RGBA image on white, the page's own background."""
    alpha = image.getchannel("A")
    if alpha.getextrema() == (255, 255):
        return image.convert("RGB"), []
    background = Image.new("RGB", image.size, "white")
    background.paste(image.convert("RGB"), mask=alpha)
    return background, ["Transparent areas are shown on white."]
