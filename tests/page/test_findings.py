"""Sentences with a conclusion follow the figures beside them, whichever way these point."""

from dataclasses import replace

import pytest

from fcn.model.cards import Card, ScoreRow
from fcn.ui import findings


def card_with_results(card: Card, bilinear: float | None, transposed: float, fine: float) -> Card:
    def row(stride: int, upsampling: str, miou: float | None) -> ScoreRow:
        return {
            "stride": stride, "upsampling": upsampling, "miou": miou, "pixel_accuracy": None,
            "boundary_f1": None, "iou": {"pole": miou, "sky": 90},
        }  # fmt: skip

    rows = [row(32, "bilinear", bilinear), row(32, "transposed", transposed), row(8, "bilinear", fine)]
    return replace(card, validation={"data": "test", "images": 5, "results": [*rows, row(8, "transposed", fine)]})


@pytest.mark.parametrize(
    "figures, said",
    [
        ((60, 60.5, 70), "Finer cells help more than training"),
        ((60, 70, 61), "Training the upsampling helps more than finer"),
        ((60, 65, 65.2), "help about equally"),
    ],
)
def test_the_headline_follows_the_gains(card: Card, figures: tuple[float, float, float], said: str) -> None:
    words = findings.compare_gains(card_with_results(card, *figures))
    assert said in words
    assert f"{figures[1] - figures[0]:+.1f}" in words and f"{figures[2] - figures[0]:+.1f}" in words


def test_what_was_not_measured_is_not_said(card: Card) -> None:
    assert findings.compare_gains(card) == findings.training_gain(card, 32) == findings.fair_comparison(card) == ""
    unknown = card_with_results(card, None, 50, 60)
    assert findings.compare_gains(unknown) == findings.training_gain(unknown, 32) == ""


def test_the_class_that_gains_most_is_named_only_if_one_gains(card: Card) -> None:
    assert "help pole most, +8 points" in findings.greatest_class_gain(card_with_results(card, 60, 62, 70))
    assert findings.greatest_class_gain(card_with_results(card, 60, 62, 50)) == ""


@pytest.mark.parametrize(
    "low, high, said", [(0.1, 0.9, "is ahead of"), (-0.9, -0.1, "is behind"), (-0.2, 0.4, "is on a par with")]
)
def test_the_interval_decides_what_is_said(card: Card, low: float, high: float, said: str) -> None:
    best = {"miou": {"mean": (low + high) / 2, "low": low, "high": high}}
    validation = {**card.validation, "compare": {"images": 5, "scores": {}, "gains": {"best": best}}}
    assert said in findings.fair_comparison(replace(card, validation=validation))  # type: ignore[arg-type]
