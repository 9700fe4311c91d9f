"""Results of computation, kept by key and bounded in bytes."""

from __future__ import annotations

import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

import numpy as np

MISSING = object()  # what `Store.find` gives where there is no result


class Store:
    """The latest results; those not asked for the longest go first. Threads may share it."""

    def __init__(self, capacity: int):
        """Start with nothing; `capacity` is in bytes."""
        self.capacity = capacity
        self.size = 0  # bytes
        self._results: OrderedDict[Hashable, tuple[Any, int, float]] = OrderedDict()  # each with its size and last use
        self._lock = threading.Lock()

    def find(self, key: Hashable) -> Any:
        """The result under a key, or MISSING."""
        with self._lock:
            if key not in self._results:
                return MISSING
            result, size, _ = self._results.pop(key)
            self._results[key] = result, size, time.monotonic()
            return result

    def keep(self, key: Hashable, result: Any) -> None:
        """Keep a result; one under the same key is replaced, and the oldest make room."""
        size = size_of(result)
        with self._lock:
            self.size += size - self._results.pop(key, (None, 0))[1]
            self._results[key] = result, size, time.monotonic()
            while self.size > self.capacity:
                self.size -= self._results.popitem(last=False)[1][1]

    def drop_unused(self, seconds: float) -> bool:
        """Drop what nobody has asked for in so many seconds; return whether there was anything."""
        with self._lock:
            limit, before = time.monotonic() - seconds, len(self._results)
            while self._results and next(iter(self._results.values()))[2] < limit:
                self.size -= self._results.popitem(last=False)[1][1]
            return len(self._results) < before


def size_of(value: Any) -> int:
    """Bytes of memory that a result takes, roughly: arrays, strings and bytes, alone or inside of other things."""
    if isinstance(value, np.ndarray | np.generic):
        return int(value.nbytes)
    if isinstance(value, dict):
        return sum(map(size_of, value.values())) + sys.getsizeof(value)
    if isinstance(value, list | tuple | set):
        return sum(map(size_of, value)) + sys.getsizeof(value)
    if hasattr(value, "__dict__"):
        return size_of(vars(value))
    return sys.getsizeof(value)
