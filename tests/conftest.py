"""Shared fixtures: one small untrained model with its card, built once for all tests; a server and a browser."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from fcn.model import engines, zoo
from fcn.model.segmenter import Segmenter
from tests.support.photos import smooth_photo

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CLASSES = 11
#: Marked slow as a whole, as are all tests with a browser or a server: each takes over two seconds, or there are many.
SLOW = {"test_hostile.py", "test_training.py", "test_packing.py", "test_reference.py", "test_keras_process.py",
        "test_steps_page.py", "test_score_own.py", "test_benchmarks.py"}  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow, so that `-m "not slow"` leaves it out."""
    for item in items:
        if item.path.name in SLOW or item.path.parent.name in ("browser", "server"):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def network() -> Any:
    """The network with random weights that sees several classes in every photo, at every stride."""
    import keras

    from fcn.model.network import STRIDES, build

    keras.utils.set_random_seed(5)
    model = build(CLASSES)
    photo = smooth_photo(192, 256)[np.newaxis].astype(np.float32)
    normalisations = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in normalisations:
        layer.momentum = 0  # take the statistics of this one photo: otherwise random features fade away
    model(photo, training=True)
    for layer in normalisations:
        layer.momentum = 0.99
    rng = np.random.default_rng(5)
    layers = [model.get_layer(f"score_{stride}") for stride in STRIDES]
    for layer in layers:
        layer.kernel.assign(rng.normal(size=layer.kernel.shape) / np.sqrt(layer.kernel.shape[2]))
    # Each scoring layer takes off the mean that it adds, or one class would win everywhere.
    scores = model(photo, training=False)
    means = [np.asarray(scores[f"scores_{stride}"]).mean((0, 1, 2)) for stride in STRIDES]
    for layer, mean, coarser in zip(layers, means, [0, *means], strict=False):
        layer.bias.assign(coarser - mean)
    return model


@pytest.fixture(scope="session")
def models(network: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the model "small" and its card."""
    folder = tmp_path_factory.mktemp("models")
    network.save(folder / "small.keras")
    card = zoo.Card(
        name="small",
        title="Small",
        classes=tuple(f"class {index}" for index in range(CLASSES)),
        palette=tuple((20 * index, 255 - 20 * index, 7 * index) for index in range(CLASSES)),
        sha256=zoo.file_hash(folder / "small.keras"),
        parameters=network.count_params(),
        references=("none",),
        recipe={},
        notes=(),
        validation={"data": "none", "images": 0, "results": []},
        date="2025-01-01",
    )
    zoo.write_card(card, folder)
    return folder


@pytest.fixture(scope="session")
def card(models: Path) -> zoo.Card:
    return zoo.read_card("small", models)


@pytest.fixture(scope="session")
def segmenter(models: Path, card: zoo.Card) -> Segmenter:
    return Segmenter(engines.load(card, "keras", models), card)


@pytest.fixture
def installed_models(models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the commands find the model "small", and no other."""
    monkeypatch.setattr(zoo, "MODELS", models)
    return models


@pytest.fixture
def loaded_model(installed_models: Path, segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `installed_models`, with "small" in memory already: loading it takes a second or two."""
    load = Segmenter.load
    monkeypatch.setattr(Segmenter, "load", lambda name: segmenter if name == "small" else load(name))


# The browser. Only tests that use it import playwright.


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the installed browser."""
    from tests.support import browsing

    path = browsing.find_browser()
    if path is None and browsing.is_browser_required():
        pytest.fail("FCN_REQUIRE_BROWSER=1, but no chromium is installed.")
    if path is None:
        pytest.skip("No chromium is installed.")
    return path


@pytest.fixture(scope="session")
def server(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the app, run as a visitor's server runs it; one for all tests that need a browser."""
    from tests.support.browsing import PATIENCE
    from tests.support.live import serving

    with serving(tmp_path_factory.mktemp("server") / "log.txt", patience=PATIENCE) as running:
        yield running.url


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One browser a module: while it runs, this thread has an event loop, which other tests could not start."""
    from playwright.sync_api import sync_playwright

    from tests.support import browsing

    with sync_playwright() as playwright:
        started = browsing.launch(playwright, chromium)
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser, server: str) -> Iterator[Page]:
    """A new visitor before the first page."""
    from tests.support.browsing import visiting

    with visiting(browser, server) as page:
        yield page


@pytest.fixture
def phone(browser: Browser, server: str) -> Iterator[Page]:
    """A new visitor with a narrow window."""
    from tests.support.browsing import visiting

    with visiting(browser, server, 390, 844) as page:
        yield page
