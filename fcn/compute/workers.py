"""Computation that stays bounded under any load: a few threads, a queue in front of them, a store of their results.

Equal requests are computed once. Work that nobody waits for any more is dropped from the queue. Requests are served in
the order in which they come, but one may give way to those that come a little later. The threads are daemons: one that
is stuck in a library does not stop the server from ending.
"""

from __future__ import annotations

import threading
import time
from bisect import insort
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

from fcn.compute.store import MISSING, Store

PATIENCE = 0.3  # seconds until the first look at the place in line
BETWEEN = 1.0  # seconds from each look to the next

T = TypeVar("T")


@dataclass(eq=False)
class _Job:
    key: Hashable
    make: Callable[[], Any]
    store: Store | None
    due: float  # when it counts as having come, on the monotonic clock
    future: Future[Any]
    waiting: int = 0


class Workers:
    """Threads that compute results by key, and keep the latest of them."""

    def __init__(self, threads: int, capacity: int, aside: Callable[[], AbstractContextManager[None]] = nullcontext):
        """Start the threads.

        Args:
            threads: How many results are computed at once.
            capacity: Bytes of results kept; those not asked for the longest go first.
            aside: Context that a thread enters while it waits for a result.
        """
        self._aside = aside
        self.store = Store(capacity)
        self._jobs: dict[Hashable, _Job] = {}  # in the queue or running
        self._line: list[_Job] = []  # the queue, in order of `due`
        self._lock = threading.Lock()
        self._more = threading.Condition(self._lock)
        self._mine = threading.local()  # .works: whether this is one of the threads
        for number in range(threads):
            threading.Thread(target=self._work, name=f"worker-{number}", daemon=True).start()

    def get(
        self,
        key: Hashable,
        make: Callable[[], T],
        waiting: Callable[[int], None],
        keep: bool | Store = True,
        gives_way: float = 0.0,
    ) -> T:
        """Return what is stored under a key, or wait until it is computed.

        Args:
            key: Everything that `make` depends on: equal keys give the same result.
            make: Computes it, on one of the threads.
            waiting: Called after PATIENCE and then every BETWEEN seconds with the number of jobs ahead of this one, 0
                when it is running. It may raise to give up waiting.
            keep: Whether to store the result; or another store to keep it in.
            gives_way: Seconds: requests that come up to so much later go ahead of this one. Negative: it goes ahead of
                requests that came before it.

        Raises:
            Exception: Whatever `make` or `waiting` raises.
        """
        store = keep if isinstance(keep, Store) else self.store if keep else None
        works = getattr(self._mine, "works", False)
        with self._lock:
            if store is not None and (stored := store.find(key)) is not MISSING:
                return stored  # type: ignore[no-any-return]
            if not works:
                job = self._join(key, make, store, gives_way)
        if works:  # if all threads waited here, none would be left to compute
            result = make()
            if store is not None:
                store.keep(key, result)
            return result
        try:
            with self._aside():
                patience = PATIENCE
                while True:
                    try:
                        return job.future.result(patience)  # type: ignore[no-any-return]
                    except TimeoutError:
                        if job.future.done():  # it finished just now, or `make` itself timed out
                            return job.future.result()  # type: ignore[no-any-return]
                        waiting(self._place(job))
                        patience = BETWEEN
        finally:
            with self._lock:
                job.waiting -= 1
                if not job.waiting and job in self._line:
                    self._line.remove(job)
                    del self._jobs[key]
            del job  # an error refers to this frame

    def _join(self, key: Hashable, make: Callable[[], Any], store: Store | None, gives_way: float) -> _Job:
        """Queue a job, or find the one already there. The caller holds the lock."""
        due = time.monotonic() + gives_way
        if key not in self._jobs:
            job = self._jobs[key] = _Job(key, make, store, due, Future())
            insort(self._line, job, key=lambda one: one.due)
            self._more.notify()
        job = self._jobs[key]
        job.waiting += 1
        if due < job.due and job in self._line:  # somebody asks for it who gives way less
            self._line.remove(job)
            job.due = due
            insort(self._line, job, key=lambda one: one.due)
        return job

    def _place(self, job: _Job) -> int:
        """How many jobs are ahead of this one in the queue; running ones are not in it."""
        with self._lock:
            return self._line.index(job) + 1 if job in self._line else 0

    def _work(self) -> None:
        self._mine.works = True
        while True:
            with self._more:
                while not self._line:
                    self._more.wait()
                job = self._line.pop(0)
            self._run(job)
            del job  # it holds a photo

    def _run(self, job: _Job) -> None:
        try:
            result, failure = job.make(), None
            if job.store is not None:
                job.store.keep(job.key, result)
        except BaseException as error:  # raised again in those who wait
            result, failure = None, error
        with self._lock:
            del self._jobs[job.key]
        if failure is None:
            job.future.set_result(result)
        else:
            job.future.set_exception(failure)
        del failure, job  # it refers to this frame, and the frame to the photo
