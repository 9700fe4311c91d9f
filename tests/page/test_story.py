"""The page "From photo to pixels" without a browser: it sends what the network says, and every number is true."""

import base64
import re
import zlib

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from fcn.explain import partial_labels
from fcn.model.segmenter import Segmenter
from fcn.model.upsampling import bilinear_kernel
from fcn.model.upsampling import transposed as enlarge
from fcn.quality.metrics import confusion_matrix, mean_iou
from fcn.ui.lessons import resize_loss
from fcn.ui.lessons.resize_loss import Subject
from fcn.ui.photo.samples import samples
from fcn.ui.photo.source import SelectedPhoto
from fcn.ui.story import story

SCRIPT = """
import streamlit as st

from fcn.ui.pages import story

st.set_page_config(layout="wide")
story.show()
"""


def open_page(**link: str) -> AppTest:
    app = AppTest.from_string(SCRIPT, default_timeout=180)
    app.query_params.update(link)
    app.run()
    assert not app.exception and not app.error
    return app


@pytest.fixture(scope="module", params=["scene-24", "cow"])
def photo(request: pytest.FixtureRequest) -> Subject:
    model = "street" if request.param == "scene-24" else "people_animals"
    sample = samples(model)[request.param]
    return resize_loss.subject(model, SelectedPhoto.of_sample(sample))


def unpack(text: str, *shape: int) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).reshape(shape)


def test_what_is_sent_is_what_the_network_says(photo: Subject) -> None:
    data, known = story.payload(photo), Segmenter.load(photo.card.name)
    size = data["height"], data["width"]
    for stride in (32, 16, 8):
        np.testing.assert_array_equal(
            unpack(data[f"labels_{stride}"], *size), known.upsample(photo.scores, stride).labels
        )
    stamps = unpack(data["stamps"], 4, *size)
    np.testing.assert_array_equal(stamps[3], known.upsample(photo.scores, 32).labels)
    assert all((one != other).mean() > 0.01 for one, other in zip(stamps, stamps[1:], strict=False))
    for stride, text in data["features"].items():
        map_ = unpack(text, *(-(-side // int(stride)) for side in size))
        assert map_.std() > 10  # a picture, not a plain field
    assert (data["truth"] is not None) == photo.is_truth
    assert len(str(data)) < 1_000_000


def test_every_number_is_true_of_the_photo(photo: Subject) -> None:
    data = story.payload(photo)
    height, width = data["height"], data["width"]
    beats = data["beats"]
    assert [beat["stop"] for beat in beats] == [0, 1, 1, 1, 1, 1, 2, 3, 4, 5, 6, 6] + [6] * photo.is_truth
    assert beats[0]["number"] == f"{width * height:,}"
    for beat, stride in zip(beats[1:6], (2, 4, 8, 16, 32), strict=True):
        assert beat["number"] == f"{-(-width // stride)} x {-(-height // stride)}"
    cells = -(-width // 32) * -(-height // 32)
    assert beats[6]["number"] == beats[8]["number"] == str(cells)
    labels = {stride: unpack(data[f"labels_{stride}"], height, width) for stride in (32, 16, 8)}
    if photo.is_truth:
        for beat, stride in zip(beats[9:12], (32, 16, 8), strict=True):
            score = 100 * mean_iou(confusion_matrix(photo.labels, labels[stride], len(photo.card.classes)))
            assert beat["number"] == f"{score:.1f} %"
    else:
        assert beats[11]["number"] == f"{(labels[8] != labels[16]).mean():.1%}"


def test_stamps_of_a_bilinear_kernel_by_loops() -> None:
    maps, stride = np.random.default_rng(0).normal(size=(2, 3, 3)).astype(np.float32), 4
    kernel = bilinear_kernel(stride, 3)
    found = partial_labels(maps, kernel)
    for cells in (1, 2, 3, 4):
        full = np.zeros((2 * stride, 3 * stride, 3))
        for y, x in np.ndindex(full.shape[:2]):
            top, left = (int(np.floor((at + 0.5) / stride - 0.5)) for at in (y, x))
            for down, right in ((0, 0), (0, 1), (1, 0), (1, 1))[:cells]:
                row, column = top + down, left + right
                if 0 <= row < 2 and 0 <= column < 3:
                    weight = kernel[y - row * stride + 2, x - column * stride + 2]
                    full[y, x] += weight @ maps[row, column]
        np.testing.assert_array_equal(found[cells - 1], full.argmax(-1))
    np.testing.assert_array_equal(found[3], enlarge(maps, stride, kernel).argmax(-1))


def test_page_compares_the_shrunken_ground_truth_with_the_network() -> None:
    app = open_page(model="Street scenes", sample="scene-24")
    scores = {metric.label: float(metric.value.split()[0]) for metric in app.metric}
    [shrunk, own] = scores.values()
    words = "\n".join(element.value for element in app.markdown)
    better, worse = max(shrunk, own), min(shrunk, own)
    assert re.search(rf"{better} against {worse}", words) and ("beats" in words) == (own > shrunk)
    app.select_slider(key="steps_factor").set_value(4)
    app.run()
    assert float(app.metric[0].value.split()[0]) > shrunk


@pytest.mark.parametrize("link", [{"steps_factor": "3", "steps_way": ""}, {"model": "", "sample": "\0"}])
def test_any_link_opens_the_page(link: dict[str, str]) -> None:
    assert open_page(**link).get("bidi_component")
