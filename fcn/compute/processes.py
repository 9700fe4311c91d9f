"""Ending of child processes that answer over pipes."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Iterator

Process = subprocess.Popen[bytes]


@contextlib.contextmanager
def killed_after(seconds: float, process: Process) -> Iterator[threading.Event]:
    """Kill a process if this is not over after so many seconds; the event tells whether it was killed.

    A read from a pipe cannot be given up, nor a write to a full one, but both end with the process.
    """
    killed = threading.Event()

    def kill() -> None:
        killed.set()
        process.kill()

    timer = threading.Timer(seconds, kill)
    timer.daemon = True
    timer.start()
    try:
        yield killed
    finally:
        timer.cancel()


def end(process: Process) -> None:
    """Kill a process, a stopped one too, and close its pipes; what was not sent is lost."""
    process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(2)
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with contextlib.suppress(OSError, ValueError):
                pipe.close()
