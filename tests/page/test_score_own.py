"""Scores wherever the truth is known: scenes of the gallery, and masks that visitors bring."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from fcn.model import zoo
from fcn.model.segmenter import Segmenter
from fcn.model.upsampling import UPSAMPLINGS
from fcn.photos.images import IGNORE_LABEL, labels_to_own_size
from fcn.quality.metrics import Scorer
from fcn.scenes.scene import render_scene
from fcn.ui import parts
from fcn.ui.photo import score_own
from tests.page.test_page import APP

SCORE = re.compile(
    r"overlap \(mIoU\) \*\*([\d.]+)%\*\*, edges \(boundary F1\) \*\*([\d.]+)%\*\*, pixel accuracy ([\d.]+)%"
)


def png(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def read_scores(app: AppTest) -> list[list[float]]:
    found = [SCORE.search(element.value) for element in app.markdown]
    return [[float(value) for value in match.groups()] for match in found if match]


@pytest.fixture
def app() -> AppTest:
    opened = AppTest.from_file(str(APP), default_timeout=120)
    opened.query_params["model"] = zoo.read_card("street").title
    opened.query_params["lock"] = "model"  # or a photo would choose its own
    opened.query_params["sample"] = "scene-24"
    return opened.run()


def bring(app: AppTest, photo: np.ndarray, mask: bytes) -> AppTest:
    app.file_uploader(key="upload").upload("street.png", png(photo), "image/png").run()
    key = next(str(uploader.key) for uploader in app.file_uploader if str(uploader.key).startswith("mask-"))
    app.file_uploader(key=key).upload("mask.png", mask, "image/png").run()
    assert not app.exception
    return app


def test_a_scene_is_scored_by_every_upsampling_without_being_asked(app: AppTest) -> None:
    assert len(read_scores(app)) == 3


def test_an_own_mask_is_scored_like_the_command_line_does(app: AppTest) -> None:
    scene = render_scene(7, 240, 180)
    mask = scene.labels.copy()
    mask[:20] = IGNORE_LABEL
    shown = read_scores(bring(app, scene.photo, png(mask)))
    segmenter = Segmenter.load("street")
    scores = segmenter.score(scene.photo)
    for upsampling, figures in zip(UPSAMPLINGS, shown, strict=True):
        scorer = Scorer(len(segmenter.card.classes))
        scorer.add(mask, labels_to_own_size(segmenter.upsample(scores, 32, upsampling).labels, (180, 240)))
        expected = [100 * value for value in (scorer.miou, scorer.boundary_f1, scorer.pixel_accuracy)]
        assert figures == pytest.approx(expected, abs=0.06)


def test_a_mask_in_the_colours_of_the_legend_is_understood(app: AppTest) -> None:
    scene = render_scene(8, 240, 180)
    colours = np.asarray(zoo.read_card("street").palette, np.uint8)[scene.labels]
    assert len(read_scores(bring(app, scene.photo, png(colours)))) == 3


def test_edges_that_the_mask_leaves_out_are_not_scored(app: AppTest) -> None:
    scene = render_scene(8, 240, 180)
    mask = scene.labels.copy()
    for rows, columns in ((1, 0), (0, 1)):
        differs = scene.labels[rows:, columns:] != scene.labels[: 180 - rows, : 240 - columns]
        mask[rows:, columns:][differs] = mask[: 180 - rows, : 240 - columns][differs] = IGNORE_LABEL
    words = [element.value for element in bring(app, scene.photo, png(mask)).markdown]
    assert sum("not measurable, since the mask leaves out the edges" in text for text in words) == 3


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (png(np.zeros((10, 12), np.uint8)), "12 x 10"),
        (png(np.full((180, 240), 77, np.uint8)), "77"),
        (b"no image", "mask.png|PNG|image"),
    ],
    ids=["another size", "an unknown class", "no image"],
)
def test_a_mask_that_does_not_fit_is_answered_in_a_sentence(app: AppTest, mask: bytes, said: str) -> None:
    shown = bring(app, render_scene(9, 240, 180).photo, mask)
    assert read_scores(shown) == []
    assert [error for error in shown.error if re.search(said, error.value)]


def test_a_mask_that_ignores_everything_has_no_score_and_no_nan() -> None:
    verdict = score_own.compare(np.zeros((8, 8), np.uint8), np.full((8, 8), IGNORE_LABEL, np.uint8), 3)
    shown = [parts.format_percent(value) for value in (verdict.miou, verdict.boundary_f1, verdict.pixel_accuracy)]
    assert shown == ["not defined"] * 3 and verdict.wrong == 0
    assert parts.format_percent(0.1234) == "12.3%"
