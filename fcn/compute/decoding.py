"""Files of visitors are decoded in a few warm child processes, which are replaced when they fail.

What a child guards the server against:
- memory: a child may use MEMORY more than at its start, and fails alone (Linux; elsewhere its memory is not limited);
- time: after SECONDS of computing the system ends a child (not on Windows), and after PATIENCE seconds the server does;
  for a copy that is larger than the page needs it may compute for FILE_SECONDS;
- crashes: a decoder that fails takes down its child and nothing else, and a child that does not answer a greeting
  is replaced before it gets a photo;
- writing: it cannot write to files, can open only a few, dumps no core, and cannot run programs with more rights
  (Linux and macOS, as far as each supports the limit). It gets neither the server's environment nor its open files.

What it does not guard against: a file that takes over a decoder runs code as the server's user. It could read what that
user may read, use the network, and see or falsify what the same child decodes afterwards. If that is a
concern, run the server in a container without secrets or network access. A child's answers are never trusted.

The checks in fcn/photos come first, so that nearly everything ends in a sentence that explains what is wrong; where the
system has none of these limits, they are the only protection.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import queue
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from fcn.compute import processes
from fcn.compute.processes import Process, killed_after
from fcn.errors import FcnError, MaskError, PhotoError
from fcn.machine import photos_at_once
from fcn.photos.files import MAX_PIXELS, MAX_SIDE, check_length, shown_name
from fcn.photos.images import IGNORE_LABEL, LARGEST, WORKING_SIDE, Labels, Photo
from fcn.photos.masks import fit

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

CHILDREN = 4  # at most; each takes about 60 MB
SECONDS, FILE_SECONDS = 2.0, 5.0  # of a processor, for a request
PATIENCE = 10.0  # seconds for a request, waiting for a processor included
GREETING = 2.0  # seconds in which a child that is up and idle answers a greeting
MOST = 64 * 1024**2  # bytes of an answer
PIPE = 1024**2  # bytes that a pipe holds, sixteen times the usual: fewer switches between the processes
LONGEST_LINE = 64 * 1024  # bytes of an answer before its array
ROOT = Path(__file__).parents[2]
#: What a child gets of the server's environment: where Python finds its packages.
PASSED_ON = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "SYSTEMROOT")
KEPT = 32 * 1024**2  # bytes that a child keeps for its next photo, which would take half as long again without
#: A child computes on one thread, and allocates from one arena.
ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(KEPT),
    "MALLOC_TRIM_THRESHOLD_": str(KEPT),
}


class Decoder:
    """A few children. Threads share it; those that find no child free wait for one."""

    def __init__(self, children: int | None = None, patience: float = PATIENCE):
        """Start the children; they are ready a third of a second later.

        Args:
            children: How many; default: as many as photos at once, at most CHILDREN.
            patience: Seconds that a request may take, and that a new child may take to come up.
        """
        self._free: queue.LifoQueue[_Child] = queue.LifoQueue()
        self._children = [_Child(patience) for _ in range(children or min(CHILDREN, photos_at_once()))]
        for child in self._children:
            self._free.put(child)
        self.close = weakref.finalize(self, _end_all, self._children)
        """End the children; it happens by itself when nobody holds the decoder any more."""

    def decode(self, data: bytes, name: str = "photo", *, max_side: int = WORKING_SIDE) -> Photo:
        """Do what `images.decode` does, in a child.

        Raises:
            PhotoError: As for `images.decode`; or the child took too long or too much memory.
        """
        return self._photo(data, name, light=False, side=max_side)

    def decode_light(self, data: bytes, name: str = "photo", side: int = LARGEST) -> Photo:
        """Do what `images.decode_light` does, in a child; raises as `decode`."""
        return self._photo(data, name, light=True, side=side)

    def read_mask(
        self, data: bytes, size: tuple[int, int], classes: int, palette: Sequence[tuple[int, int, int]], most: int
    ) -> Labels:
        """Do what `masks.read_mask` does, in a child.

        Raises:
            MaskError: As for `masks.read_mask`; or the child took too long or too much memory.
        """
        check_length(len(data), "The mask", MaskError)
        request = {"do": "mask", "size": size, "classes": classes, "palette": list(palette), "most": most}
        request["seconds"] = SECONDS
        labels = self._ask(request, data, "The mask", MaskError)[1]
        if labels.shape != fit(size, most) or not ((labels < classes) | (labels == IGNORE_LABEL)).all():
            raise MaskError(_broken("The mask"))
        return labels

    def __enter__(self) -> Decoder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _photo(self, data: bytes, name: str, light: bool, side: int) -> Photo:
        title = shown_name(name)
        check_length(len(data), title, PhotoError)
        request = {"do": "photo", "name": name, "light": light, "side": side}
        request["seconds"] = SECONDS if side <= LARGEST else FILE_SECONDS
        values, pixels = self._ask(request, data, title, PhotoError)
        try:
            height, width = (int(side) for side in values["size"])
            notes = tuple(plain(note) for note in values["notes"])
            fits = 0 < pixels.shape[0] <= height <= MAX_SIDE and 0 < pixels.shape[1] <= width <= MAX_SIDE
            if pixels.ndim != 3 or not fits or height * width > MAX_PIXELS:
                raise ValueError(pixels.shape)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise PhotoError(_broken(title)) from error
        pixels.setflags(write=False)
        return Photo(pixels, (height, width), hashlib.sha256(data).hexdigest(), notes)

    def _ask(
        self, request: dict[str, Any], data: bytes, name: str, kind: type[FcnError]
    ) -> tuple[dict[str, Any], np.ndarray]:
        child = self._free.get()
        try:
            values, array = child.ask(request, data)
        except _Slow as error:
            raise kind(f"{name} takes too long to decode. Make it smaller or save it again as JPEG.") from error
        except _Absent as error:
            raise kind(f"{name} cannot be decoded now: the server is overloaded. Try again in a minute.") from error
        except Exception as error:  # the system refuses something, or the answer is none
            raise kind(_broken(name)) from error
        finally:
            self._free.put(child)
        if "sentence" in values:
            raise (MaskError if values.get("error") == "mask" else PhotoError)(plain(values["sentence"]))
        assert array is not None  # an answer without a sentence has one
        return values, array


class _Slow(Exception):
    """A child was ended because it took too long."""


class _Absent(Exception):
    """No child can be started, or it does not come up."""


class _Child:
    """One process, started again when it has ended."""

    def __init__(self, patience: float):
        self._patience = patience
        self._process: Process | None = None
        self._closed = False
        self._started = 0.0  # on the monotonic clock
        self._is_up = False  # it has answered once
        with contextlib.suppress(_Absent):  # perhaps it starts when it is needed
            self._start()

    def ask(self, request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], np.ndarray | None]:
        """Send a request and read its answer.

        Raises:
            _Slow: It took too long.
            _Absent: There is no child.
            Exception: There is no answer, or not a right one.
        """
        process = self._find_process()
        done = False
        try:
            with killed_after(self._patience, process) as killed:
                try:
                    values, array = self._exchange(process, request, data)
                except Exception as error:
                    ended = process.wait(1) if _has_ended(process) else None
                    if killed.is_set() or ended in SLOW:
                        raise _Slow from error
                    raise
            done = not values.get("replace")
            return values, array
        finally:
            if not done:  # it may be in the middle of something, or has grown
                self.end()
                with contextlib.suppress(_Absent):
                    self._start()

    def _find_process(self) -> Process:
        """The process, if it answers; else a new one.

        Raises:
            _Absent: The new one does not answer either.
        """
        if self._process and self._answers(self._process):
            return self._process
        process = self._start()
        if not self._answers(process):
            self.end()
            raise _Absent
        return process

    def _answers(self, process: Process) -> bool:
        """Whether a process answers a greeting: one that was stopped or killed does not."""
        assert process.stdin and process.stdout  # they are pipes
        left = self._started + self._patience - time.monotonic()  # of the time to come up
        try:
            with killed_after(GREETING if self._is_up else max(GREETING, left), process):
                process.stdin.write(b"\n")
                process.stdin.flush()
                self._is_up = process.stdout.readline(2) == b"\n"
        except (OSError, ValueError):  # it has ended
            return False
        return self._is_up

    def _exchange(
        self, process: Process, request: dict[str, Any], data: bytes
    ) -> tuple[dict[str, Any], np.ndarray | None]:
        assert process.stdin and process.stdout  # they are pipes
        process.stdin.write(json.dumps(request | {"bytes": len(data)}).encode() + b"\n")
        process.stdin.write(data)
        process.stdin.flush()
        line = process.stdout.readline(LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise EOFError("The child has ended.")
        values = json.loads(line)
        if not isinstance(values, dict):
            raise TypeError(f"{type(values).__name__} is not an answer.")
        if "sentence" in values:
            return values, None
        shape = tuple(int(side) for side in values["shape"])
        if min(shape) < 1 or int(np.prod(shape, dtype=np.int64)) > MOST or shape[2:] not in ((), (3,)):
            raise ValueError(f"An array of {shape} is not an answer.")
        array = np.empty(shape, np.uint8)
        place, view = 0, array.reshape(-1).data
        while place < len(view):
            read = process.stdout.readinto(view[place:])  # type: ignore[attr-defined]
            if not read:
                raise EOFError("The child has ended.")
            place += read
        return values, array

    def end(self, for_good: bool = False) -> None:
        """End the process; `for_good` lets no other one start."""
        self._closed |= for_good
        process, self._process = self._process, None
        if process:
            processes.end(process)

    def _start(self) -> Process:
        """Start a process instead of the present one.

        Raises:
            _Absent: The system starts none, or the decoder is closed.
        """
        self.end()
        if self._closed:
            raise _Absent
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | ENVIRONMENT
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "fcn.compute.decoding_child"],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except Exception as error:  # no memory, no process, no descriptor
            raise _Absent from error
        self._started, self._is_up = time.monotonic(), False
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError, AttributeError):  # the system has other pipes, or lends no more memory
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE)  # type: ignore[arg-type]
        return self._process


def _end_all(children: list[_Child]) -> None:
    for child in children:
        child.end(for_good=True)


#: The exit codes of a process that has computed for too long.
SLOW = {-getattr(signal, name) for name in ("SIGPROF", "SIGXCPU") if hasattr(signal, name)}


def plain(sentence: object) -> str:
    """A child's sentence, in characters and at a length that a page can show."""
    return "".join(filter(str.isprintable, str(sentence)))[:600]


def _has_ended(process: Process) -> bool:
    """Whether the process has ended, or is just about to."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(0.5)
    return process.poll() is not None


def _broken(name: str) -> str:
    return (
        f"{name} cannot be decoded: it is damaged, or needs too much memory. Make it smaller or save it again as JPEG."
    )
