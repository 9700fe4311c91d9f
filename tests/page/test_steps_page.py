"""The page "Upsampling, step by step" without a browser: every section is there, and Keras agrees with the numbers."""

import re
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from fcn.model import zoo
from fcn.model.upsampling import bilinear
from fcn.ui.lessons import interpolation, thread
from fcn.ui.stepper import stepper
from tests.support.pages import words

SCRIPT = """
import streamlit as st

from fcn.ui.pages import steps

st.set_page_config(layout="wide")
steps.show()
"""


def open_page(**link: str) -> AppTest:
    app = AppTest.from_string(SCRIPT, default_timeout=180)
    app.query_params.update(link)
    return run_page(app)


def run_page(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception and not app.error
    return app


def choose(app: AppTest, key: str, value: object) -> AppTest:
    app.button_group(key=key).set_value(value)
    return run_page(app)


def difference(app: AppTest) -> float:
    """The largest difference to Keras, as the page says it."""
    found = re.search(r"Largest difference from Keras: \*\*(\S+)\*\*", words(app))
    assert found, words(app)
    return float(found[1])


@pytest.fixture(scope="module")
def page() -> AppTest:
    return open_page()


def test_page_has_all_sections_and_keras_agrees(page: AppTest) -> None:
    headings = re.findall(r"##### (\d)\. (.*)", words(page))
    assert headings == [(str(number), title) for number, title in enumerate(thread.SECTIONS.values(), start=1)]
    assert re.findall(r"\d\. \[(.*)\]\(#", words(page)) == list(thread.SECTIONS.values())
    assert difference(page) < 1e-5
    assert len(page.expander) == 8  # seven questions, and In Keras


def test_every_figure_and_picture_says_what_it_shows(page: AppTest) -> None:
    figures = page.get("plotly_chart")
    pictures = [picture for element in page.image for picture in element.proto.imgs]
    assert len(figures) >= 9 and all(figure.proto.alt for figure in figures)
    assert len(pictures) >= 6 and all(picture.alt for picture in pictures)


def test_stride_and_kernel_change_what_is_computed() -> None:
    app = open_page()
    seen = set()
    for stride, kind in product((2, 3, 4), stepper.TITLES):
        app.button_group(key="steps_stride").set_value(stride)
        choose(app, "steps_kernel", kind)
        assert difference(app) < 1e-5
        [call] = re.findall(r"Conv2DTranspose\(1, (\d), strides=(\d)", words(app))
        seen.add((stride, kind, call))
    sizes = {(stride, kind): int(call[0]) for stride, kind, call in seen}
    assert [sizes[stride, "nearest"] for stride in (2, 3, 4)] == [2, 3, 4]
    assert [sizes[stride, "bilinear"] for stride in (2, 3, 4)] == [4, 5, 8]
    assert all(int(call[1]) == stride for stride, _, call in seen)


def test_overlap_says_where_a_checkerboard_is() -> None:
    app = open_page()
    assert "**A checkerboard.**" in words(app)
    assert "**Even.**" in words(choose(app, "steps_overlap_size", 4))
    assert "**Holes.**" in words(choose(app, "steps_overlap_size", 1))
    assert "exactly 2 x 2 cells" in words(app)


@pytest.mark.parametrize("model", zoo.names())
def test_a_class_onto_itself_comes_first_then_the_pairs_that_changed_most(model: str) -> None:
    app = open_page(model=zoo.read_card(model).title)  # links carry the words of the page
    [pairs] = [box for box in app.selectbox if (box.key or "").startswith("steps_pair")]
    amounts = [float(re.findall(r"changed by (.*)%\)", option)[0]) for option in pairs.options]
    classes = len(zoo.read_card(model).classes)
    onto_itself, others = amounts[:classes], amounts[classes:]
    assert all("to itself" in option for option in pairs.options[:classes])
    assert not any("to itself" in option for option in pairs.options[classes:])
    assert onto_itself == sorted(onto_itself, reverse=True) and others == sorted(others, reverse=True)
    assert len(amounts) == classes**2
    pairs.select_index(len(amounts) - 1)
    run_page(app)


def test_training_is_told_of_the_photo_in_hand() -> None:
    app = open_page(model="Street scenes", sample="scene-24")
    told = re.search(r"changes the class of \*\*([\d,]+) pixels\*\*", words(app))
    assert told and int(told[1].replace(",", "")) > 0
    assert re.search(r"became correct and [\d,]+ became wrong", words(app))


def parse_sum(sum_: str) -> tuple[Fraction, list[Fraction]]:
    """The result of a written sum, and its terms."""
    left, whole, decimal = (part.strip(" *") for part in sum_.split("="))
    assert Fraction(whole) == Fraction(decimal), sum_
    terms = [Fraction(weight) * Fraction(score) for weight, score in re.findall(r"(\d+/\d+) × (\d+)", left)]
    return Fraction(decimal), terms


@pytest.mark.parametrize("pixel, row, column", [(1, 1, 1), (4, 4, 5), (8, 8, 3)])
def test_weights_of_bilinear_add_up(pixel: int, row: int, column: int) -> None:
    app = open_page(steps_pixel=str(pixel), steps_row=str(row), steps_column=str(column))
    two = re.search(rf"Pixel {pixel}: (.*)", words(app))
    four = re.search(r"(\d+/64 × .*)", words(app))
    assert two and four
    kernel = bilinear(np.array(interpolation.SQUARE, np.float32)[..., np.newaxis], interpolation.STRIDE)[..., 0]
    for found, expected in ((two[1], np.interp((pixel - 0.5) / 4 - 0.5, (0, 1), interpolation.ROW)),
                            (four[1], kernel[row - 1, column - 1])):  # fmt: skip
        total, terms = parse_sum(found)
        assert sum(terms) == total and float(total) == pytest.approx(float(expected))


@pytest.mark.parametrize(
    "link",
    [
        {"steps_side": "9", "steps_stride": "0", "steps_kernel": "x", "steps_pixel": "99", "steps_row": "x"},
        {"steps_side": "", "steps_stride": "", "steps_kernel": "", "steps_overlap_size": "", "model": ""},
        {"steps_kernel": "Random", "steps_size": "6", "steps_seed": "-4", "steps_width": "1e9"},
        {"steps_kernel": "Own numbers", "steps_size": "\0", "steps_overlap_stride": "\N{GRINNING FACE}" * 99},
    ],
)
def test_any_link_opens_the_page(link: dict[str, str]) -> None:
    assert difference(open_page(**link)) < 1e-5


@pytest.mark.parametrize(
    "received", [None, "x", [[1]], [[1, 2], [3]], [["a", "b"], [1, 2]], [[1, float("nan")], [1, 1]]]
)
def test_numbers_that_cannot_be_used_leave_the_start(received: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stepper.st, "session_state", {stepper.KEY: {"scores": received}})
    start = stepper.START[:2, :2]
    assert stepper.read_edits("scores", start) is start


def test_typed_numbers_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stepper.st, "session_state", {stepper.KEY: {"scores": [[1, -2], [0.5, 4]]}})
    assert stepper.read_edits("scores", stepper.START[:2, :2]).tolist() == [[1, -2], [0.5, 4]]
