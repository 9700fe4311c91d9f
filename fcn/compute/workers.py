"""Computation that stays bounded however many ask for it: a few threads, a line before them, a store of their results.

What two ask for at once is made once. Work that nobody waits for any more is dropped from the line.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

PATIENCE = 0.3  # seconds between two looks at the place in line


class Sized(Protocol):
    """A result that says how much memory it takes."""

    @property
    def nbytes(self) -> int: ...


T = TypeVar("T")


@dataclass
class _Job:
    future: Future[Any]
    waiting: int


class Workers:
    """Threads that make things by key, and keep the last of them."""

    def __init__(self, threads: int, capacity: int, aside: Callable[[], AbstractContextManager[None]] = nullcontext):
        """Start the threads.

        Args:
            threads: How many things are made at once.
            capacity: Bytes of results kept; those not asked for the longest go first.
            aside: What a thread that waits for a result is in meanwhile.
        """
        self._aside = aside
        self.capacity = capacity
        self.stored = 0  # bytes
        self._pool = ThreadPoolExecutor(threads, "worker")
        self._store: OrderedDict[Hashable, Sized] = OrderedDict()
        self._jobs: dict[Hashable, _Job] = {}  # in the order in which they came
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T], waiting: Callable[[int], None], keep: bool = True) -> T:
        """Return what is stored under a key, or wait until it is made.

        Args:
            key: What `make` depends on, all of it: whoever asks for the same key gets the same thing.
            make: Makes it, on one of the threads.
            waiting: Called every PATIENCE seconds with the number of jobs before this one, 0 when it is being made.
                It may raise to give up waiting.
            keep: Store the result, which then says its size in `nbytes`.

        Raises:
            Exception: Whatever `make` or `waiting` raises.
        """
        with self._lock:
            if key in self._store:
                self._store.move_to_end(key)
                return self._store[key]  # type: ignore[return-value]
            if key not in self._jobs:
                self._jobs[key] = _Job(self._pool.submit(self._run, key, make, keep), 0)
            job = self._jobs[key]
            job.waiting += 1
        try:
            with self._aside():
                while True:
                    try:
                        return job.future.result(PATIENCE)  # type: ignore[no-any-return]
                    except TimeoutError:
                        if job.future.done():  # just now, or it is `make` that timed out
                            return job.future.result()  # type: ignore[no-any-return]
                        waiting(self._place(key))
        finally:
            with self._lock:
                job.waiting -= 1
                if not job.waiting and job.future.cancel():
                    del self._jobs[key]

    def _place(self, key: Hashable) -> int:
        """How many jobs are before this one in the line; those that run are not in it."""
        with self._lock:
            line = [other for other, job in self._jobs.items() if not job.future.running()]
            return line.index(key) + 1 if key in line else 0

    def _run(self, key: Hashable, make: Callable[[], T], keep: bool) -> T:
        try:
            made = make()
            if keep:
                self._keep(key, made)
            return made
        finally:
            with self._lock:
                self._jobs.pop(key, None)

    def _keep(self, key: Hashable, made: Any) -> None:
        with self._lock:
            self._store[key] = made
            self.stored += made.nbytes
            while self.stored > self.capacity:
                _, oldest = self._store.popitem(last=False)
                self.stored -= oldest.nbytes
