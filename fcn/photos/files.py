"""Untrusted files: Pillow sees only what decodes to pixels, and nothing enormous or endless."""

from __future__ import annotations

import io
import logging
import re
import stat
import struct
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import ImageFile
from PIL.Image import DecompressionBombError

from fcn.errors import FcnError, PhotoError
from fcn.internals import pillow_plugin

try:
    from pillow_heif import register_heif_opener
except ImportError:
    HEIF: tuple[str, ...] = ()
else:
    register_heif_opener(decode_threads=1)  # visitors come in parallel
    HEIF = ("HEIF",)

# Pillow's remarks on a visitor's file do not belong in a log.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").setLevel(logging.CRITICAL)

MAX_BYTES = 20 * 1024**2
MAX_PIXELS = 50_000_000
# Formats, modes and decoders that take more than 6 bytes a pixel (WebP 16, TIFF 16, HEIC 9, CMYK 8), or are slow.
FEWER_PIXELS = {"WEBP": 16_000_000, "TIFF": 18_000_000, "HEIF": 30_000_000, "CMYK": 36_000_000, "bmp_rle": 4_000_000}
MAX_SIDE = 65_535  # as in JPEG; the decoder of PNG keeps three rows
MAX_READS = 1_000_000  # of a few bytes each: about a second of Pillow's time
MAX_PARTS = 50_000  # chunks of a PNG, segments of a JPEG, values of a TIFF tag
MAX_SCANS = 50  # a progressive JPEG has about 10; each takes 15 ms at 50 megapixels
MAX_NAME = 80  # characters of a file's name in a sentence
OPEN_PIPE = re.compile(r"/dev/stdin|/(?:dev|proc/self)/fd/(\d+)")
JPEG_MARK = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")  # not stuffing, restart or filling


@contextmanager
def failing_as(error: FcnError, kind: type[Exception] = Exception) -> Iterator[None]:
    """Replace whatever a decoder raises by one plain error; Pillow's plugins raise nearly every built-in exception."""
    try:
        yield
    except FcnError:
        raise
    except kind as cause:
        raise error from cause


def open_header(
    data: bytes, name: str, formats: Sequence[str], format_names: str, error: type[FcnError]
) -> ImageFile.ImageFile:
    """Read the header only, and refuse what is too large before any pixel is decoded."""
    check_length(len(data), name, error)
    brand = data[8:12] if data[4:8] == b"ftyp" else b""
    if brand in (b"avif", b"avis"):
        raise error(f"{name} is an AVIF file, which cannot be read here. Save it as JPEG and upload that.")
    if not HEIF and (brand[:3] in (b"hei", b"hev") or brand in (b"mif1", b"msf1")):
        raise error(f"{name} is a HEIC file, which this server cannot read. Save it as JPEG and upload that.")
    unreadable = f"{name} ({len(data):,} bytes) is not an image that can be read here, or is damaged."
    enormous = f"{name} has hundreds of megapixels; the limit is {MAX_PIXELS // 10**6} megapixels. Make it smaller."
    with failing_as(error(f"{unreadable} Use {format_names}.")), failing_as(error(enormous), DecompressionBombError):
        image = _plugin_open(_lean(data), formats)
    width, height = image.size
    kinds = (image.format, image.mode, image.tile[0].codec_name if image.tile else None)
    limit = min(FEWER_PIXELS.get(str(kind), MAX_PIXELS) for kind in kinds)
    if width * height > limit:
        received = f"{width} x {height} pixels ({_tenths(width * height, 10**6)} megapixels)"
        whose, advice = ("", "") if limit == MAX_PIXELS else (" for a file of this kind", " or save it as JPEG (RGB)")
        raise error(f"{name} has {received}; the limit{whose} is {limit // 10**6} megapixels. Make it smaller{advice}.")
    if max(image.size) > MAX_SIDE:
        raise error(f"{name} has {width} x {height} pixels; the limit is {MAX_SIDE:,} pixels a side. Make it smaller.")
    return image


def read_file(path: Path, error: type[FcnError] = PhotoError) -> bytes:
    """Read a file, unless it is too large, endless or not a file at all.

    Args:
        path: A file; or standard input or another open pipe, by its name in /dev.
        error: What to raise when there is nothing to read, or too much.
    """
    name = shown_name(path.name)
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            check_length(status.st_size or 1, name, error)  # files in /proc have size 0
            source: Path | int = path
        elif (descriptor := OPEN_PIPE.fullmatch(str(path))) and stat.S_ISFIFO(status.st_mode):
            source = int(descriptor[1] or 0)
        else:
            what = "a folder" if path.is_dir() else "a device or a pipe"
            raise error(f"{name} is {what}, not a photo. Choose a file, or send a photo through /dev/stdin.")
        with open(source, "rb", closefd=isinstance(source, Path)) as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as cause:
        raise error(f"The file cannot be read: {cause.strerror}.") from cause
    check_length(len(data), name, error)
    return data


