"""What this machine grants the process."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def processors() -> int:
    """Processor cores that this process may use, at least 1: a container's limit counts, not the machine it is on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):  # there is no such file, or it says "max"
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        cores = min(cores, max(1, round(int(quota) / int(period))))
    return cores


def free_memory(groups: Path = Path("/sys/fs/cgroup"), system: Path = Path("/proc/meminfo")) -> int | None:
    """Bytes of memory that can still be taken, of the machine and of the container; None where that is not told."""
    found = []
    with suppress(OSError, ValueError, KeyError):
        lines = (line.split() for line in system.read_text(encoding="ascii").splitlines())
        found.append(1024 * int({line[0]: line[1] for line in lines}["MemAvailable:"]))
    with suppress(OSError, ValueError, KeyError):  # there is no such file, or it says "max"
        limit, current = (int((groups / name).read_text(encoding="ascii")) for name in ("memory.max", "memory.current"))
        lines = (line.split() for line in (groups / "memory.stat").read_text(encoding="ascii").splitlines())
        cached = int({line[0]: line[1] for line in lines}["inactive_file"])  # the system gives this back when asked
        found.append(limit - current + cached)
    return min(found, default=None)
