"""The program of a decoding child: reads requests on stdin, answers on stdout, until stdin ends. See decoding.py.

A request is a line of JSON and the bytes of a file; an answer a line of JSON and the values of an array. An empty line
is a greeting, which is returned. Nothing here imports TensorFlow, LiteRT or Streamlit.
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fcn.errors import FcnError, MaskError
from fcn.photos.files import shown_name
from fcn.photos.images import decode, decode_light
from fcn.photos.masks import read_mask

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

MEMORY = 500 * 1024**2  # bytes more than the child has at its start
LARGE = 120 * 1024**2  # bytes in memory; a child that keeps more after an answer asks to be replaced
DESCRIPTORS = 8  # some modules of Pillow are loaded only when a file needs them
NO_NEW_PRIVILEGES = 38  # number of the operation, from <linux/prctl.h>


def main() -> None:
    """Give up rights, then answer."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with Path(os.devnull).open("w") as nowhere:  # libraries that print must not spoil an answer
        os.dup2(nowhere.fileno(), 1)
    warm_up()
    give_up_rights()
    while line := requests.readline():
        if line == b"\n":  # a greeting
            answers.write(line)
            answers.flush()
            continue
        request = json.loads(line)
        data = requests.read(request.pop("bytes"))
        limit_time(request.pop("seconds"))
        values, array = answer(request, data)
        del data
        values["replace"] = memory(1) > LARGE + (0 if array is None else array.nbytes)
        answers.write(json.dumps(values).encode() + b"\n")
        if array is not None:
            answers.write(np.ascontiguousarray(array).data)
        answers.flush()
        limit_time(0)
        del array


def warm_up() -> None:
    """Load the decoders before the first visitor comes."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64)).save(file, "JPEG")
    decode(file.getvalue())


def give_up_rights() -> None:
    """Limit memory, files and descriptors, for good: none of these can be raised again."""
    if resource is None:
        return
    limits = {"RLIMIT_CORE": 0, "RLIMIT_FSIZE": 0, "RLIMIT_NOFILE": DESCRIPTORS}
    if taken := memory(0):
        limits["RLIMIT_AS"] = taken + MEMORY
    for name, limit in limits.items():
        with suppress(OSError, ValueError):  # the system does not support it
            resource.setrlimit(getattr(resource, name), (limit, limit))
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)


def memory(field: int) -> int:
    """Bytes of address space (field 0) or of memory (1) that this process uses; 0 where it is not reported."""
    with suppress(OSError, ValueError):
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()
        return int(pages[field]) * resource.getpagesize()
    return 0


def limit_time(seconds: float) -> None:
    """End this process when it has computed for so long from now on; 0 lifts the limit."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)  # its signal ends the process


def answer(request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], np.ndarray | None]:
    """Carry out a request; return plain values, and an array if there is one.

    Args:
        request: "do", a name of JOBS, and the arguments of that function.
        data: The bytes of a file.
    """
    try:
        return JOBS[request.pop("do")](data, **request)
    except FcnError as error:
        kind, sentence = type(error), str(error)
        if isinstance(error.__cause__, MemoryError):
            name = "The mask" if kind is MaskError else shown_name(request["name"])
            sentence = f"{name} needs more memory than a photo may take. Make it smaller or save it again as JPEG."
        return {"error": "mask" if kind is MaskError else "photo", "sentence": sentence}, None


def photo(data: bytes, light: bool, name: str, side: int) -> tuple[dict[str, Any], np.ndarray]:
    """As `decode`, or `decode_light`."""
    decoded = decode_light(data, name, side) if light else decode(data, name, max_side=side)
    return {"shape": decoded.pixels.shape, "size": decoded.size, "notes": decoded.notes}, decoded.pixels


def mask(data: bytes, size: list[int], classes: int, palette: list[list[int]], most: int) -> tuple[dict[str, Any], Any]:
    """As `read_mask`."""
    colours = [(red, green, blue) for red, green, blue in palette]
    labels = read_mask(data, (size[0], size[1]), classes, colours, most=most)
    return {"shape": labels.shape}, labels


JOBS: dict[str, Callable[..., tuple[dict[str, Any], np.ndarray]]] = {"photo": photo, "mask": mask}

if __name__ == "__main__":
    with suppress(KeyboardInterrupt, BrokenPipeError):  # the command line was stopped
        main()
