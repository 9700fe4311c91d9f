"""Hostile and odd files, built by code, and what measures them.

`python tests/support/hostile.py cases` sends every case through the decoding child, one by one, and prints what each
costs as a line of JSON: time, and memory in this process and in the child. `python tests/support/hostile.py mutations`
decodes thousands of damaged files in its own process. The tests run both as children: a crash, a hang or a word on
stderr is then a finding and not the end of the tests.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import io
import json
import os
import re
import struct
import sys
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageCms, features

sys.path.insert(0, str(Path(__file__).parents[2]))

from fcn.compute.decoding import Decoder
from fcn.errors import FcnError, MaskError, PhotoError
from fcn.photos.files import HEIF, MAX_BYTES, MAX_PIXELS
from fcn.photos.images import decode
from fcn.photos.masks import fit, read_mask
from fcn.pictures.export import longest_side
from tests.support.hostile_containers import heic_grid, heic_with_items, webp_with_codes

Colour = tuple[int, int, int]
RED, GREEN, BLUE, GREY, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128), (255, 255, 255)
QUARTERS = (RED, GREEN, BLUE, GREY)
WIDTH, HEIGHT = 48, 32
PHOTO, SENTENCE, EITHER = "photo", "sentence", "either"  # either: depends on how Pillow was built


@dataclass(frozen=True)
class Case:
    """One file that a visitor may send.

    Attributes:
        name: What is odd about it.
        file: The file's name.
        build: Gives its bytes.
        expected: PHOTO, SENTENCE or EITHER.
        size: (height, width) of the photo, where it is one.
        corners: Colours of the corners, where they are known: top left, top right, bottom left, bottom right.
        says: A word of the sentence.
        large: Whether it takes long: then it is not read as a mask too.
    """

    name: str
    file: str
    build: Callable[[], bytes]
    expected: str
    size: tuple[int, int] | None = None
    corners: tuple[Colour, ...] | None = None
    says: str = ""
    large: bool = False


CASES: list[Case] = []


def add(name: str, file: str, build: Callable[[], bytes] | bytes, expected: str, **more: Any) -> None:
    """Add a case; a photo of which nothing else is said shows `picture`."""
    if expected == PHOTO and "size" not in more:
        more = {"size": (HEIGHT, WIDTH), "corners": QUARTERS} | more
    CASES.append(Case(name, file, build if callable(build) else functools.partial(bytes, build), expected, **more))


# Parts of files


def picture() -> Image.Image:
    """Four quarters: red, green; blue, grey."""
    image = Image.new("RGB", (WIDTH, HEIGHT))
    for number, colour in enumerate(QUARTERS):
        left, top = number % 2 * WIDTH // 2, number // 2 * HEIGHT // 2
        image.paste(colour, (left, top, left + WIDTH // 2, top + HEIGHT // 2))
    return image


def noise(height: int = 60, width: int = 70, seed: int = 0) -> Image.Image:
    """Noise, which no format compresses: most of the file is pixels."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def encode(image: Image.Image, form: str, **options: Any) -> bytes:
    """The bytes of an image in a format."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(
    width: int, height: int, depth: int, colour: int, rows: bytes, before: bytes = b"", interlaced: int = 0
) -> bytes:
    """A PNG from its compressed rows, with chunks before them."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", header) + before + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def flat_png(width: int, height: int, depth: int, colour: int, before: bytes = b"") -> bytes:
    """A PNG of zeros, of any size."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    packer = zlib.compressobj(1)
    full, rest = divmod(height * (1 + (width * depth * channels + 7) // 8), 1 << 20)
    parts = [packer.compress(bytes(1 << 20)) for _ in range(full)] + [packer.compress(bytes(rest))]
    return png(width, height, depth, colour, b"".join(parts) + packer.flush(), before)


def interlaced_png() -> bytes:
    """The picture in the seven passes of Adam7, which Pillow reads but does not write."""
    pixels = np.asarray(picture())
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    parts = [pixels[top::down, left::across] for top, left, down, across in passes]
    rows = b"".join(b"\0" + row.tobytes() for part in parts for row in part)
    return png(WIDTH, HEIGHT, 8, 2, zlib.compress(rows), interlaced=1)


def in_png(before: bytes) -> bytes:
    """The picture as PNG, with chunks before its pixels."""
    rows = b"".join(b"\0" + row.tobytes() for row in np.asarray(picture()))
    return png(WIDTH, HEIGHT, 8, 2, zlib.compress(rows), before)


def segment(mark: int, content: bytes) -> bytes:
    """A segment of a JPEG."""
    return bytes([0xFF, mark]) + struct.pack(">H", len(content) + 2) + content


def in_jpeg(before: bytes, image: Image.Image | None = None, **options: Any) -> bytes:
    """The picture as JPEG, with bytes right after its start."""
    data = encode(image or picture(), "JPEG", quality=95, **options)
    return data[:2] + before + data[2:]


def claiming_jpeg(side: int) -> bytes:
    """A small JPEG that says it is a large square."""
    data = in_jpeg(b"")
    place = data.index(b"\xff\xc0") + 5
    return data[:place] + struct.pack(">HH", side, side) + data[place + 4 :]


def endless_scans(megabytes: float) -> bytes:
    """A progressive JPEG of 50 megapixels whose last scan, 97 bytes and 15 ms, comes again and again."""
    data = encode(Image.new("L", (8192, 6103), 100), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xc4") : -2]
    return data[:-2] + last * int(megabytes * 1024**2 / len(last)) + b"\xff\xd9"


def arithmetic_jpeg() -> bytes:
    """A JPEG in arithmetic coding, without its code: a decoder takes that as zeros."""
    data = encode(Image.new("L", (WIDTH, HEIGHT), 128), "JPEG")
    header = re.sub(rb"\xff\xc4\0.{28,}?(?=\xff[\xc4\xda])", b"", data, flags=re.DOTALL).replace(
        b"\xff\xc0", b"\xff\xc9"
    )
    scan = header.index(b"\xff\xda")
    return header[: scan + 2 + header[scan + 3]] + b"\xff\xd9"


def in_gif(before: bytes) -> bytes:
    """The picture as GIF, with blocks before its pixels."""
    data = encode(picture().convert("P", palette=Image.Palette.ADAPTIVE), "GIF")
    start = 13 + (3 << ((data[10] & 7) + 1))
    return data[:start] + before + data[start:]


def tiff(tags: dict[int, tuple[int, Any]], data: bytes = b"", following: int | None = 0) -> bytes:
    """A TIFF from its tags: number -> (type, values). None for `following` is a loop. `data` begins at byte 8."""
    start = 8 + len(data) + len(data) % 2
    outside, entries = b"", b""
    place = start + 2 + 12 * len(tags) + 4
    for tag, (kind, values) in sorted(tags.items()):
        content = np.array(values, {1: "u1", 3: "<u2", 4: "<u4", 5: "<u4", 12: "<f8"}[kind]).tobytes()
        count = len(values) // 2 if kind == 5 else len(values)
        if len(content) > 4:
            entries += struct.pack("<HHLL", tag, kind, count, place + len(outside))
            outside += content
        else:
            entries += struct.pack("<HHL", tag, kind, count) + content.ljust(4, b"\0")
    body = struct.pack("<H", len(tags)) + entries + struct.pack("<L", start if following is None else following)
    return struct.pack("<2sHL", b"II", 42, start) + data.ljust(start - 8, b"\0") + body + outside


def rgb_tags(width: int, height: int, length: int, **changed: tuple[int, Any]) -> dict[int, Any]:
    """Tags of an RGB TIFF in one strip at byte 8."""
    tags = {256: (4, [width]), 257: (4, [height]), 258: (3, [8, 8, 8]), 259: (3, [1]), 262: (3, [2])}
    tags |= {273: (4, [8]), 277: (3, [3]), 278: (4, [height]), 279: (4, [length])}
    return tags | {int(tag[1:]): value for tag, value in changed.items()}


def tiled_tiff() -> bytes:
    """The picture in tiles of 16 x 16."""
    pixels = np.asarray(picture())
    pieces = [pixels[top : top + 16, left : left + 16] for top in (0, 16) for left in (0, 16, 32)]
    tags = rgb_tags(WIDTH, HEIGHT, 0, t322=(4, [16]), t323=(4, [16]), t325=(4, [768] * 6))
    tags[324] = (4, [8 + 768 * number for number in range(6)])
    for strips in (273, 278, 279):
        del tags[strips]
    return tiff(tags, b"".join(piece.tobytes() for piece in pieces))


def planar_tiff() -> bytes:
    """The picture as three planes."""
    planes = np.asarray(picture()).transpose(2, 0, 1)
    size = WIDTH * HEIGHT
    more = {"t273": (4, [8, 8 + size, 8 + 2 * size]), "t279": (4, [size] * 3), "t284": (3, [2])}
    return tiff(rgb_tags(WIDTH, HEIGHT, 0, **more), planes.tobytes())


def bmp(width: int, height: int, bits: int, compression: int, data: bytes, palette: bytes = b"") -> bytes:
    """A BMP written by hand."""
    sizes = (len(data), 0, 0, len(palette) // 4, 0)
    header = struct.pack("<LllHHLLllLL", 40, width, height, 1, bits, compression, *sizes)
    start = 14 + len(header) + len(palette)
    return b"BM" + struct.pack("<LHHL", start + len(data), 0, 0, start) + header + palette + data


def webp_header(width: int, height: int) -> bytes:
    """A WebP that promises a size and has no pixels."""
    extended = struct.pack("<L", 0x10) + struct.pack("<L", width - 1)[:3] + struct.pack("<L", height - 1)[:3]
    lossless = b"\x2f" + struct.pack("<L", min(width - 1, 16383) | min(height - 1, 16383) << 14) + bytes(40)
    body = b"WEBPVP8X" + struct.pack("<L", 10) + extended + b"VP8L" + struct.pack("<L", len(lossless)) + lossless
    return b"RIFF" + struct.pack("<L", len(body) + len(body) % 2) + body + b"\0" * (len(body) % 2)


def animation(form: str, number: int, **options: Any) -> bytes:
    """An animation that starts with the picture."""
    rest = [Image.new("RGB", (WIDTH, HEIGHT), (index % 256, index // 256, 99)) for index in range(number - 1)]
    return encode(picture(), form, save_all=True, append_images=rest, **options)


def heic(**changed: int) -> bytes:
    """The picture as HEIC; or noise of 64 x 64 whose header says `width` and `height`."""
    data = encode(noise(64, 64) if changed else picture(), "HEIF", quality=95)
    if changed:
        place = data.index(b"ispe") + 8
        data = data[:place] + struct.pack(">LL", changed["width"], changed["height"]) + data[place + 8 :]
    return data


def exif(*entries: tuple[int, int, int, int], following: int = 0) -> bytes:
    """EXIF from its entries: tag, type, count, value."""
    listed = b"".join(struct.pack("<HHLL", *entry) for entry in entries)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + listed + struct.pack("<L", following)


def zip_archive() -> bytes:
    """A small archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("photo.jpg", in_jpeg(b""))
    return file.getvalue()


