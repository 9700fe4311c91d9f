"""The canary behind /ready, who draws when, and what is kept."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from fcn.compute.workers import Workers
from fcn.model import zoo
from fcn.ui import compute, readiness


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Workers:
    found = Workers(2, 1000)
    monkeypatch.setattr(compute, "workers", lambda: found)
    return found


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    opened = threading.Event()
    yield opened
    opened.set()


def wait(before: int) -> None:
    pass


def test_a_photo_that_comes_through_is_seen(workers: Workers) -> None:
    readiness.look([zoo.names()[0]])


def test_stuck_threads_are_noticed_and_forgotten_when_they_go_on(workers: Workers, gate: threading.Event) -> None:
    with ThreadPoolExecutor(2) as pool:
        for number in range(2):
            pool.submit(workers.get, number, lambda: gate.wait(20), wait, False)
        time.sleep(0.1)
        with pytest.raises(TimeoutError, match="within 0.5 s"):
            readiness.look([], patience=0.5)
        gate.set()
    readiness.look([], patience=5)


def test_it_goes_before_a_long_line(workers: Workers) -> None:
    done: list[int] = []
    with ThreadPoolExecutor(40) as pool:
        jobs = [pool.submit(workers.get, n, lambda: time.sleep(0.1) or done.append(1), wait, False) for n in range(40)]
        time.sleep(0.15)
        readiness.look([], patience=1)
        assert len(done) < 20
        for job in jobs:
            job.result()


def test_a_server_that_knows_of_a_broken_model_leaves_it_out(monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = zoo.names()
    monkeypatch.setitem(compute.failed, (first, str(zoo.MODELS)), "It is broken.")
    assert compute.names() == others


def test_results_are_kept_by_their_arguments(workers: Workers) -> None:
    calls = []

    @compute.memoize
    def double(number: int, _more: np.ndarray) -> np.ndarray:
        calls.append(threading.current_thread().name)
        return 2 * number + _more

    assert double(3, np.zeros(4)) is double(3, np.ones(4))
    assert double(4, _more=np.zeros(4))[0] == 8
    assert len(calls) == 2 and all(name.startswith("worker") for name in calls)
    assert workers.store.size >= 64
    double(5, np.zeros(500))  # larger than the store
    assert workers.store.size <= workers.store.capacity


def draw_page() -> None:
    import streamlit as st

    from fcn.errors import ModelError
    from fcn.ui import compute, turns

    @turns.fragment
    def part() -> None:
        st.text(f"held {compute._mine.held}")
        raise ModelError("www.x.jpg is *wrong*.")

    part()
    st.text("after")


def test_a_fragment_has_a_turn_and_its_error_ends_in_a_sentence() -> None:
    app = AppTest.from_function(draw_page).run()
    assert not app.exception
    assert [text.value for text in app.text] == ["held True", "after"]
    assert "wrong" in app.error[0].value and "*wrong*" not in app.error[0].value
    assert not getattr(compute._mine, "held", False)


def test_pages_draw_no_fragment_or_dialog_without_a_turn() -> None:
    from pathlib import Path

    root = Path(__file__).parents[2]
    files = [path for path in (root / "fcn" / "ui").rglob("*.py") if path.name != "turns.py"]
    wrong = [path.name for path in files if "st.fragment" in (text := path.read_text()) or "st.dialog" in text]
    cached = [path.name for path in files if "st.cache_data" in path.read_text()]
    assert not wrong and not cached
