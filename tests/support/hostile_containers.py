"""Files that are small and ask for much: HEIC items that share their bytes, HEIC grids, WebP with many codes."""

from __future__ import annotations

import struct

import numpy as np


def atom(kind: bytes, content: bytes) -> bytes:
    """A box of an ISO base media file."""
    return struct.pack(">I", 8 + len(content)) + kind + content


def atoms(data: bytes) -> list[tuple[bytes, bytes]]:
    """The boxes of a file or of a box: kind and content."""
    found, place = [], 0
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        found.append((kind, data[place + 8 : place + length]))
        place += length
    return found


def heic_with_items(heic: bytes, number: int, length: int, times: int = 1) -> bytes:
    """A HEIC with that many metadata items, each so many times the same bytes at the end of the file."""
    return _add_items(heic, [(b"mime", b"\0application/rdf+xml\0")] * number, bytes(length), b"cdsc", None, times)


def heic_grid(heic: bytes, rows: int, columns: int, side: int) -> bytes:
    """A HEIC whose picture is a grid of the same picture of side x side again and again."""
    height, width = rows * side, columns * side
    layout = struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, width, height)
    return _add_items(heic, [(b"grid", b"\0")], layout, b"dimg", (height, width, rows * columns))


def _add_items(
    heic: bytes,
    items: list[tuple[bytes, bytes]],
    data: bytes,
    reference: bytes,
    grid: tuple[int, int, int] | None,
    times: int = 1,
) -> bytes:
    """Add items that share `data`; they refer to the picture, or are made of it and take its place."""
    parts = dict(atoms(heic))
    meta = dict(atoms(parts[b"meta"][4:]))
    (picture,) = struct.unpack(">H", meta[b"pitm"][4:6])
    first = 1000
    numbers = range(first, first + len(items))
    count = struct.unpack(">H", meta[b"iinf"][4:6])[0] + len(items)
    infos = meta[b"iinf"][6:] + b"".join(
        atom(b"infe", b"\2\0\0\0" + struct.pack(">HH", item, 0) + kind + name)
        for item, (kind, name) in zip(numbers, items, strict=True)
    )
    meta[b"iinf"] = meta[b"iinf"][:4] + struct.pack(">H", count) + infos
    to = [picture] * (grid[2] if grid else 1)
    refers = b"".join(atom(reference, struct.pack(f">HH{len(to)}H", item, len(to), *to)) for item in numbers)
    meta[b"iref"] = (meta.get(b"iref") or bytes(4)) + refers
    if grid:
        meta[b"pitm"] = meta[b"pitm"][:4] + struct.pack(">H", first)
        meta[b"iprp"] = _add_size(meta[b"iprp"], first, *grid[:2])
    pixels = parts[b"mdat"]
    before = _locate_items(meta[b"iloc"], 0, numbers, (0, 0), times)  # as long as the real one
    head = len(atom(b"ftyp", parts[b"ftyp"])) + len(_meta(meta | {b"iloc": before})) + 8
    old = heic.index(pixels)
    meta[b"iloc"] = _locate_items(meta[b"iloc"], head - old, numbers, (head + len(pixels), len(data)), times)
    return atom(b"ftyp", parts[b"ftyp"]) + _meta(meta) + atom(b"mdat", pixels + data)


def _meta(meta: dict[bytes, bytes]) -> bytes:
    return atom(b"meta", bytes(4) + b"".join(atom(kind, content) for kind, content in meta.items()))


def _locate_items(iloc: bytes, shift: int, numbers: range, place_of_new: tuple[int, int], times: int) -> bytes:
    """Rewrite where the bytes of items are: shift the old ones and add new ones, so many times at one place."""
    version, sizes, base = iloc[0], iloc[4] >> 4, iloc[5] >> 4
    offset, size = sizes, iloc[4] & 15
    (count,) = struct.unpack(">H", iloc[6:8])
    entries: list[tuple[int, list[int]]] = []
    place = 8
    for _ in range(count):
        (item,) = struct.unpack_from(">H", iloc, place)
        place += 2 + (2 if version else 0) + 2
        own = int.from_bytes(iloc[place : place + base])
        place += base
        (extents,) = struct.unpack_from(">H", iloc, place)
        place += 2
        for _ in range(extents):
            at = int.from_bytes(iloc[place : place + offset]) + own
            long = int.from_bytes(iloc[place + offset : place + offset + size])
            place += offset + size
            entries.append((item, [at + shift, long]))
    entries += [(item, [*place_of_new] * times) for item in numbers]
    listed = b"".join(struct.pack(f">HHH{len(at)}I", item, 0, len(at) // 2, *at) for item, at in entries)
    return bytes(4) + b"\x44\0" + struct.pack(">H", len(entries)) + listed


def _add_size(iprp: bytes, item: int, height: int, width: int) -> bytes:
    """Give an item a size of its own."""
    parts = dict(atoms(iprp))
    properties = parts[b"ipco"] + atom(b"ispe", bytes(4) + struct.pack(">II", width, height))
    index = len(atoms(properties))
    (count,) = struct.unpack(">I", parts[b"ipma"][4:8])
    links = parts[b"ipma"][:4] + struct.pack(">I", count + 1) + parts[b"ipma"][8:]
    links += struct.pack(">HBB", item, 1, index)
    return atom(b"ipco", properties) + atom(b"ipma", links)


class _Bits:
    """Bits as WebP wants them, the lowest first."""

    def __init__(self) -> None:
        self.parts: list[np.ndarray] = []

    def put(self, value: int, width: int) -> None:
        self.parts.append(np.array([value >> bit & 1 for bit in range(width)], np.uint8))

    def bytes(self) -> bytes:
        return np.packbits(np.concatenate(self.parts), bitorder="little").tobytes()


def webp_with_codes(rows: int = 256) -> bytes:
    """A lossless WebP of 1024 x (4 rows) pixels with a set of codes for each block of 4 x 4, 256 in a row."""
    bits = _Bits()
    for value, width in ((1023, 14), (4 * rows - 1, 14), (0, 1), (0, 3), (0, 1), (0, 1), (1, 1), (0, 3), (0, 1)):
        bits.put(value, width)  # size, alpha, version, no transform, no cache; codes by block of 4 x 4, no cache
    for _ in range(2):  # green and red of the map of codes: 256 symbols of 8 bits
        bits.put(0, 1)
        bits.put(12 - 4, 4)
        for length in [0] * 11 + [1]:  # only the length 8, the twelfth in their order
            bits.put(length, 3)
        bits.put(1, 1)
        bits.put(3, 3)
        bits.put(256 - 2, 8)
    for _ in range(3):
        bits.put(0b001, 3)  # one symbol, in one bit
        bits.put(0, 1)
    everyone = np.arange(256 * rows, dtype="<u2").view(np.uint8)  # each a block with codes of its own
    bits.parts.append(np.unpackbits(everyone, bitorder="little"))
    group = np.tile(np.array([1, 0, 0, 0], np.uint8), 5)  # five codes of one symbol, which take no bit of a pixel
    bits.parts.append(np.tile(group, 256 * 256))
    stream = b"\x2f" + bits.bytes() + bytes(8)
    body = b"WEBPVP8L" + struct.pack("<I", len(stream)) + stream + b"\0" * (len(stream) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body