def pad(data: bytes, size: int) -> bytes:
    """Fill a file with zeros up to a size."""
    return data.ljust(size, b"\0")


def filling(piece: bytes, size: int = MAX_BYTES - 10_000) -> bytes:
    """As many pieces as an upload can hold."""
    return piece * (size // len(piece))


# Right files of every format and mode

for form in ("PNG", "BMP", "TIFF", "GIF"):
    add(
        f"{form} as it should be",
        f"photo.{form.lower()}",
        functools.partial(encode, picture(), form),
        PHOTO,
    )
for form in ("JPEG", "WEBP"):
    build = functools.partial(encode, picture(), form, quality=95)
    add(f"{form} as it should be", f"photo.{form.lower()}", build, PHOTO)

GREYS = tuple((int(grey),) * 3 for grey in np.asarray(picture().convert("L"))[[0, 0, -1, -1], [0, -1, 0, -1]])
MODES = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA"),
    "TIFF": ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "I", "F"),
    "JPEG": ("L", "RGB", "CMYK", "YCbCr"),
    "WEBP": ("RGB", "RGBA"),
    "GIF": ("1", "L", "P"),
    "BMP": ("1", "L", "P", "RGB", "RGBA"),
}
for form, modes in MODES.items():
    for mode in modes:
        known = {"1": None, "I": None, "F": None, "L": GREYS, "LA": GREYS}.get(mode, QUARTERS)
        converted = picture().convert("P", palette=Image.Palette.ADAPTIVE) if mode in ("P", "PA") else picture()
        build = functools.partial(encode, converted.convert(mode), form, **({"quality": 95} if form == "JPEG" else {}))
        add(f"{form} of mode {mode}", f"{mode}.{form.lower()}", build, PHOTO, corners=known)


