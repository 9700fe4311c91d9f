"""Engines: LiteRT gives what Keras gives, and only from the file that the card names."""

import io
import logging
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcn.__main__ import main
from fcn.errors import ModelError
from fcn.model import engines, zoo
from fcn.model.engines import TOLERANCE
from fcn.model.network import STRIDES
from fcn.model.segmenter import Segmenter
from fcn.model.upsampling import UPSAMPLINGS
from fcn.ui.photo.samples import samples
from tests.support.photos import smooth_photo

pytest.importorskip("ai_edge_litert", reason="there is no LiteRT for this machine")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def converted_models(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model "small", converted by the command."""
    folder = shutil.copytree(models, tmp_path_factory.mktemp("converted") / "models")
    assert main(["convert", "--model", "small", "--folder", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def litert(converted_models: Path) -> Segmenter:
    card = zoo.read_card("small", converted_models)
    return Segmenter(engines.load(card, folder=converted_models), card)


def assert_alike(one: Segmenter, other: Segmenter, photo: np.ndarray, max_side: int = 480) -> None:
    """Scores within TOLERANCE, and nearly all labels of every stride and upsampling."""
    scores, expected = one.score(photo, max_side), other.score(photo, max_side)
    for stride in STRIDES:
        np.testing.assert_allclose(scores.maps[stride], expected.maps[stride], rtol=0, atol=TOLERANCE)
        for upsampling in UPSAMPLINGS:
            labels = one.upsample(scores, stride, upsampling).labels
            alike = 0.98 if upsampling == "nearest" else 0.999  # a tie that rounding decides flips a whole cell
            assert (labels == other.upsample(expected, stride, upsampling).labels).mean() >= alike


@pytest.mark.parametrize("height, width", [(1, 1), (32, 32), (33, 95), (375, 500), (500, 375), (32, 32)])
def test_litert_gives_what_keras_gives(litert: Segmenter, segmenter: Segmenter, height: int, width: int) -> None:
    assert (litert.engine.name, segmenter.engine.name) == ("litert", "keras")
    assert_alike(litert, segmenter, smooth_photo(height, width))


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.names())
def test_the_shipped_conversions_give_what_keras_gives(name: str) -> None:
    fast, reference = Segmenter.load(name, "litert"), Segmenter.load(name, "keras")
    for sample in list(samples(name).values())[:4]:
        assert_alike(fast, reference, sample.read()[0].pixels)


def test_threads_take_turns(litert: Segmenter) -> None:
    photos = [smooth_photo(64 + 32 * (index % 3), 96, seed=index) for index in range(12)]
    alone = [litert.score(photo).maps[8] for photo in photos]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda photo: litert.score(photo).maps[8], photos))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_one_graph_of_keras_serves_all_sizes(segmenter: Segmenter) -> None:
    for size in (32, 64, 96):
        segmenter.score(smooth_photo(size, 32))
    assert segmenter.engine._network.experimental_get_tracing_count() == 1  # type: ignore[attr-defined]


def test_a_changed_or_missing_conversion_is_not_used(
    converted_models: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = shutil.copytree(converted_models, tmp_path / "models")
    file = folder / f"small{zoo.CONVERTED}"
    card = zoo.read_card("small", folder)
    with file.open("ab") as end:
        end.write(b"!")
    with pytest.raises(ModelError, match="small.litert.npz has the SHA-256"):
        engines.load(card, "litert", folder)
    with caplog.at_level(logging.WARNING, "fcn"):
        assert engines.load(card, folder=folder).name == "keras"
    assert "small runs on Keras, more slowly: The model file small.litert.npz has the SHA-256" in caplog.text
    file.unlink()
    with pytest.raises(ModelError, match="small.litert.npz is missing"):
        engines.load(card, "litert", folder)


def test_a_model_that_is_trained_again_loses_its_conversion(converted_models: Path, models: Path) -> None:
    assert zoo.read_card("small", converted_models).converted
    trained = zoo.read_card("small", models)  # as `train` writes it
    with pytest.raises(ModelError, match="small is not converted. Run: python -m fcn convert --model small"):
        engines.load(trained, "litert", converted_models)


def test_without_litert_keras_runs(converted_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    card = zoo.read_card("small", converted_models)
    assert engines.load(card, folder=converted_models).name == "keras"
    with pytest.raises(ModelError, match="small cannot run on LiteRT"):
        engines.load(card, "litert", converted_models)


@pytest.mark.slow
def test_a_conversion_that_scores_differently_is_refused(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = engines.LiteRTEngine.run
    monkeypatch.setattr(
        engines.LiteRTEngine,
        "run",
        lambda self, photo: {name: 1.01 * array for name, array in run(self, photo).items()},
    )
    with pytest.raises(ModelError, match="scores_32 differ by"):
        engines.convert(network)


def test_pickles_in_a_conversion_are_not_opened() -> None:
    file = io.BytesIO()
    np.savez(file, graph=np.array([{"a": 1}], dtype=object))
    with pytest.raises((ValueError, KeyError)):
        engines.LiteRTEngine(file.getvalue())


@pytest.mark.slow
def test_a_served_photo_does_not_import_tensorflow() -> None:
    code = (
        "import sys, numpy, fcn.ui.pages.try_it; from fcn.model.segmenter import Segmenter;"
        "street = Segmenter.load('street'); street.upsample(street.score(numpy.zeros((64, 64, 3), numpy.uint8)));"
        "sys.exit(str(sys.modules.keys() & {'tensorflow', 'keras'}) if 'keras' in sys.modules else None)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_the_card_of_a_conversion_differs_in_nothing_else(converted_models: Path, models: Path) -> None:
    assert replace(zoo.read_card("small", converted_models), converted="") == zoo.read_card("small", models)
