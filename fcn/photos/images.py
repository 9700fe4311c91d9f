"""Photos in and out of the network: bytes to RGB, RGB to network input, labels to the photo's own size.

This is the only preprocessing: training, evaluation and the pages all come through here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

from fcn.errors import PhotoError
from fcn.photos.files import HEIF, failing_as, open_header, shown_name

MAX_EXIF = 1024**2
BAND = 1 << 19  # pixels converted at a time
STRIDE_MULTIPLE = 32  # the network's overall stride
IGNORE_LABEL = 255  # a pixel that counts in no score

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", *HEIF)
FORMAT_NAMES = "JPEG, PNG, WebP, BMP, GIF" + (", TIFF or HEIC" if HEIF else " or TIFF")
NARROW = 100  # max_side : shortest side; at 480 pixels the short side is then under 5

Labels = NDArray[np.uint8]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Photo:
    """A decoded photo, upright.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, read-only. Smaller than `size` only if `decode` was given `max_side`.
        size: the photo's own (height, width) in pixels, as shown upright.
        sha256: hex digest of the bytes received; with the model's id, the key of every cache.
        notes: sentences for the visitor about what was done to the photo.
    """

    pixels: Pixels
    size: tuple[int, int]
    sha256: str
    notes: tuple[str, ...]

    @property
    def nbytes(self) -> int:
        """Memory that the pixels take."""
        return self.pixels.nbytes


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """A photo at working size, padded to the network's stride.

    Attributes:
        array: (1, H32, W32, 3) float32 RGB, 0-255; H32 and W32 are multiples of 32.
        height: rows of `array` that hold the photo; the rest repeats its last row.
        width: columns of `array` that hold the photo.
        own_height: rows of the pixels received.
        own_width: columns of the pixels received.
    """

    array: NDArray[np.float32]
    height: int
    width: int
    own_height: int
    own_width: int


def decode(data: bytes, name: str = "photo", *, max_side: int | None = None) -> Photo:
    """Decode an uploaded file to an upright RGB photo; its colour profile is not applied.

    Args:
        data: the file's bytes: JPEG, PNG, WebP, BMP, GIF, TIFF, or HEIC where pillow-heif is installed.
        name: what to call the file in an error.
        max_side: about how many pixels the longest side is going to be shrunk to. A larger photo is decoded lighter: a
            JPEG at 1/2, 1/4 or 1/8 size, at least `max_side`; others shrunk by whole blocks, to at least twice
            `max_side`. None decodes at full size.

    Returns:
        The photo, 8 bits a channel, transparency on white.

    Raises:
        PhotoError: the bytes are empty, too many, too many pixels, damaged or no image of these formats.
    """
    name = shown_name(name)
    image = open_header(data, name, FORMATS, FORMAT_NAMES, PhotoError)
    width, height = image.size
    damaged = f"{name} is damaged or incomplete: its pixels cannot be read. Upload it again, or save it anew as JPEG."
    with failing_as(PhotoError(damaged)):
        if max_side is not None and max(width, height) > max_side:
            scale = max_side / max(width, height)
            image.draft(None, (max(1, round(width * scale)), max(1, round(height * scale))))
        image.load()
        factor = 1 if max_side is None else max(1, max(image.size) // (2 * max_side))
        pixels, notes = _rgb_pixels(image, factor)
        turn = _orientation(image)
        if turn in (5, 6, 7, 8):
            pixels, width, height = pixels.transpose(1, 0, 2), height, width
        pixels = pixels[:: -1 if turn in (3, 4, 7, 8) else 1, :: -1 if turn in (2, 3, 6, 7) else 1]
    pixels.setflags(write=False)
    notes = _frame_notes(image) + notes + _shape_notes(height, width)
    return Photo(pixels, (height, width), hashlib.sha256(data).hexdigest(), tuple(notes))


def network_input(pixels: Pixels, max_side: int = 480) -> NetworkInput:
    """Shrink a photo to the working size and pad it to a multiple of 32.

    Bicubic, which Pillow widens to the scale and so does not alias; `reducing_gap` first averages whole blocks, four
    times quicker for 12 megapixels at a mean difference of 0.3 of 255. Padding repeats the last row and column: black
    would be an edge that the photo does not have.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        max_side: longest side of the working size in pixels, at least 1. A smaller photo is not enlarged.

    Returns:
        The array for the network, and what is needed to crop its output and bring it back to the photo's size.
    """
    own_height, own_width = pixels.shape[:2]
    scale = min(1.0, max_side / max(own_height, own_width))
    height, width = max(1, round(own_height * scale)), max(1, round(own_width * scale))
    if (height, width) != (own_height, own_width):
        resized = Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)
        pixels = np.asarray(resized)  # (height, width, 3)
    margins = ((0, -height % STRIDE_MULTIPLE), (0, -width % STRIDE_MULTIPLE), (0, 0))
    padded = np.pad(pixels, margins, mode="edge").astype(np.float32)  # (H32, W32, 3)
    return NetworkInput(padded[np.newaxis], height, width, own_height, own_width)


def labels_to_own_size(labels: Labels, size: tuple[int, int]) -> Labels:
    """Bring labels to the photo's own size by nearest neighbour: a mean of two class indices is a third class.

    Args:
        labels: (h, w) uint8 class indices, already cropped to the photo.
        size: (height, width) in pixels, as in `Photo.size`.

    Returns:
        (height, width) uint8 class indices.
    """
    # centre of each new pixel, in whole numbers: Pillow's own nearest adds up rounding errors along a row
    rows, columns = ((2 * np.arange(new) + 1) * old // (2 * new) for old, new in zip(labels.shape, size, strict=True))
    own: Labels = labels[:, columns][rows]
    return own


def bands(image: Image.Image, step: int = 1) -> Iterator[tuple[int, int, Image.Image]]:
    """Cut an image into bands of about BAND pixels, a multiple of `step` rows high: first row, end, and the band."""
    width, height = image.size
    rows = max(1, BAND // width // step) * step
    for top in range(0, height, rows):
        end = min(top + rows, height)
        yield top, end, image.crop((0, top, width, end))


def _rgb_pixels(image: Image.Image, factor: int) -> tuple[Pixels, list[str]]:
    """Convert to RGB and shrink by a whole factor. In bands: Pillow's 4 bytes a pixel are 200 MB at the limit."""
    width, height = image.size
    pixels = np.empty((-(-height // factor), -(-width // factor), 3), np.uint8)
    span, notes = _span(image), dict[str, None]()
    for top, end, band in bands(image, factor):
        rgb, said = _to_rgb(band, span)
        pixels[top // factor : -(-end // factor)] = np.asarray(rgb.reduce(factor))
        notes |= dict.fromkeys(said)
    return pixels, list(notes)


def _to_rgb(image: Image.Image, span: tuple[float, float] = (0.0, 1.0)) -> tuple[Image.Image, list[str]]:
    """Convert any Pillow mode to RGB; say so where a visitor could see a difference. `span` is for modes I and F."""
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
    """Find the darkest and brightest value of modes I and F, whose range nobody knows."""
    if image.mode not in ("I", "F"):
        return 0.0, 1.0
    extremes = [(float(found.min()), float(found.max())) for *_, band in bands(image) for found in [_finite(band)]]
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


def _orientation(image: Image.Image) -> object:
    """Read how the camera was held, 1 to 8, as far as EXIF can be read."""
    with suppress(Exception):
        if len(image.info.get("exif") or b"") <= MAX_EXIF:
            return image.getexif().get(ExifTags.Base.Orientation)
    return None


def _frame_notes(image: Image.Image) -> list[str]:
    """Say that there is more in the file than its first frame."""
    with suppress(Exception):  # a broken second frame is no fault of the first
        if image.format in ("GIF", "PNG", "WEBP") and getattr(image, "is_animated", False):
            return ["Animated: the first frame is shown."]
        if image.format == "TIFF" and getattr(image, "is_animated", False):
            return ["Several pages: the first one is shown."]
    return []


def _shape_notes(height: int, width: int) -> list[str]:
    """Say what an unusual shape means for the network."""
    notes = []
    if min(height, width) < STRIDE_MULTIPLE:
        side = f"Less than {STRIDE_MULTIPLE} pixels wide or high"
        notes.append(f"{side}: edges were repeated to fill the network's smallest input.")
    if max(height, width) > NARROW * min(height, width):
        notes.append(f"Very narrow ({width} x {height} pixels): the network sees little of the short side.")
    return notes