def lab() -> bytes:
    """The picture in LAB."""
    spaces = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = ImageCms.profileToProfile(picture(), *spaces, outputMode="LAB")
    assert image is not None
    return encode(image, "TIFF")


def grey_steps(form: str) -> bytes:
    """Steps of 16-bit grey."""
    values = np.repeat([[0, 0x4000, 0x8000, 0xFFFF]], HEIGHT, axis=0).repeat(WIDTH // 4, axis=1).astype(np.uint16)
    return encode(Image.fromarray(values), form)


def transparent_picture(**options: Any) -> bytes:
    """The picture with a palette in which red is transparent."""
    image = picture().convert("P", palette=Image.Palette.ADAPTIVE)
    red = image.getpixel((0, 0))
    assert isinstance(red, int)
    return encode(image, transparency=red, **options)


STEPS = ((0, 0, 0), WHITE, (0, 0, 0), WHITE)
add("LAB", "lab.tif", lab, PHOTO)
add("16-bit PNG", "depth.png", functools.partial(grey_steps, "PNG"), PHOTO, corners=STEPS)
add("16-bit TIFF", "depth.tif", functools.partial(grey_steps, "TIFF"), PHOTO, corners=STEPS)
add(
    "palette with transparency, PNG",
    "clear.png",
    functools.partial(transparent_picture, form="PNG"),
    PHOTO,
    corners=(WHITE, *QUARTERS[1:]),
)
add(
    "palette with transparency, GIF",
    "clear.gif",
    functools.partial(transparent_picture, form="GIF"),
    PHOTO,
    corners=(WHITE, *QUARTERS[1:]),
)
add("interlaced PNG", "adam7.png", interlaced_png, PHOTO)
add("interlaced GIF", "lines.gif", lambda: encode(picture(), "GIF", interlace=1), PHOTO)
add("progressive JPEG", "progressive.jpg", lambda: in_jpeg(b"", progressive=True), PHOTO)
add("arithmetic JPEG", "arithmetic.jpg", arithmetic_jpeg, EITHER, size=(HEIGHT, WIDTH))
add("JPEG with restart marks", "restart.jpg", lambda: in_jpeg(b"", restart_marker_blocks=1), PHOTO)
add("lossless WebP", "lossless.webp", lambda: encode(picture(), "WEBP", lossless=True), PHOTO)
add("tiled TIFF", "tiles.tif", tiled_tiff, PHOTO)
add("planar TIFF", "planes.tif", planar_tiff, PHOTO)
add("big TIFF", "big.tif", lambda: encode(picture(), "TIFF", big_tiff=True), PHOTO)
for packing in ("packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "lzma", "zstd", "jpeg"):
    build = functools.partial(
        encode, picture(), "TIFF", compression=packing, **({"quality": 95} if packing == "jpeg" else {})
    )
    try:
        build()
    except (OSError, RuntimeError):  # not in this Pillow
        continue
    add(f"TIFF in {packing}", f"{packing}.tif", build, PHOTO)
add(
    "TIFF as a fax",
    "fax.tif",
    lambda: encode(picture().convert("1"), "TIFF", compression="group4"),
    PHOTO,
    corners=None,
)
add("TIFF in an unknown compression", "new.tif", tiff(rgb_tags(8, 8, 192, t259=(3, [60000])), bytes(192)), SENTENCE)
for width, height in ((1, 1), (1, 20_000), (20_000, 1)):
    for form in ("PNG", "GIF", "TIFF", "BMP", "JPEG"):
        build = functools.partial(encode, Image.new("RGB", (width, height), RED), form)
        add(f"{form} of {width} x {height}", f"thin.{form.lower()}", build, PHOTO, size=(height, width))
add("no pixels in width", "none.png", png(0, 5, 8, 2, zlib.compress(b"\0" * 5)), SENTENCE)
add("no pixels in height", "none.bmp", bmp(5, 0, 24, 0, b""), SENTENCE)

# Animations and pages

add("GIF of 2000 frames", "long.gif", lambda: animation("GIF", 2000), PHOTO)
add("PNG of 300 frames", "long.png", lambda: animation("PNG", 300), PHOTO)
add("WebP of 300 frames", "long.webp", lambda: animation("WEBP", 300, lossless=True, method=0), PHOTO)
add("TIFF of 100 pages", "pages.tif", lambda: animation("TIFF", 100), PHOTO)
add(
    "MPO of two photos",
    "stereo.mpo",
    lambda: encode(picture(), "MPO", save_all=True, append_images=[noise()], quality=95),
    PHOTO,
)
add(
    "TIFF whose pages are a ring",
    "ring.tif",
    lambda: tiff(rgb_tags(WIDTH, HEIGHT, 4608), picture().tobytes(), None),
    PHOTO,
)

# Nothing, too much, and just enough

add("zero bytes", "empty.jpg", b"", SENTENCE, says="0 bytes")
add("one byte", "one.jpg", b"\xff", SENTENCE)
add("only zeros", "zeros.png", bytes(10_000), SENTENCE)
add("only the start of a JPEG", "start.jpg", b"\xff\xd8\xff", SENTENCE)
add("exactly the byte limit", "full.jpg", lambda: pad(in_jpeg(b""), MAX_BYTES), PHOTO)
add("one byte over the limit", "over.jpg", lambda: pad(in_jpeg(b""), MAX_BYTES + 1), SENTENCE, says="20.1 MB")
add("bomb of 169 megapixels", "bomb.png", lambda: flat_png(13_000, 13_000, 1, 0), SENTENCE, says="169.0 megapixels")
add("one row over the pixel limit", "row.png", lambda: flat_png(10_000, 5_001, 1, 0), SENTENCE, says="50.1 megapixels")
add(
    "PNG of 2^31 x 2^31",
    "claim.png",
    lambda: png(2**31 - 1, 2**31 - 1, 8, 2, zlib.compress(b"\0")),
    SENTENCE,
    says="limit is 50",
)
add(
    "GIF of 65535 x 65535",
    "claim.gif",
    b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x08\x01\0\0;",
    SENTENCE,
    says="limit is 50",
)
add(
    "GIF whose frame is larger",
    "frame.gif",
    b"GIF89a\x01\0\x01\0\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x08\x01\0\0;",
    SENTENCE,
    says="limit is 50",
)
add("WebP of 16384 x 16384", "claim.webp", webp_header(16384, 16384), SENTENCE)
add("WebP of 4001 x 4000", "claim4.webp", webp_header(4001, 4000), SENTENCE, says="limit")
add("BMP of 2^31 x 2^31", "claim.bmp", bmp(2**31 - 1, 2**31 - 1, 24, 0, bytes(99)), SENTENCE, says="limit is 50")
add("BMP upside down and endless", "claim-.bmp", bmp(100, -(2**31), 24, 0, bytes(99)), SENTENCE)
add("TIFF of 2^32 x 2^32", "claim.tif", tiff(rgb_tags(2**32 - 1, 2**32 - 1, 99), bytes(99)), SENTENCE, says="limit")
add(
    "JPEG of 65535 x 65535",
    "claim.jpg",
    lambda: claiming_jpeg(65535),
    SENTENCE,
    says="limit is 50",
)
add(
    "JPEG of 7000 x 7000 without pixels",
    "grey.jpg",
    lambda: claiming_jpeg(7000),
    PHOTO,
    size=(7000, 7000),
    large=True,
)

# What lies around the pixels: broken, endless, or for another reader


@functools.cache
def long_text() -> bytes:
    """100 MB in 100 kB."""
    return zlib.compress(bytes(100 * 1024**2))


add(
    "PNG with 100 MB of zTXt",
    "ztxt.png",
    lambda: in_png(chunk(b"zTXt", b"Title\0\0" + long_text())),
    PHOTO,
)
add(
    "PNG with 100 MB of iTXt",
    "itxt.png",
    lambda: in_png(chunk(b"iTXt", b"Title\0\1\0\0\0" + long_text())),
    PHOTO,
)
add(
    "PNG with 100 MB of iCCP",
    "iccp.png",
    lambda: in_png(chunk(b"iCCP", b"icc\0\0" + long_text())),
    PHOTO,
)
add(
    "PNG with 15 MB of tEXt",
    "text.png",
    lambda: in_png(chunk(b"tEXt", b"Title\0" + b"a" * 15_000_000)),
    PHOTO,
)
add("PNG with a broken iCCP", "iccp2.png", in_png(chunk(b"iCCP", b"broken")), PHOTO)
add(
    "PNG with 15 MB of EXIF",
    "exif.png",
    lambda: in_png(chunk(b"eXIf", filling(b"II*\0\x08\0\0\0", 15_000_000))),
    PHOTO,
)
add(
    "PNG with an EXIF orientation of 7 million numbers",
    "turns.png",
    lambda: in_png(chunk(b"eXIf", exif((274, 3, 7_000_000, 26))[6:] + filling(b"\x06\0", 14_000_000))),
    PHOTO,
)
add("PNG of a million chunks", "chunks.png", lambda: in_png(filling(chunk(b"teSt", b""))), SENTENCE)
add("PNG of a million empty pixel chunks", "empties.png", lambda: in_png(filling(chunk(b"IDAT", b""))), SENTENCE)
add(
    "PNG with a wrong checksum in its header",
    "crc.png",
    lambda: in_png(b"").replace(struct.pack(">I", zlib.crc32(in_png(b"")[12:29])), b"\0\0\0\0"),
    SENTENCE,
)
add("PNG with a chunk of 2^32 bytes", "length.png", in_png(b"\xff\xff\xff\xffIDAT"), SENTENCE)
add("PNG without a palette", "palette.png", png(8, 8, 8, 3, zlib.compress(bytes(72))), EITHER)
add("PNG with too short a transparency", "trns.png", in_png(chunk(b"tRNS", b"\0")), SENTENCE)
add("PNG with too few pixels", "few.png", png(WIDTH, HEIGHT, 8, 2, zlib.compress(bytes(99))), SENTENCE)
add(
    "PNG with too many pixels",
    "many.png",
    png(WIDTH, HEIGHT, 8, 2, zlib.compress(bytes(10_000_000))),
    PHOTO,
    corners=None,
)
add(
    "JPEG with 19 MB of EXIF",
    "exif.jpg",
    lambda: in_jpeg(filling(segment(0xE1, b"Exif\0\0" + bytes(65_000)))),
    PHOTO,
)
add("JPEG of 250,000 EXIFs", "exifs.jpg", lambda: in_jpeg(filling(segment(0xE1, b"Exif\0\0" + bytes(70)))), SENTENCE)
add("JPEG of five million segments", "apps.jpg", lambda: in_jpeg(filling(segment(0xE5, b""))), SENTENCE)
add("JPEG with 19 MB of zeros", "junk.jpg", lambda: in_jpeg(segment(0xE5, b"") + filling(b"\0")), PHOTO)
add("JPEG with 19 MB of filling", "fill.jpg", lambda: in_jpeg(filling(b"\xff")), PHOTO)
add("JPEG with a broken colour profile", "icc.jpg", lambda: in_jpeg(b"", icc_profile=b"broken"), PHOTO)
add(
    "JPEG of a million colour profiles",
    "iccs.jpg",
    lambda: in_jpeg(filling(segment(0xE2, b"ICC_PROFILE\0\1\1"))),
    SENTENCE,
)
add(
    "JPEG with endless Photoshop blocks",
    "8bim.jpg",
    lambda: in_jpeg(filling(segment(0xED, b"Photoshop 3.0\0" + b"8BIM\4\4\0\0\0\0\0\0" * 5400))),
    PHOTO,
)
add("JPEG of endless scans", "scans.jpg", lambda: endless_scans(1), SENTENCE)
add("JPEG with another number of lines", "dnl.jpg", lambda: in_jpeg(segment(0xDC, b"\xff\xff")), EITHER)
LOOP = exif((34665, 4, 1, 8), (34853, 4, 1, 8), (40965, 4, 1, 8), (274, 3, 1, 6), following=8)
TURNED = (BLUE, RED, GREY, GREEN)
add(
    "EXIF that contains itself",
    "loop.jpg",
    lambda: in_jpeg(segment(0xE1, LOOP)),
    PHOTO,
    size=(WIDTH, HEIGHT),
    corners=TURNED,
)
add(
    "EXIF that contains itself, in a WebP",
    "loop.webp",
    lambda: encode(picture(), "WEBP", lossless=True, exif=LOOP),
    PHOTO,
    size=(WIDTH, HEIGHT),
    corners=TURNED,
)
for number, broken in enumerate(
    (
        b"",
        b"II*\0",
        b"MM\0*\0\0\0\x08\xff\xff",
        b"II*\0\xff\xff\xff\xff",
        exif((274, 2, 2**31, 2**31))[6:],
        exif((274, 3, 1, 99))[6:],
        exif((274, 5, 1, 8))[6:],
    )
):
    add(
        f"broken EXIF {number}",
        f"exif{number}.jpg",
        in_jpeg(segment(0xE1, b"Exif\0\0" + broken)),
        PHOTO,
    )
add("GIF of a million comments", "comments.gif", lambda: in_gif(filling(b"!\xfe\1a\0")), SENTENCE)
add(
    "GIF with a comment in a million pieces",
    "comment.gif",
    lambda: in_gif(b"!\xfe" + filling(b"\1a") + b"\0"),
    SENTENCE,
)
add(
    "GIF with 19 MB of comment",
    "comment2.gif",
    lambda: in_gif(b"!\xfe" + filling(b"\xff" + b"a" * 255) + b"\0"),
    PHOTO,
)
add("GIF with 19 MB of empty bytes", "junk.gif", lambda: in_gif(filling(b"\1")), SENTENCE)
add(
    "GIF with pixels in a million pieces",
    "pieces.gif",
    lambda: in_gif(b"")[:-2] + filling(b"\1\0") + b"\0;",
    PHOTO,
)
add(
    "TIFF of five million strips",
    "strips.tif",
    lambda: tiff(rgb_tags(64, 64, 0, t273=(4, np.full(5_000_000, 8)), t278=(4, [1]))),
    SENTENCE,
)
add(
    "TIFF of five million tiles",
    "tiles5.tif",
    lambda: tiff(rgb_tags(64, 64, 0, t324=(4, np.arange(5_000_000)), t322=(4, [16]), t323=(4, [16])) | {273: (4, [])}),
    SENTENCE,
)
add(
    "TIFF of ten million depths",
    "depths.tif",
    lambda: tiff(rgb_tags(64, 64, 0, t258=(3, np.full(10_000_000, 8)))),
    SENTENCE,
)
add(
    "TIFF of ten million orientations",
    "turns.tif",
    lambda: tiff(rgb_tags(WIDTH, HEIGHT, 4608, t274=(3, np.full(7_000_000, 6))), picture().tobytes()),
    PHOTO,
)
add(
    "TIFF of two million resolutions",
    "dpi.tif",
    lambda: tiff(rgb_tags(WIDTH, HEIGHT, 4608, t282=(5, np.full(4_000_000, 7))), picture().tobytes()),
    PHOTO,
)
add(
    "TIFF whose EXIF is itself",
    "loop.tif",
    lambda: tiff(rgb_tags(WIDTH, HEIGHT, 4608, t34665=(4, [8 + 4608]), t330=(4, [8 + 4608])), picture().tobytes()),
    PHOTO,
)


def huge_tile() -> bytes:
    """A TIFF of 64 x 64 pixels whose only tile has 16000 x 16000, 768 MB."""
    packer = zlib.compressobj(1)
    data = b"".join(packer.compress(bytes(4_800_000)) for _ in range(160)) + packer.flush()
    tags = rgb_tags(
        64, 64, 0, t259=(3, [8]), t322=(4, [16000]), t323=(4, [16000]), t324=(4, [8]), t325=(4, [len(data)])
    )
    return tiff({tag: value for tag, value in tags.items() if tag not in (273, 278, 279)}, data)


add("TIFF with a tile of 768 MB", "tile.tif", huge_tile, SENTENCE)
add("TIFF with nonsense in every tag", "nonsense.tif", tiff(dict.fromkeys(rgb_tags(1, 1, 1), (12, [1e300]))), SENTENCE)

# Files of another kind

OTHER = {
    "text": b"Dear sir, please find attached my photo.\n" * 20,
    "HTML": b"<!DOCTYPE html><html><script>alert(1)</script></html>",
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><script>alert(1)</script></svg>",
    "PDF": b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n%%EOF\n",
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
    "PSD": b"8BPS\0\1\0\0\0\0\0\0\0\3\0\0\0\x09\0\0\0\x09\0\x08\0\3" + bytes(400),
    "program": b"MZ\x90\0" + bytes(500),
    "film": b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(500),
    "sound": b"RIFF\x24\0\0\0WAVEfmt " + bytes(30),
    "random bytes": np.random.default_rng(1).bytes(5000),
}
for kind, content in OTHER.items():
    add(f"{kind} under the name of a photo", f"{kind}.jpg", content, SENTENCE, says="Use JPEG")
add("ZIP under the name of a photo", "photos.png", zip_archive, SENTENCE, says="Use JPEG")
for form in ("ICO", "PPM", "TGA", "PCX", "SGI", "DDS", "ICNS"):
    build = functools.partial(encode, picture().resize((64, 64)).convert("RGBA" if form == "ICNS" else "RGB"), form)
    add(f"{form} under the name of a photo", "icon.png", build, SENTENCE, says="Use JPEG")
for form, file in (
    ("PNG", "photo.jpg"),
    ("WEBP", "photo.png"),
    ("BMP", "photo.gif"),
    ("GIF", "photo.jpeg"),
    ("TIFF", "photo"),
):
    add(f"{form} with another ending", file, functools.partial(encode, picture(), form, lossless=True), PHOTO)
add("JPEG and ZIP in one", "both.jpg", lambda: in_jpeg(b"") + zip_archive(), PHOTO)
add("ZIP and JPEG in one", "both2.jpg", lambda: zip_archive() + in_jpeg(b""), SENTENCE)
add("GIF and script in one", "both.gif", lambda: in_gif(b"!\xfe\x0f*/=1;alert(1)/*\0"), PHOTO)
add("script that starts as a GIF", "script.gif", b"GIF89a=1;alert(document.cookie);//", SENTENCE)
add(
    "PNG and HTML in one",
    "both.png",
    lambda: in_png(chunk(b"tEXt", b"Title\0<script>alert(1)</script>")) + OTHER["HTML"],
    PHOTO,
)
add("HTML and PNG in one", "both2.png", lambda: OTHER["HTML"] + in_png(b""), SENTENCE)
add("AVIF header", "photo.avif", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + bytes(500), SENTENCE, says="AVIF")
if features.check("avif"):
    add("AVIF", "photo.jpg", lambda: encode(picture(), "AVIF"), SENTENCE, says="AVIF")
add("HEIC header", "header.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500), SENTENCE)
if HEIF:
    add("HEIC", "photo.heic", heic, PHOTO)
    add("HEIC with the name of a JPEG", "photo.jpg", heic, PHOTO)
    add("HEIC of 20000 x 20000", "claim.heic", lambda: heic(width=20_000, height=20_000), SENTENCE, says="limit")
    add("HEIC of 5000 x 5000 in its header only", "claim2.heic", lambda: heic(width=5000, height=5000), SENTENCE)
    add("HEIC larger than its header says", "claim3.heic", lambda: heic(width=8, height=8), SENTENCE)
    small = functools.partial(encode, noise(64, 64), "HEIF", quality=20)
    add(
        "HEIC with a little metadata",
        "meta.heic",
        lambda: heic_with_items(small(), 3, 100),
        PHOTO,
        size=(64, 64),
        corners=None,
    )
    add(
        "HEIC whose items share their bytes", "items.heic", lambda: heic_with_items(small(), 990, 280_000, 20), SENTENCE
    )
    add(
        "smaller HEIC whose items share their bytes",
        "items2.heic",
        lambda: heic_with_items(small(), 990, 70_000, 20),
        EITHER,
        size=(64, 64),
    )
    add("HEIC of 2 x 3 tiles", "tiles.heic", lambda: heic_grid(small(), 2, 3, 64), PHOTO, size=(128, 192), corners=None)
    tile = functools.partial(encode, noise(1024, 1024), "HEIF", quality=90)
    add(
        "HEIC of 4 x 7 large tiles",
        "grid.heic",
        lambda: heic_grid(tile(), 4, 7, 1024),
        EITHER,
        size=(4096, 7168),
        large=True,
    )
    add(
        "HEIC of 900 tiles", "grid2.heic", lambda: heic_grid(small(), 30, 30, 64), EITHER, size=(1920, 1920), large=True
    )
add("WebP with 65,536 sets of codes", "codes.webp", webp_with_codes, EITHER, size=(1024, 1024))
add("WebP with 256 sets of codes", "codes2.webp", lambda: webp_with_codes(1), PHOTO, size=(4, 1024), corners=None)

# Cut short

ANOTHER: dict[str, dict[str, Any]] = {
    "JPEG": {"progressive": True}, "WEBP": {"lossless": True}, "TIFF": {"compression": "tiff_lzw"},
}  # fmt: skip
FORMS: dict[str, dict[str, Any]] = {"JPEG": {}, "PNG": {}, "WEBP": {}, "BMP": {}, "GIF": {}, "TIFF": {}}
FORMS |= {"HEIF": {"quality": 90}} if HEIF else {}
for form, options in FORMS.items():
    whole = encode(noise(), form, **options)
    for percent in (1, 5, 20, 50, 80, 95, 99):
        add(f"{form} cut at {percent}%", f"cut.{form.lower()}", whole[: len(whole) * percent // 100], SENTENCE)
for form in ANOTHER:
    options = ANOTHER[form]
    whole = encode(noise(), form, **options)
    for percent in (10, 60):
        add(f"another {form} cut at {percent}%", f"cut2.{form.lower()}", whole[: len(whole) * percent // 100], SENTENCE)

# Names

NAMES = (
    "<script>alert(1)</script>.jpg",
    "<img src=x onerror=alert(1)>.png",
    "[a link](https://example.org) **bold**.jpg",
    "`code` $x^2$ :red[red] :material/home:.jpg",
    "../../etc/passwd",
    "{name} %s %n {0}.jpg",
    "long " * 50 + ".jpg",
    "photo\u202egpj.exe",
    "a\0b\nc\x1b[31m.jpg",
    "\U0001f600 фото 写真.jpg",
)
for number, file in enumerate(NAMES):
    add(f"odd name {number}", file, OTHER["text"], SENTENCE)
    add(f"odd name {number} of a photo", file, in_jpeg(b""), PHOTO)

# As large as the limits allow

PALETTE = chunk(b"PLTE", bytes(range(30))) + chunk(b"tRNS", b"\x80")
LARGE = {  # depth, colour type of a PNG
    "black and white": (1, 0, b""),
    "16-bit grey": (16, 0, b""),
    "a palette with transparency": (8, 3, PALETTE),
    "grey with transparency": (8, 4, b""),
    "colour": (8, 2, b""),
    "16-bit colour with transparency": (16, 6, b""),
}
W, H = 8192, MAX_PIXELS // 8192
for what, (depth, colour, before) in LARGE.items():
    build = functools.partial(flat_png, W, H, depth, colour, before)
    add(f"50 megapixels of {what}", "large.png", build, PHOTO, size=(H, W), large=True)
add("50 megapixels in a row", "row.png", lambda: flat_png(MAX_PIXELS, 1, 8, 6), SENTENCE, says="65,535 pixels a side")
add("a column of 65536", "column.png", lambda: flat_png(1, 65_536, 8, 2), SENTENCE, says="65,535 pixels a side")
add("a column of 65535", "column.png", lambda: flat_png(1, 65_535, 8, 2), PHOTO, size=(65_535, 1))


def flat_picture(mode: str, width: int, height: int, form: str, **options: Any) -> bytes:
    """A file with a large picture of one colour."""
    colour = {"L": 9, "P": 0, "1": 1, "F": 5.0, "I": 5}.get(mode, (9, 99, 200, 50)[: len(mode.removesuffix("Cr"))])
    return encode(Image.new(mode, (width, height), colour), form, **options)


def add_large(name: str, mode: str, width: int, height: int, form: str, **options: Any) -> None:
    """Add a large picture of one colour."""
    build = functools.partial(flat_picture, mode, width, height, form, **options)
    add(name, f"large.{form.lower()}", build, PHOTO, size=(height, width), large=True)


add_large("50 megapixels, GIF", "P", W, H, "GIF")
add_large("50 megapixels, BMP", "1", W, H, "BMP")
add_large("50 megapixels, JPEG", "RGB", W, H, "JPEG")
add_large("50 megapixels, progressive JPEG", "RGB", W, H, "JPEG", progressive=True, subsampling=0)
add_large("36 megapixels, progressive CMYK", "CMYK", 6000, 6000, "JPEG", progressive=True)
add_large("16 megapixels, WebP", "RGB", 4000, 4000, "WEBP", method=0)
add_large("16 megapixels, lossless WebP", "RGBA", 4000, 4000, "WEBP", lossless=True, quality=0, method=0)
add_large(
    "18 megapixels, TIFF in one strip", "RGBA", 5000, 3600, "TIFF", compression="tiff_adobe_deflate", strip_size=2**30
)
add_large("18 megapixels, TIFF of numbers", "F", 5000, 3600, "TIFF", compression="tiff_lzw")
add_large("18 megapixels, TIFF in LAB", "LAB", 5000, 3600, "TIFF", compression="tiff_lzw")


def turned_tiff() -> bytes:
    """A large TIFF of 16-bit RGBA in one strip, lying on its side."""
    width, height = 5000, 3600
    packer = zlib.compressobj(1)
    data = b"".join(packer.compress(bytes(8 * width * 100)) for _ in range(height // 100)) + packer.flush()
    more = {"t258": (3, [16] * 4), "t259": (3, [8]), "t277": (3, [4]), "t338": (3, [2]), "t274": (3, [6])}
    return tiff(rgb_tags(width, height, len(data), **more), data)


add("18 megapixels, TIFF on its side", "turned.tif", turned_tiff, PHOTO, size=(5000, 3600), large=True)
RUNS = b"\1\5\0\0" * 2000 + b"\0\1"
add(
    "4 megapixels, packed BMP",
    "large.bmp",
    lambda: bmp(2000, 2000, 8, 1, RUNS, bytes(1024)),
    PHOTO,
    size=(2000, 2000),
    large=True,
)
add("50 megapixels, packed BMP", "larger.bmp", lambda: bmp(W, H, 8, 1, RUNS, bytes(1024)), SENTENCE, says="limit")
add("50 megapixels, WebP", "larger.webp", webp_header(W, H), SENTENCE, says="limit")
add("50 megapixels, TIFF", "larger.tif", lambda: tiff(rgb_tags(W, H, 99), bytes(99)), SENTENCE, says="JPEG")
add(
    "2 MB of random bytes after a PNG header",
    "noise.png",
    lambda: in_png(b"")[:41] + np.random.default_rng(2).bytes(2_000_000),
    SENTENCE,
)

assert len({case.name for case in CASES}) == len(CASES)


# Masks of the size of the photo

CLASSES, COLOURS = ("first", "second", "third"), ((0, 0, 0), (9, 99, 200), (255, 0, 0))
MASKS: list[Case] = []
MASK_PIXELS = 2_000_000  # as many as the page scores
for mode, form_of in (("indices", (8, 0, b"")), ("16-bit indices", (16, 0, b"")), ("colours", (8, 2, b""))):
    build = functools.partial(flat_png, W, H, *form_of)
    MASKS.append(Case(f"mask of 50 megapixels in {mode}", "mask.png", build, PHOTO, size=(H, W), large=True))
build = functools.partial(flat_png, W, H, 8, 3, PALETTE)
MASKS.append(Case("mask of 50 megapixels with a palette", "mask.png", build, PHOTO, size=(H, W), large=True))


# The runner


class Child:
    """The process that decodes, as the system sees it."""

    def __init__(self, decoder: Decoder):
        self._child = decoder._children[0]
        self.folder = Path(f"/proc/{self.pid}")

    @property
    def pid(self) -> int:
        """Its number; another one when it was replaced."""
        assert self._child._process is not None
        return self._child._process.pid

    def read_peak(self) -> float:
        """Its peak memory, MB; read every few milliseconds, as the process may be gone in the end."""
        return read_memory("VmHWM", self.folder)

    def read_seconds(self) -> float:
        """Processor time it has used so far, seconds."""
        fields = (self.folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def read_memory(field: str, process: Path = Path("/proc/self")) -> float:
    """Memory of a process in MB: VmRSS now, VmHWM the peak since the last reset."""
    found = re.search(rf"{field}:\s+(\d+) kB", (process / "status").read_text())
    return int(found[1]) / 1024 if found else 0.0  # it has just ended


def reset_peak(process: Path) -> bool:
    """Let the peak start from here; False where the system does not tell."""
    try:
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        (process / "clear_refs").write_text("5")
    except (OSError, AttributeError, TypeError):
        return False
    return True


@contextmanager
def watch_child(child: Child, result: dict[str, Any]) -> Iterator[None]:
    """Note the peak memory and the time of a child for as long as the context lasts."""
    ended, start = threading.Event(), child.read_seconds()

    def look() -> None:
        while not ended.wait(0.005):
            with suppress(OSError, IndexError):
                result["child megabytes"] = max(result["child megabytes"], child.read_peak())
                result["seconds"] = max(result["seconds"], child.read_seconds() - start)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        with suppress(OSError, IndexError):
            result["child megabytes"] = max(result["child megabytes"], child.read_peak())
            result["seconds"] = max(result["seconds"], child.read_seconds() - start)
        ended.set()
        thread.join()


def measure(name: str, work: Callable[[], dict[str, Any]], decoder: Decoder) -> dict[str, Any]:
    """Run `work`; return its outcome, its time, and its peak memory here and in the child."""
    decode_ahead(decoder)
    child = Child(decoder)
    told = reset_peak(child.folder)
    before = read_memory("VmRSS") if told else 0.0
    costs = {"child megabytes": 0.0, "seconds": 0.0}
    used = time.process_time()
    with watch_child(child, costs) if told else nullcontext():
        result = find_outcome(work)
    result |= costs
    result["seconds"] += time.process_time() - used
    result["megabytes"] = read_memory("VmHWM") - before if told else None
    return {"name": name} | result


def decode_ahead(decoder: Decoder) -> None:
    """Let the child be ready, if it was replaced."""
    decoder.decode(in_jpeg(b""), "ready.jpg")


def find_outcome(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Run `work` and return what it returned or raised."""
    try:
        return work()
    except FcnError as error:
        return {"outcome": SENTENCE, "said": str(error)}
    except Exception as error:  # the finding that all this is for
        return {"outcome": f"{type(error).__name__}: {error}"}


def decode_photo(decoder: Decoder, data: bytes, file: str, files: bool) -> dict[str, Any]:
    """Decode a file for the page, or as large as a download needs it."""
    photo = decoder.decode_light(data, file)
    if files:
        photo = decoder.decode_light(data, file, longest_side(photo.size))
    pixels = photo.pixels
    corners = [pixels[row, column].tolist() for row in (0, -1) for column in (0, -1)]
    right = pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3 and not pixels.flags.writeable
    return {
        "outcome": PHOTO if right else "wrong pixels",
        "size": photo.size,
        "shape": pixels.shape,
        "corners": corners,
    }


def decode_mask(decoder: Decoder, data: bytes, size: tuple[int, int]) -> dict[str, Any]:
    """Read a file as a mask, as large as the page scores it."""
    labels = decoder.read_mask(data, size, len(CLASSES), COLOURS, MASK_PIXELS)
    right = labels.shape == fit(size, MASK_PIXELS) and labels.dtype == np.uint8
    return {"outcome": PHOTO if right else "wrong labels", "size": size}


def run(cases: Iterable[Case]) -> None:
    """Decode the cases, as the page does and for downloads, and read them as masks."""
    decoder = Decoder(1)
    for case in cases:
        print(json.dumps({"name": case.name}), flush=True)  # in case that this is the last word
        data = case.build()
        runs: list[tuple[str, Callable[[], dict[str, Any]]]] = []
        if case not in MASKS:
            runs.append(("page", functools.partial(decode_photo, decoder, data, case.file, False)))
            runs.append(("download", functools.partial(decode_photo, decoder, data, case.file, True)))
        if case in MASKS or not case.large:
            runs.append(("mask", functools.partial(decode_mask, decoder, data, case.size or (1, 1))))
        for what, work in runs:
            print(json.dumps({"run": what, "bytes": len(data)} | measure(case.name, work, decoder)), flush=True)
        del data, runs


# Small files of every kind, damaged at random


def small_files() -> list[bytes]:
    """Right files of every format, as small as they get."""
    image = noise(12, 16).resize((24, 18))
    files = [encode(image, form) for form in FORMS]
    files += [encode(image, "TIFF", compression=packing) for packing in ("tiff_lzw", "jpeg", "packbits")]
    files += [encode(image.convert(mode), "TIFF") for mode in ("1", "CMYK", "F", "I")]
    files += [encode(image.convert(mode), "PNG") for mode in ("1", "LA", "P", "RGBA")]
    files += [encode(image.convert("P"), "BMP"), bmp(24, 18, 8, 1, b"\x18\5\0\0" * 18 + b"\0\1", bytes(1024))]
    files += [encode(image.convert("CMYK"), "JPEG"), encode(image, "JPEG", progressive=True)]
    files += [encode(image.convert("RGBA"), "WEBP", lossless=True), encode(image, "TIFF", big_tiff=True)]
    files += [encode(image, form, save_all=True, append_images=[image.rotate(180)]) for form in ("GIF", "PNG", "WEBP")]
    files += [encode(image, "MPO", save_all=True, append_images=[image])]
    turned = exif((274, 3, 1, 6), (34665, 4, 1, 8))
    files += [encode(image, form, exif=turned) for form in ("JPEG", "PNG", "WEBP")]
    return [
        *files,
        tiled_tiff(),
        planar_tiff(),
        interlaced_png(),
        transparent_picture(form="GIF"),
        lab(),
        arithmetic_jpeg(),
    ]


def mutate(data: bytes, changes: Sequence[tuple[str, int, int, bytes]]) -> bytes:
    """Apply changes: what to do, where (in 65536ths of the file, half of them near its start), how far, with what."""
    for what, where, length, content in changes:
        start = int((where / 65_536) ** (1 + where % 2) * len(data))
        other = min(len(data), start + length)
        if what == "overwrite":
            data = data[:start] + content + data[start + len(content) :]
        elif what == "flip":
            data = data[:start] + bytes([data[start] ^ 1 << length % 8]) + data[start + 1 :] if data else data
        elif what == "insert":
            data = data[:start] + content + data[start:]
        elif what == "remove":
            data = data[:start] + data[other:]
        elif what == "repeat":
            data = data[:start] + data[start:other] * 3 + data[other:]
        elif what == "swap":
            data = data[:start] + data[other : other + length] + data[start:other] + data[other + length :]
        elif what == "cut":
            data = data[: len(data) - length]
    return data


def repair_checksums(data: bytes) -> bytes:
    """Correct the checksum of every chunk of a PNG, so that the damage is met further in."""
    start, parts = 8, [data[:8]]
    while data.startswith(b"\x89PNG") and start + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, start)
        parts.append(chunk(kind, data[start + 8 : start + 8 + length]))
        start += 12 + length
    return b"".join(parts) if len(parts) > 1 else data


ORDERS: tuple[Literal["little", "big"], ...] = ("little", "big")


def decode_mutations(number: int) -> None:
    """Decode damaged files and random bytes; check that each gives a photo or a plain sentence."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import strategies as st

    files = small_files()
    starts = sorted({data[:size] for data in files for size in (4, 16, 40)})
    lengths = [value.to_bytes(size, order) for size in (1, 2, 4) for order in ORDERS for value in (0, 1, 255)]
    lengths += [value.to_bytes(2, order) for order in ORDERS for value in (3000, 65_535)]
    lengths += [value.to_bytes(4, order) for order in ORDERS for value in (70_000, 2**31 - 1, 2**31, 2**32 - 1)]
    change = st.tuples(
        st.sampled_from(["overwrite", "overwrite", "flip", "insert", "remove", "repeat", "swap", "cut"]),
        st.integers(0, 65_535),
        st.integers(0, 60),
        st.sampled_from(lengths) | st.binary(min_size=1, max_size=6),
    )
    damaged = st.builds(mutate, st.sampled_from(files), st.lists(change, min_size=1, max_size=3))
    random = st.builds(bytes.__add__, st.sampled_from(starts), st.binary(max_size=300)) | st.binary(max_size=300)
    counts = {PHOTO: 0, SENTENCE: 0}

    @settings(
        max_examples=number,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=damaged | damaged | damaged.map(repair_checksums) | random, max_side=st.sampled_from([None, 960]))
    def check(data: bytes, max_side: int | None) -> None:
        with suppress(MaskError):
            labels = read_mask(data, (18, 24), len(CLASSES), COLOURS)
            assert labels.shape == (18, 24)
        try:
            photo = decode(data, "photo.jpg", max_side=max_side)
        except PhotoError as error:
            counts[SENTENCE] += 1
            assert is_plain(str(error), "photo.jpg"), error
        else:
            counts[PHOTO] += 1
            assert photo.pixels.dtype == np.uint8 and photo.pixels.shape[2] == 3
            assert photo.pixels.shape[:2] == photo.size or max_side is not None

    check()
    print(json.dumps(counts))


def is_plain(sentence: str, file: str) -> bool:
    """Whether a sentence names the file, says what to do, and shows nothing of the machinery or of odd characters."""
    name = "".join(filter(str.isprintable, file))
    name = sentence[:80] if len(name) > 80 and sentence.startswith(name[:50]) else name
    rest = sentence.removeprefix(name)
    advice = any(f" {verb} " in rest for verb in ("Choose", "Make", "Save", "Upload", "Use"))
    inside = any(word in rest for word in ("PIL", "Error", "error", "BytesIO", "Traceback", "/"))
    return rest.startswith(" ") and advice and rest.endswith(".") and sentence.isprintable() and not inside


if __name__ == "__main__":
    decode(in_jpeg(b""), "warm up")
    gc.freeze()  # then `reset_peak` is quick
    if sys.argv[1] == "cases":
        run([*CASES, *MASKS])
    else:
        decode_mutations(int(sys.argv[2]))
