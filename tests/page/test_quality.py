"""Figures on their way: from evaluation to the card, from the card to the pages."""

import json

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from fcn.model import zoo
from fcn.photos.images import IGNORE_LABEL
from fcn.quality.evaluation import FACTORS, shrunk_and_enlarged_bilinear, shrunk_and_enlarged_nearest, upper_bound
from tests.support.pages import quality_page, words


def test_shrinking_by_the_size_of_the_blocks_loses_nothing_with_nearest() -> None:
    labels = np.random.default_rng(0).integers(0, 3, (6, 8)).repeat(4, 0).repeat(4, 1).astype(np.uint8)
    assert np.array_equal(shrunk_and_enlarged_nearest(labels, 4, 3), labels)


def test_bilinear_keeps_a_straight_edge_between_cells_and_rounds_a_corner() -> None:
    labels = np.zeros((32, 32), np.uint8)
    labels[:, 16:] = 1
    assert np.array_equal(shrunk_and_enlarged_bilinear(labels, 8, 2), labels)
    labels[:16] = 0
    found = shrunk_and_enlarged_bilinear(labels, 8, 2)
    assert found[16, 16] == 0 and found[20, 20] == 1


def test_upper_bound_falls_with_the_factor_and_ignores_what_is_to_be_ignored() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, (40, 40)).repeat(3, 0).repeat(3, 1).astype(np.uint8)
    labels[:, :5] = IGNORE_LABEL
    rows = upper_bound([labels], 2)
    assert [row["factor"] for row in rows] == list(FACTORS)
    assert rows[0]["nearest"] > rows[2]["nearest"] > 0
    assert rows[0]["bilinear"] > rows[-1]["bilinear"]
    whole = upper_bound([np.full((64, 64), IGNORE_LABEL, np.uint8)], 2)
    assert whole[0] == {"factor": 2, "nearest": None, "bilinear": None}


@pytest.mark.parametrize("name", zoo.names())
def test_the_quality_page_shows_the_figures_of_the_card(name: str) -> None:
    card = zoo.read_card(name)
    app = AppTest.from_function(quality_page, default_timeout=120)
    app.query_params["model"] = card.title
    app.run()
    assert not app.exception
    shown = app.dataframe[0].value
    rows = card.validation["results"]
    assert shown["mIoU"].tolist() == [row["miou"] for row in rows]
    assert shown["Boundary F1"].tolist() == [row["boundary_f1"] for row in rows]
    assert shown["Pixel accuracy"].tolist() == [row["pixel_accuracy"] for row in rows]
    trained, plain = (card.scores(32, name)["boundary_f1"] for name in ("transposed", "bilinear"))
    assert trained is not None and plain is not None
    gain = trained - plain
    assert f"{gain:+.1f}" in words(app)
    assert all(line in words(app) for line in (*card.references, *card.notes))
    assert f"{card.parameters / 1e6:.1f} million" in [metric.value for metric in app.metric]
    bars, curves = (json.loads(chart.proto.spec)["data"] for chart in app.get("plotly_chart"))
    assert bars[0]["name"] == "FCN-32s"
    bound = [row["nearest"] for row in card.validation["upper_bound"]]
    assert bound in [curve.get("y") for curve in curves]
