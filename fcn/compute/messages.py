"""Messages between two processes over a pipe: plain values and arrays, and nothing that could run code when read."""

from __future__ import annotations

import json
import struct
from typing import IO, Any

import numpy as np

MOST = 512 * 1024**2  # bytes of an array; more is a broken message

Values = dict[str, Any]
Arrays = dict[str, np.ndarray]


def write(pipe: IO[bytes], values: Values, arrays: Arrays | None = None) -> None:
    """Write a message: its length, a line of JSON with the shapes of the arrays, then their bytes.

    Args:
        pipe: Binary, open for writing.
        values: What JSON can hold.
        arrays: Numbers of any shape, by name.
    """
    arrays = {name: np.ascontiguousarray(array) for name, array in (arrays or {}).items()}
    shapes = [[name, array.dtype.str, array.shape] for name, array in arrays.items()]
    header = json.dumps({"values": values, "arrays": shapes}).encode()
    pipe.write(struct.pack("<I", len(header)) + header)
    for array in arrays.values():
        pipe.write(array.tobytes())
    pipe.flush()


def read(pipe: IO[bytes]) -> tuple[Values, Arrays]:
    """Read a message, as `write` takes it.

    Raises:
        EOFError: The other side has ended, or did not write a message.
    """
    (length,) = struct.unpack("<I", _exactly(pipe, 4))
    try:
        header = json.loads(_exactly(pipe, length))
        arrays = {}
        for name, code, shape in header["arrays"]:
            dtype = np.dtype(code)
            data = _exactly(pipe, dtype.itemsize * int(np.prod(shape, dtype=np.int64)))
            arrays[name] = np.frombuffer(data, dtype).reshape(shape)
        return header["values"], arrays
    except (ValueError, KeyError, TypeError) as error:
        raise EOFError(f"This is not a message: {error}") from error


def _exactly(pipe: IO[bytes], count: int) -> bytes:
    if not 0 <= count <= MOST:
        raise EOFError(f"A message of {count} bytes is broken.")
    data = pipe.read(count)
    if len(data) != count:
        raise EOFError("The other side has ended.")
    return data
