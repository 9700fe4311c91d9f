"""What this machine allows the process. A container's limits count, not the machine it runs on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")  # Linux lists the limits of a container here
UNKNOWN = 2 * 1024**3  # bytes to assume where the system does not report it

FULL = 0.7  # of the memory
SERVER = 600 * 1024**2  # bytes that the server takes without photos: models, program, visits
PHOTO = 500 * 1024**2  # bytes that computing one large photo may take, in the server and in a child process


def processors(groups: Path = GROUPS) -> int:
    """Processor cores that this process may use, at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for text in _settings(groups, "cpu.max"):
        with suppress(ValueError):  # it says "max"
            quota, period = map(int, text.split())
            cores = min(cores, max(1, round(quota / period)))
    return cores


def memory(groups: Path = GROUPS) -> int:
    """Bytes of memory that this process may use, with all processes of its container."""
    try:
        limit = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows
        limit = UNKNOWN
    for text in (*_settings(groups, "memory.max"), *_settings(groups / "memory", "memory.limit_in_bytes")):
        with suppress(ValueError):
            limit = min(limit, int(text))
    return limit


def resident() -> int:
    """Bytes of memory that this process has now; 0 where the system does not report it."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def is_full() -> bool:
    """Whether this process has so much of its memory in use that it should take nothing more in."""
    return resident() > FULL * memory()


def photos_at_once(cores: int | None = None, limit: int | None = None) -> int:
    """How many photos may be computed at the same time: one per core, at least two, as far as memory allows."""
    count = max(2, processors() if cores is None else cores)
    room = (memory() if limit is None else limit) - SERVER
    return max(1, min(count, room // PHOTO))


def _settings(groups: Path, name: str) -> Iterator[str]:
    """The values of a setting for this process' group and for each group around it."""
    inside = Path("/proc/self/cgroup")
    own = ""
    with suppress(OSError):
        for line in inside.read_text(encoding="utf-8").splitlines():
            _, kinds, path = line.split(":", 2)
            if kinds == "" or "memory" in kinds.split(","):
                own = path.strip("/")
    folder = groups / own
    while True:
        with suppress(OSError):
            yield (folder / name).read_text(encoding="ascii")
        if folder == groups or groups not in folder.parents:
            return
        folder = folder.parent


def free_memory(groups: Path = Path("/sys/fs/cgroup"), system: Path = Path("/proc/meminfo")) -> int | None:
    """Bytes of memory that can still be taken, of the machine and of the container; None where that is not reported."""
    estimates = []
    with suppress(OSError, ValueError, KeyError):
        lines = (line.split() for line in system.read_text(encoding="ascii").splitlines())
        estimates.append(1024 * int({line[0]: line[1] for line in lines}["MemAvailable:"]))
    with suppress(OSError, ValueError, KeyError):  # there is no such file, or it says "max"
        limit, current = (int((groups / name).read_text(encoding="ascii")) for name in ("memory.max", "memory.current"))
        lines = (line.split() for line in (groups / "memory.stat").read_text(encoding="ascii").splitlines())
        cached = int({line[0]: line[1] for line in lines}["inactive_file"])  # the system gives this back when asked
        estimates.append(limit - current + cached)
    return min(estimates, default=None)
