"""Shared work: made once, a few at a time, dropped when nobody waits, forgotten when there is too much of it."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest

from fcn.compute.store import Store, size_of
from fcn.compute.workers import Workers


class Product(np.ndarray):
    """A result of a few bytes."""

    def __new__(cls, size: int = 10) -> "Product":
        return np.zeros(size, np.uint8).view(cls)


def wait_patiently(before: int) -> None:
    """Wait as long as it takes."""


@pytest.fixture
def crowd() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(40) as pool:
        yield pool


def wait_until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


class Gate:
    """Work that starts when it is let through, and counts how often it ran and how many ran at once."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.ran = self.running = self.most = 0
        self.lock = threading.Lock()

    def make(self) -> Product:
        with self.lock:
            self.ran += 1
            self.running += 1
            self.most = max(self.most, self.running)
        assert self.opened.wait(10)
        with self.lock:
            self.running -= 1
        return Product()


def test_what_many_ask_for_at_once_is_made_once(crowd: ThreadPoolExecutor) -> None:
    workers, gate = Workers(2, 100), Gate()
    asked = [crowd.submit(workers.get, "photo", gate.make, wait_patiently) for _ in range(20)]
    wait_until(lambda: gate.ran)
    gate.opened.set()
    assert len({id(future.result(10)) for future in asked}) == 1
    assert gate.ran == 1
    workers.get("photo", gate.make, wait_patiently)
    assert gate.ran == 1


def test_no_more_run_at_once_than_there_are_threads(crowd: ThreadPoolExecutor) -> None:
    workers, gate = Workers(2, 0), Gate()
    asked = [crowd.submit(workers.get, number, gate.make, wait_patiently) for number in range(20)]
    wait_until(lambda: gate.running == 2)
    gate.opened.set()
    for future in asked:
        future.result(10)
    assert (gate.ran, gate.most) == (20, 2)


def test_the_place_in_line_is_told_and_falls(crowd: ThreadPoolExecutor) -> None:
    workers, gate = Workers(1, 0), Gate()
    told: dict[int, list[int]] = {number: [] for number in range(3)}
    asked: list[Future[Product]] = []
    for number in range(3):
        asked.append(crowd.submit(workers.get, number, gate.make, told[number].append))
        wait_until(lambda: len(workers._jobs) == len(asked))
    wait_until(lambda: all(told.values()))
    gate.opened.set()
    for future in asked:
        future.result(10)
    assert [told[number][0] for number in range(3)] == [0, 1, 2]
    assert all(places == sorted(places, reverse=True) for places in told.values())


def test_work_of_those_who_left_is_dropped(crowd: ThreadPoolExecutor) -> None:
    workers, gate = Workers(1, 100), Gate()
    first = crowd.submit(workers.get, "first", gate.make, wait_patiently)
    wait_until(lambda: gate.ran == 1)

    def leave(before: int) -> None:
        raise ConnectionError

    gone = [crowd.submit(workers.get, "second", gate.make, leave) for _ in range(3)]
    stays = crowd.submit(workers.get, "third", gate.make, wait_patiently)
    also_gone = crowd.submit(workers.get, "third", gate.make, leave)  # but another still waits for it
    for future in (*gone, also_gone):
        with pytest.raises(ConnectionError):
            future.result(10)
    gate.opened.set()
    assert first.result(10).size == stays.result(10).size
    assert gate.ran == 2
    assert not workers._jobs
    workers.get("second", gate.make, wait_patiently)  # asked for again, it is made
    assert gate.ran == 3


@pytest.mark.parametrize("error", [ValueError("broken"), TimeoutError("slow")])
def test_everyone_gets_the_error_and_it_is_not_kept(crowd: ThreadPoolExecutor, error: Exception) -> None:
    workers = Workers(1, 100)

    def fail() -> Product:
        time.sleep(0.05)
        raise error

    asked = [crowd.submit(workers.get, "key", fail, wait_patiently) for _ in range(3)]
    for future in asked:
        with pytest.raises(type(error), match=str(error)):
            future.result(10)
    assert workers.get("key", Product, wait_patiently).size == 10


def test_the_store_is_bounded_in_bytes_and_forgets_the_oldest_first() -> None:
    workers, made = Workers(1, 100), []

    def get(key: int, size: int = 40) -> None:
        workers.get(key, lambda: (made.append(key), Product(size))[1], wait_patiently)

    get(1), get(2), get(1), get(3)  # 2 is the one not asked for the longest
    assert (made, workers.store.size) == ([1, 2, 3], 80)
    get(1), get(3), get(2)
    assert made == [1, 2, 3, 2]
    get(4, 1000)  # larger than all of the store
    assert workers.store.size == 0


def test_memory_counts_arrays_and_text_inside_of_other_things() -> None:
    @dataclass
    class Photo:
        pixels: np.ndarray
        name: str

    result = {"photos": [Photo(np.zeros((100, 100), np.float32), "x" * 3000)], "jpeg": b"x" * 5000}
    assert 48_000 < size_of(result) < 49_000


def test_what_is_not_to_be_kept_is_not_and_large_things_lie_apart() -> None:
    workers, photos = Workers(1, 100), Store(1000)
    workers.get("key", Product, wait_patiently, keep=False)
    assert workers.store.size == 0
    photo = workers.get("photo", lambda: Product(900), wait_patiently, photos)
    assert (workers.store.size, photos.size) == (0, 900)
    assert workers.get("photo", Product, wait_patiently, photos) is photo


def test_who_gives_way_lets_later_ones_pass_but_not_for_ever(crowd: ThreadPoolExecutor) -> None:
    workers, gate = Workers(1, 0), Gate()
    done: list[str] = []
    asked = [crowd.submit(workers.get, "running", gate.make, wait_patiently)]
    wait_until(lambda: gate.running)
    for name, seconds in {"upload": 60.0, "late": 0.3, "switch": 0.0, "now": -math.inf}.items():
        make = lambda name=name: (done.append(name), Product())[1]  # noqa: E731
        asked.append(crowd.submit(workers.get, name, make, wait_patiently, True, seconds))
        wait_until(lambda: len(workers._jobs) == len(asked))
    time.sleep(0.4)
    asked.append(crowd.submit(workers.get, "later", lambda: (done.append("later"), Product())[1], wait_patiently))
    wait_until(lambda: len(workers._jobs) == len(asked))
    gate.opened.set()
    for future in asked:
        future.result(10)
    assert done == ["now", "switch", "late", "later", "upload"]


def test_what_is_done_just_after_the_patience_ends_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    result = Future.result

    def answer_late(future: "Future[Product]", timeout: float | None = None) -> Product:
        made = result(future, 10)
        if timeout is not None:
            raise TimeoutError
        return made

    monkeypatch.setattr(Future, "result", answer_late)
    assert Workers(1, 100).get("key", Product, wait_patiently).size == 10
