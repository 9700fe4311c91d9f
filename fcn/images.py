"""Photos in and out of the network: bytes to RGB, RGB to network input, labels to the photo's own size.

This is the only preprocessing: training, evaluation and the pages all come through here.
"""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageFile, ImageOps

from fcn.errors import FcnError, PhotoError

try:
    from pillow_heif import register_heif_opener
except ImportError:
    HEIF: tuple[str, ...] = ()
else:
    register_heif_opener()
    HEIF = ("HEIF",)

MAX_BYTES = 20 * 1024**2
MAX_PIXELS = 50_000_000  # 150 MB as RGB
STRIDE_MULTIPLE = 32  # the network's overall stride
IGNORE_LABEL = 255  # a pixel that counts in no score

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", *HEIF)
FORMATS_SAID = "JPEG, PNG, WebP, BMP, GIF" + (", TIFF or HEIC" if HEIF else " or TIFF")
NARROW = 100  # longest : shortest side; at 480 pixels the short side is then under 5

Labels = NDArray[np.uint8]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Photo:
    """A decoded photo, upright.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, read-only. Smaller than `size` only if `decode` was given `longest`.
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


def decode(data: bytes, name: str = "photo", *, longest: int | None = None) -> Photo:
    """Decode an uploaded file to an upright RGB photo; its colour profile is not applied.

    Args:
        data: the file's bytes: JPEG, PNG, WebP, BMP, GIF, TIFF, or HEIC where pillow-heif is installed.
        name: what to call the file in an error.
        longest: for JPEG, decode to the smallest of 1/1, 1/2, 1/4, 1/8 size whose longest side is still this many
            pixels: quicker and lighter for a large photo. None decodes at full size.

    Returns:
        The photo, 8 bits a channel, transparency on white.

    Raises:
        PhotoError: the bytes are empty, too many, too many pixels, damaged or no image of these formats.
    """
    image = open_header(data, name, FORMATS, FORMATS_SAID, PhotoError)
    width, height = image.size
    damaged = f"{name} is damaged or incomplete: its pixels cannot be read. Upload it again, or save it anew as JPEG."
    with failing_as(PhotoError(damaged)):
        if longest is not None and max(width, height) > longest:
            scale = longest / max(width, height)
            image.draft(None, (max(1, round(width * scale)), max(1, round(height * scale))))
        image.load()
        if _turn_upright(image):
            width, height = height, width
        rgb, notes = _to_rgb(image)
        pixels = np.asarray(rgb)  # (H, W, 3)
    pixels.setflags(write=False)
    notes = _frame_notes(image) + notes + _shape_notes(height, width)
    return Photo(pixels, (height, width), hashlib.sha256(data).hexdigest(), tuple(notes))


def network_input(pixels: Pixels, longest: int = 480) -> NetworkInput:
    """Shrink a photo to the working size and pad it to a multiple of 32.

    Bicubic, which Pillow widens to the scale and so does not alias; `reducing_gap` first averages whole blocks, four
    times quicker for 12 megapixels at a mean difference of 0.3 of 255. Padding repeats the last row and column: black
    would be an edge that the photo does not have.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        longest: longest side of the working size in pixels, at least 1. A smaller photo is not enlarged.

    Returns:
        The array for the network, and what is needed to crop its output and bring it back to the photo's size.
    """
    own_height, own_width = pixels.shape[:2]
    scale = min(1.0, longest / max(own_height, own_width))
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


@contextmanager
def failing_as(error: FcnError) -> Iterator[None]:
    """Replace whatever a decoder raises by one plain error; Pillow's plugins raise nearly every built-in exception."""
    try:
        yield
    except Exception as cause:
        raise error from cause


def open_header(
    data: bytes, name: str, formats: Sequence[str], formats_said: str, error: type[FcnError]
) -> ImageFile.ImageFile:
    """Read the header only, and refuse what is too large before any pixel is decoded."""
    if not data:
        raise error(f"{name} is empty (0 bytes). Choose another file.")
    if len(data) > MAX_BYTES:
        received = f"{len(data) / 1024**2:.1f} MB"
        raise error(f"{name} has {received}; the limit is {MAX_BYTES // 1024**2} MB. Save it smaller or as JPEG.")
    if not HEIF and data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"hevc"):
        raise error(f"{name} is a HEIC file, which this server cannot read. Save it as JPEG and upload that.")
    unreadable = f"{name} ({len(data):,} bytes) is not an image that can be read here, or is damaged."
    with failing_as(error(f"{unreadable} Use {formats_said}.")):
        image = _plugin_open(_without_png_profiles(data), formats)
    width, height = image.size
    if width * height > MAX_PIXELS:
        received = f"{width} x {height} pixels ({width * height / 1e6:.1f} megapixels)"
        raise error(f"{name} has {received}; the limit is {MAX_PIXELS // 10**6} megapixels. Save it smaller.")
    return image


def _plugin_open(data: bytes, formats: Sequence[str]) -> ImageFile.ImageFile:
    """Do what Image.open does, less its size check: that warns or fails by global settings, and cannot say the size."""
    Image.init()
    for name in formats:
        factory, accept = Image.OPEN.get(name, (None, None))
        if factory is not None and (accept is None or accept(data[:16])):
            return factory(io.BytesIO(data), "")
    raise ValueError("no known signature")


def _without_png_profiles(data: bytes) -> bytes:
    """Drop colour profile and texts from a PNG: Pillow refuses the whole file when one of them is broken or large."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    kept, start = [data[:8]], 8
    while start + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, start)
        end = start + 12 + length  # length, kind, content, checksum
        if kind not in (b"iCCP", b"iTXt", b"tEXt", b"zTXt"):
            kept.append(data[start:end])
        start = end
    return b"".join(kept)


def _to_rgb(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """Convert any Pillow mode to RGB; say so where a visitor could see a difference."""
    if image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.uint32)
        grey = ((values + 128) // 257).astype(np.uint8)  # Pillow's own conversion clips everything above 255
        return Image.fromarray(grey).convert("RGB"), ["16-bit greyscale: scaled to 8 bits."]
    if image.mode in ("I", "F"):
        grey = _stretched(np.asarray(image))
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
    return image if image.mode == "RGB" else image.convert("RGB"), []  # no copy: 200 MB at the limit


def _stretched(values: NDArray[np.generic]) -> Pixels:
    """Scale values of unknown range, (H, W) int32 or float32, to 0-255 uint8; a constant picture is black."""
    limit = 1e37  # infinities too: a difference of two limits still fits float32
    finite = np.nan_to_num(np.asarray(values, np.float32), nan=0.0, posinf=limit, neginf=-limit).clip(-limit, limit)
    low, high = float(finite.min()), float(finite.max())
    if high <= low:
        return np.zeros(finite.shape, np.uint8)
    scaled: Pixels = np.rint((finite - np.float32(low)) / np.float32(high - low) * 255).astype(np.uint8)
    return scaled


def _on_white(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """Composite an RGBA image on white, the page's own background."""
    alpha = image.getchannel("A")
    if alpha.getextrema() == (255, 255):
        return image.convert("RGB"), []
    background = Image.new("RGB", image.size, "white")
    background.paste(image.convert("RGB"), mask=alpha)
    return background, ["Transparent areas are shown on white."]


def _turn_upright(image: Image.Image) -> bool:
    """Apply the EXIF orientation in place, as far as EXIF can be read; tell whether width and height changed places."""
    swapped = False
    with suppress(Exception):
        swapped = image.getexif().get(ExifTags.Base.Orientation) in (5, 6, 7, 8)
        ImageOps.exif_transpose(image, in_place=True)
    return swapped


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
