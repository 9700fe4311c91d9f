"""Which model suits a photo: evidence from each model's score map, and limits below which neither knows it."""

from typing import Any

import numpy as np
import pytest

from fcn.errors import ModelError
from fcn.model import zoo
from fcn.model.cards import Limits, Validation
from fcn.model.segmenter import Scores
from fcn.quality import suits

CLASSES = {"street": ("road", "sky"), "people": ("background", "person")}


class FakeSegmenter:
    """A model that knows photos of one brightness: its scores are high for them."""

    def __init__(self, name: str, wanted: float, limits: Limits | None = None):
        self.wanted = wanted
        self.engine = None
        validation: Validation = {"data": "", "images": 0, "results": []}
        if limits:
            validation["suits"] = limits
        palette = ((0, 0, 0), (1, 1, 1))
        self.card = zoo.Card(name, name, CLASSES[name], palette, "", 1, (), {}, (), validation, "")

    def score(self, pixels: np.ndarray) -> Scores:
        match = 1 - abs(float(pixels.mean()) / 255 - self.wanted)
        cells = np.zeros((2, 3, 2), np.float32)
        cells[..., 1] = 12 * match - 6
        return Scores({32: cells}, np.zeros((2, 3, 0)), {}, {}, 64, 96, 1.0)


@pytest.fixture
def models() -> dict[str, Any]:
    return {"street": FakeSegmenter("street", 0.1), "people": FakeSegmenter("people", 0.9)}


def photos(brightness: float, count: int = 12) -> list[np.ndarray]:
    rng = np.random.default_rng(int(100 * brightness))
    return [np.full((64, 96, 3), 255 * brightness + rng.uniform(-15, 15), np.uint8) for _ in range(count)]


def test_what_was_measured_chooses_the_right_model_and_says_when_neither_knows(
    models: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suits, "jittered", lambda kind: (pixels for one in kind for pixels in (one, one)))
    monkeypatch.setattr(suits, "LIMITS", {False: ("energy", 2, 0.5), True: ("certainty", 2, 0.0)})
    limits = suits.measure({"street": photos(0.1), "people": photos(0.9)}, models)
    known = {name: FakeSegmenter(name, model.wanted, limits[name]) for name, model in models.items()}
    report = suits.check({"dark": photos(0.12), "light": photos(0.88), "grey": photos(0.5)}, known)  # type: ignore[arg-type]
    assert report["dark"] == {"photos": 12, "street": 100.0, "people": 0.0, "unknown": 0.0}
    assert report["light"]["people"] == 100.0 and report["light"]["unknown"] <= 25
    assert report["grey"]["unknown"] == 100.0


def test_models_without_limits_are_chosen_only_where_no_other_is(models: dict[str, Any]) -> None:
    found = {name: suits.features(model.score(photos(0.9)[0]), model.card) for name, model in models.items()}
    cards = {name: model.card for name, model in models.items()}
    assert suits.judge(found, cards) == suits.Verdict("street", True)
    limits: Limits = {"weights": {"energy": 1.0}, "bias": 0.0, "least": {}}
    cards["people"] = FakeSegmenter("people", 0.9, limits).card
    assert suits.judge(found, cards) == suits.Verdict("people", True)


def test_features_are_those_of_the_score_map(models: dict[str, Any]) -> None:
    found = suits.features(models["people"].score(np.full((64, 96, 3), 230, np.uint8)), models["people"].card)
    score = 12 * (1 - abs(230 / 255 - 0.9)) - 6
    share = 1 / (1 + np.exp(-score))
    assert found["certainty"] == pytest.approx(share, abs=1e-5)
    assert found["subject"] == pytest.approx(np.log(share + 0.01), abs=1e-4)
    assert found["energy"] == pytest.approx(np.log(1 + np.exp(score)), abs=1e-4)


def test_it_is_fitted_for_two_models(models: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="fitted for exactly two"):
        suits.measure({"street": photos(0.1)}, models)


@pytest.mark.parametrize("name", zoo.names())
def test_every_card_holds_the_limits(name: str) -> None:
    limits = zoo.read_card(name).validation["suits"]
    assert set(limits) == {"weights", "bias", "least"} and set(limits["weights"]) == set(suits.FEATURES)
