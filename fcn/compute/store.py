"""Results of computation, kept by key and bounded in bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Protocol


class Sized(Protocol):
    """A result that knows how much memory it takes."""

    @property
    def nbytes(self) -> int: ...


class Store:
    """The latest results; those not asked for the longest go first. Threads may share it."""

    def __init__(self, capacity: int):
        """Start with nothing; `capacity` is in bytes."""
        self.capacity = capacity
        self.size = 0  # bytes
        self._results: OrderedDict[Hashable, Sized] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: Hashable) -> Any:
        """The result under a key; None if there is none."""
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
            return self._results.get(key)

    def keep(self, key: Hashable, result: Sized) -> None:
        """Keep a result; one under the same key is replaced, and the oldest make room."""
        with self._lock:
            if key in self._results:
                self.size -= self._results.pop(key).nbytes
            self._results[key] = result
            self.size += result.nbytes
            while self.size > self.capacity:
                _, oldest = self._results.popitem(last=False)
                self.size -= oldest.nbytes