def check_length(length: int, name: str, error: type[FcnError]) -> None:
    """Refuse a file without bytes and one with too many."""
    if not length:
        raise error(f"{name} is empty (0 bytes). Choose another file.")
    if length > MAX_BYTES:
        received = f"{_tenths(length, 1024**2)} MB"
        raise error(
            f"{name} has {received}; the limit is {MAX_BYTES // 1024**2} MB. Make it smaller or save it as JPEG."
        )


def shown_name(name: str) -> str:
    """Make a file's name fit for a sentence: short, and without marks that would change the direction of writing."""
    text = "".join(filter(str.isprintable, name)).strip() or "The file"
    return text if len(text) <= MAX_NAME else f"{text[: MAX_NAME - 21]}…{text[-20:]}"


def _tenths(value: int, unit: int) -> float:
    """Round up to a tenth of the unit: a value over a limit must not read like the limit."""
    return -(-value * 10 // unit) / 10


class _File(io.BytesIO):
    """A file that stops endless reads of tiny pieces: 20 MB of empty blocks keep Pillow busy for a minute."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > MAX_READS:
            raise ValueError("endless pieces")
        return super().read(size)


def _plugin_open(data: bytes, formats: Sequence[str]) -> ImageFile.ImageFile:
    """Do what Image.open does without its size check, which depends on global settings and cannot report the size."""
    for name in formats:
        factory, accept = pillow_plugin(name)
        if factory is not None and (accept is None or accept(data[:16])):
            image = factory(_File(data), "")
            tags = getattr(image, "tag_v2", {})
            if int(tags.get(322, 0)) * int(tags.get(323, 0)) > FEWER_PIXELS["TIFF"]:  # sides of a tile
                raise ValueError("tiles far larger than a photo")
            return image
    raise ValueError("no known signature")


def _lean(data: bytes) -> bytes:
    """Leave out what holds no pixels: broken it fails the file, and 20 MB of it cost Pillow minutes or gigabytes."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _lean_png(data)
    if data.startswith(b"\xff\xd8\xff"):
        return _lean_jpeg(data)
    if data.startswith((b"II", b"MM")):
        return _lean_tiff(data)
    return data


def _lean_png(data: bytes) -> bytes:
    """Keep the chunks that a decoder must know, transparency, animation and EXIF."""
    chunks, start, parts = [data[:8]], 8, 0
    while start + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, start)
        end = start + 12 + length  # length, kind, content, checksum
        if not kind[:1].islower() or kind in (b"tRNS", b"acTL", b"fcTL", b"fdAT", b"eXIf"):
            chunks.append(data[start:end])
        start, parts = end, parts + 1
        if parts > MAX_PARTS:
            raise ValueError("endless chunks")
    return b"".join(chunks)


def _lean_jpeg(data: bytes) -> bytes:
    """Keep what defines the colour space, the first EXIF, the tables and the scans, unless these are endless."""
    segments, exifs, scans, parts, place = [data[:2]], 0, 0, 0, 2
    while marker := JPEG_MARK.search(data, place):
        kind, start, place = marker[1][0], marker.start(), marker.end()
        if kind == 0xD9:  # end of image
            break
        if kind not in (0x01, 0xD8):
            place += int.from_bytes(data[place : place + 2])
        if kind == 0xDA:
            scans += 1
            segments.append(data[start:] if scans == 1 else b"")
        elif not scans:
            exif = kind == 0xE1 and data[start + 4 : start + 10] == b"Exif\0\0"
            exifs += exif
            if kind < 0xE0 or kind in (0xE0, 0xEE) or (exif and exifs == 1):  # below 0xE0 are tables and the frame
                segments.append(data[start:place])
        parts += 1
        if scans > MAX_SCANS or parts > MAX_PARTS:
            raise ValueError("endless scans or segments")
    return b"".join(segments)


def _lean_tiff(data: bytes) -> bytes:
    """Append a copy of the first directory without long lists and without nested directories."""
    order, big = "<" if data.startswith(b"II") else ">", data[2] == 43
    where, count, entry, size = ("Q", "Q", "HHQ", 20) if big else ("L", "H", "HHL", 12)
    (start,) = struct.unpack_from(order + where, data, 8 if big else 4)
    (entries,) = struct.unpack_from(order + count, data, start)
    start += struct.calcsize(order + count)
    end = start + min(entries, MAX_PARTS) * size
    by_tag: dict[int, bytes] = {}
    for place in range(start, end, size):
        tag, kind, values = struct.unpack_from(order + entry, data, place)
        if values <= MAX_PARTS and kind <= 16 and tag not in (330, 34665, 34853, 40965):
            by_tag.setdefault(tag, data[place : place + size])
    (following,) = struct.unpack_from(order + where, data, end)
    moved = len(data) + len(data) % 2
    header = data[: 8 if big else 4] + struct.pack(order + where, moved)
    directory = (
        struct.pack(order + count, len(by_tag)) + b"".join(by_tag.values()) + struct.pack(order + where, following)
    )
    return header + data[len(header) :].ljust(moved - len(header), b"\0") + directory
