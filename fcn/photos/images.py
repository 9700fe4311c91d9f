"""Photos in and out of the network: bytes to RGB, RGB to network input, labels to the photo's own size.

This is the only preprocessing: pages, command line, evaluation and training all come through here, so that one file
gives the same labels everywhere. A large photo is first decoded lightly (`decode_light`), a whole number of times
smaller; `shrink` brings that copy to the working size, which is worked out from the photo's own size.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from fcn.errors import PhotoError
from fcn.photos.files import HEIF, MAX_SIDE, failing_as, open_header, shown_name
from fcn.photos.rgb import Pixels, rgb_pixels

WORKING_SIDE = 480  # pixels, the longest side of a photo as the network sees it, unless another is requested
LARGEST = 960  # pixels, the longest working side that a light copy is meant for, unless another is requested
MAX_EXIF = 1024**2
STRIDE_MULTIPLE = 32  # the network's overall stride
IGNORE_LABEL = 255  # a pixel that counts in no score

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", *HEIF)
FORMAT_NAMES = "JPEG, PNG, WebP, BMP, GIF" + (", TIFF or HEIC" if HEIF else " or TIFF")
NARROW = 100  # max_side : shortest side; at 480 pixels the short side is then under 5

Labels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Photo:
    """A decoded photo, upright.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, read-only. A light or shrunk copy has fewer than `size`.
        size: the photo's own (height, width) in pixels, as shown upright.
        sha256: hex digest of the bytes received; with the model's id, the key of every cache.
        notes: sentences for the visitor about what was done to the photo.
    """

    pixels: Pixels
    size: tuple[int, int]
    sha256: str
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """A photo at working size, padded to the network's stride.

    Attributes:
        array: (1, H32, W32, 3) float32 RGB, 0-255; H32 and W32 are multiples of 32.
        height: rows of `array` that hold the photo; the rest repeats its last row.
        width: columns of `array` that hold the photo.
    """

    array: NDArray[np.float32]
    height: int
    width: int


def decode(data: bytes, name: str = "photo", *, max_side: int | None = WORKING_SIDE) -> Photo:
    """Decode a file to an upright RGB photo at working size; its colour profile is not applied.

    Args:
        data: the file's bytes: JPEG, PNG, WebP, BMP, GIF, TIFF, or HEIC where pillow-heif is installed.
        name: what to call the file in an error.
        max_side: longest side of the working size in pixels, as for `shrink`. None decodes at the photo's own size.

    Returns:
        The photo, 8 bits a channel, transparency on white.

    Raises:
        PhotoError: the bytes are empty, too many, too many pixels, damaged or no image of these formats.
    """
    if max_side is None:
        return decode_light(data, name, MAX_SIDE)
    photo = decode_light(data, name, max(LARGEST, max_side))
    return replace(photo, pixels=shrink(photo, max_side))


def decode_light(data: bytes, name: str = "photo", side: int = LARGEST) -> Photo:
    """Decode a file to a copy that is a whole number of times smaller, for working sizes that are chosen later.

    A JPEG decodes at 1/2, 1/4 or 1/8 size in a third of the time; of others whole blocks are averaged.

    Args:
        data: as for `decode`.
        name: as for `decode`.
        side: what the copy's longest side is not to fall below, pixels. A smaller photo keeps its size.

    Raises:
        PhotoError: as for `decode`.
    """
    name = shown_name(name)
    image = open_header(data, name, FORMATS, FORMAT_NAMES, PhotoError)
    width, height = image.size
    damaged = f"{name} is damaged or incomplete: its pixels cannot be read. Upload it again, or save it again as JPEG."
    with failing_as(PhotoError(damaged)):
        factor = max(1, max(width, height) // side)
        image.draft(None, (max(1, width // factor), max(1, height // factor)))
        image.load()
        pixels, notes = rgb_pixels(image, max(1, max(image.size) // side))
        turn = _orientation(image)
        if turn in (5, 6, 7, 8):
            pixels, width, height = pixels.transpose(1, 0, 2), height, width
        pixels = pixels[:: -1 if turn in (3, 4, 7, 8) else 1, :: -1 if turn in (2, 3, 6, 7) else 1]
    pixels.setflags(write=False)
    notes = _frame_notes(image) + notes + _shape_notes(height, width)
    return Photo(pixels, (height, width), hashlib.sha256(data).hexdigest(), tuple(notes))


def working_size(size: tuple[int, int], max_side: int) -> tuple[int, int]:
    """Height and width of a photo as the network sees it, for its own `size`. A smaller photo is not enlarged."""
    scale = min(1.0, max_side / max(size))
    height, width = (max(1, round(side * scale)) for side in size)
    return height, width


def shrink(photo: Photo | Pixels, max_side: int = WORKING_SIDE) -> Pixels:
    """Bring a photo to working size: the only resize before the network.

    Whole blocks are averaged first, as `decode_light` does. Then bicubic, which Pillow widens to the scale and so does
    not alias; `reducing_gap` averages blocks once more where that is four times quicker, at a mean difference of 0.3
    of 255.

    Args:
        photo: A photo, perhaps a light copy; or all its pixels, (H, W, 3) uint8 RGB.
        max_side: longest side of the working size in pixels, at least 1.

    Returns:
        (height, width, 3) uint8, at the size of `working_size`.

    Raises:
        ValueError: the copy was decoded for a smaller working size.
    """
    pixels, size = (photo.pixels, photo.size) if isinstance(photo, Photo) else (photo, photo.shape[:2])
    height, width = working_size((size[0], size[1]), max_side)
    if pixels.shape[:2] == (height, width):
        return pixels
    if pixels.shape[0] < height or pixels.shape[1] < width:
        raise ValueError(f"The copy has {pixels.shape[:2]} pixels, too few for {height, width}. Decode it larger.")
    image = Image.fromarray(pixels)
    image = image.reduce(max(1, max(image.size) // max(LARGEST, max_side)))
    shrunk: Pixels = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0))
    return shrunk


def network_input(photo: Photo | Pixels, max_side: int = WORKING_SIDE) -> NetworkInput:
    """Shrink a photo to the working size and pad it to a multiple of 32.

    Padding repeats the last row and column: black would be an edge that the photo does not have.

    Args:
        photo: As for `shrink`.
        max_side: As for `shrink`.

    Returns:
        The array for the network, and what is needed to crop its output.
    """
    pixels = shrink(photo, max_side)
    height, width = pixels.shape[:2]
    margins = ((0, -height % STRIDE_MULTIPLE), (0, -width % STRIDE_MULTIPLE), (0, 0))
    padded = np.pad(pixels, margins, mode="edge").astype(np.float32)  # (H32, W32, 3)
    return NetworkInput(padded[np.newaxis], height, width)


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
    resized: Labels = labels[:, columns][rows]
    return resized


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
