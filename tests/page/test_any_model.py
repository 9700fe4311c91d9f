"""A model that somebody trains and puts beside the others works on every page, with and without words of its own."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from fcn.model import zoo
from fcn.model.segmenter import Segmenter
from fcn.ui.photo.samples import STAND_IN, STREET, samples
from tests.support.pages import quality_page, steps_page, try_it_page, words


@pytest.fixture
def three_models(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The installed models, and "small", which was never measured."""
    for folder in (zoo.MODELS, models):
        for file in folder.iterdir():
            (tmp_path / file.name).symlink_to(file)
    monkeypatch.setattr(zoo, "MODELS", tmp_path)
    st.cache_data.clear()
    yield tmp_path
    st.cache_data.clear()


def open_page(page: Callable[[], None]) -> AppTest:
    app = AppTest.from_function(page, default_timeout=120)
    app.query_params["model"] = "Small"
    app.run()
    assert not app.exception
    assert not app.error
    return app


@pytest.mark.parametrize("page", [try_it_page, steps_page, quality_page])
def test_a_model_that_was_never_measured_opens_every_page(
    three_models: Path, segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch, page: Callable[[], None]
) -> None:
    load = Segmenter.load
    monkeypatch.setattr(Segmenter, "load", lambda name: segmenter if name == "small" else load(name))
    st.cache_resource.clear()
    app = open_page(page)
    if page is quality_page:
        assert app.segmented_control(key="model").value == "small"
    if page is try_it_page:
        assert '"model": "small"' in "".join(part.proto.json for part in app.get("bidi_component"))
    if page is quality_page:
        assert "has not been measured yet" in words(app)
        assert "Where it fails" not in words(app) and "published" not in words(app)


def test_a_model_without_samples_has_one_test_picture_and_no_truth(three_models: Path) -> None:
    (sample,) = samples("small").values()
    assert sample.alt == STAND_IN["alt"]
    assert sample.read()[1] is None


def test_a_model_of_the_same_classes_borrows_samples_but_no_failures(three_models: Path) -> None:
    card = replace(zoo.read_card("small"), name="lanes", classes=STREET)
    zoo.write_card(card, three_models)
    assert samples("lanes").keys() == samples("street").keys()
    assert all(sample.read()[1] is not None for sample in samples("lanes").values())
    companion = zoo.read_companion("lanes")
    assert not companion.failures and companion.published is None


def test_scenes_give_no_truth_to_a_model_of_other_classes(three_models: Path) -> None:
    page = {"scenes": [{"seed": 3, "title": "Dusk", "alt": "A street"}]}
    (three_models / "small.page.json").write_text(json.dumps(page), encoding="utf-8")
    assert samples("small")["scene-3"].read()[1] is None


@pytest.mark.parametrize("name", zoo.names())
def test_words_of_an_installed_model_speak_of_its_samples(name: str) -> None:
    companion = zoo.read_companion(name)
    assert companion.failures and companion.published and companion.not_in_the_data
    assert {entry["sample"] for entry in companion.failures} <= samples(name).keys()
