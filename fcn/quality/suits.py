"""Which model suits a photo, judged by the models' own outputs; and the measurement that sets the limits.

Each model brings evidence: a weighted sum of three figures of its score map at stride 32. The model with the most is
chosen. The weights are a logistic regression, fitted so that it chooses the right model on training photos; they are
stored in the cards and are measured again for new weights by `python -m fcn suits`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageEnhance

from fcn.errors import ModelError
from fcn.model import zoo
from fcn.model.cards import Limits
from fcn.model.segmenter import Scores, Segmenter
from fcn.photos.images import Pixels

FEATURES = ("subject", "energy", "confidence")
STEPS, RATE, DECAY = 3000, 0.5, 0.01  # of the fit
ELSEWHERE = 1.5  # how much less energy photos from other places have than those trained on, as seen in free photos
#: What is limited, for models without and with a class for background: the percent of the training photos that may fall
#: below, and how much less is allowed. Such a photo still counts as recognised if the other model recognises it.
LIMITS = {False: ("energy", 2, ELSEWHERE), True: ("certainty", 3.5, 0.0)}


@dataclass(frozen=True)
class Verdict:
    """The judgement of a photo.

    Attributes:
        model: Name of the model that suits best.
        recognised: Whether the photo shows anything that the model knows.
    """

    model: str
    recognised: bool


def features(scores: Scores, card: zoo.Card) -> dict[str, float]:
    """Describe a model's output for a photo in figures.

    Returns:
        "subject": log of the share that is not background, 0 for a model without that class. "energy": mean
        log of the sum of exponentials of a cell's scores, large where the network recognises much. "confidence":
        mean probability of the best class. "certainty": the highest probability of a class other than background.
    """
    cells, shares = scores.cells(32), scores.probabilities(32)  # (h, w, C)
    highest = cells.max(-1)
    energy = np.log(np.exp(cells - highest[..., np.newaxis]).sum(-1)) + highest
    others = [index for index, name in enumerate(card.classes) if name != "background"]
    subject = float(shares[..., others].sum(-1).mean())
    return {
        "subject": float(np.log(subject + 0.01)) if len(others) < len(card.classes) else 0.0,
        "energy": float(energy.mean()),
        "confidence": scores.confidence(32),
        "certainty": float(shares[..., others].max()),
    }


def judge(figures: Mapping[str, dict[str, float]], cards: Mapping[str, zoo.Card]) -> Verdict:
    """Choose the model that suits a photo.

    Args:
        figures: What `features` gives for each model, by name.
        cards: Their cards. A model that was not measured is chosen only where no other is.
    """
    measured = [name for name in figures if cards[name].validation.get("suits", {}).get("weights")]
    if not measured:
        return Verdict(next(iter(figures)), True)
    limits = {name: cards[name].validation["suits"] for name in measured}
    order = sorted(measured, key=lambda name: -_evidence(figures[name], limits[name]))
    for name in order:  # the better one may recognise nothing in the photo, while the other does
        if all(figures[name][feature] >= least for feature, least in limits[name]["least"].items()):
            return Verdict(name, True)
    return Verdict(order[0], False)


def measure(photos: Mapping[str, Iterable[Pixels]], segmenters: Mapping[str, Segmenter]) -> dict[str, Limits]:
    """Find the weights and limits.

    Args:
        photos: Training photos (H, W, 3) uint8 that suit a model, by its name; two models.
        segmenters: The models, by name.

    Returns:
        By model: "weights" of FEATURES and "bias" of its evidence; and "least", a limit
        of one figure: in a photo below it the model recognises nothing.

    Raises:
        ModelError: There are not two models.
    """
    if len(photos) != 2:
        raise ModelError(f"{len(photos)} models were given; the choice is fitted for exactly two.")
    first, second = photos
    rows = {name: [_features_by_model(segmenters, pixels) for pixels in jittered(photos[name])] for name in photos}
    columns = [(name, feature) for name in (first, second) for feature in FEATURES]
    table = np.array([[row[name][feature] for name, feature in columns] for kind in rows.values() for row in kind])
    targets = np.repeat([1.0, 0.0], [len(rows[first]), len(rows[second])])
    weights, bias = _fit(table, targets)
    suits: dict[str, Limits] = {}
    for sign, name in ((1, first), (-1, second)):
        coefficients = {feature: round(sign * float(w), 4) for (model, feature), w in zip(columns, weights, strict=True)
               if model == name}  # fmt: skip
        figure, rare, allowance = LIMITS[segmenters[name].card.background is not None]
        values = [row[name][figure] for row in rows[name][::2]]  # as they are, not jittered
        least = {figure: round(float(np.percentile(values, rare)) - allowance, 3)}
        suits[name] = {"weights": coefficients, "bias": round(sign * bias / 2, 4), "least": least}
    return suits


def check(
    photos: Mapping[str, Iterable[Pixels]], segmenters: Mapping[str, Segmenter]
) -> dict[str, dict[str, float | int]]:
    """Count how photos are judged: by the name of a kind, "photos", and in percent "chosen" by model and "unknown"."""
    cards = {name: segmenter.card for name, segmenter in segmenters.items()}
    report = {}
    for kind, examples in photos.items():
        verdicts = [judge(_features_by_model(segmenters, pixels), cards) for pixels in examples]
        count = max(1, len(verdicts))
        report[kind] = {"photos": len(verdicts)} | {
            name: round(100 * sum(verdict.model == name for verdict in verdicts) / count, 1) for name in cards
        }
        report[kind]["unknown"] = round(100 * sum(not verdict.recognised for verdict in verdicts) / count, 1)
    return report


def with_suits(segmenter: Segmenter, suits: Limits) -> Segmenter:
    """The model with other limits in its card."""
    card = replace(segmenter.card, validation={**segmenter.card.validation, "suits": suits})
    return Segmenter(segmenter.engine, card)


def jittered(photos: Iterable[Pixels], seed: int = 1) -> Iterable[Pixels]:
    """Each photo, and again cut and in other light: visitors' photos are not framed like those of a data set."""
    rng = np.random.default_rng(seed)
    for pixels in photos:
        yield pixels
        height, width = pixels.shape[:2]
        side = rng.uniform(0.4, 1)
        rows, columns = max(32, int(height * side)), max(32, int(width * side * rng.uniform(0.7, 1)))
        top, left = rng.integers(0, max(1, height - rows + 1)), rng.integers(0, max(1, width - columns + 1))
        image = Image.fromarray(pixels[top : top + rows, left : left + columns])
        scale = 480 / max(image.size)
        image = image.resize((max(32, round(image.width * scale)), max(32, round(image.height * scale))))
        image = ImageEnhance.Brightness(image).enhance(rng.uniform(0.6, 1.5))
        image = ImageEnhance.Color(image).enhance(rng.uniform(0.5, 1.6))
        yield np.asarray(ImageEnhance.Contrast(image).enhance(rng.uniform(0.7, 1.4)))


def _features_by_model(segmenters: Mapping[str, Segmenter], pixels: Pixels) -> dict[str, dict[str, float]]:
    return {name: features(segmenter.score(pixels), segmenter.card) for name, segmenter in segmenters.items()}


def _evidence(figures: Mapping[str, float], suits: Limits) -> float:
    return float(suits["bias"] + sum(weight * figures[name] for name, weight in suits["weights"].items()))


def _fit(table: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, float]:
    """Logistic regression by gradient descent, both kinds weighted equally: (N, F) and (N,) -> (F,) and the bias."""
    mean, spread = table.mean(0), np.maximum(table.std(0), 1e-6)
    rows = np.column_stack([(table - mean) / spread, np.ones(len(table))])
    share = np.where(targets == 1, targets.mean(), 1 - targets.mean())
    counts = 0.5 / share / len(table)
    weights = np.zeros(rows.shape[1])
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-rows @ weights))
        decay = DECAY * np.append(weights[:-1], 0)
        weights -= RATE * (rows.T @ (counts * (chance - targets)) + decay)
    scaled = weights[:-1] / spread
    return scaled, float(weights[-1] - scaled @ mean)
