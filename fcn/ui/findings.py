"""Sentences that draw a conclusion from a model's card, computed from the figures in them."""

from __future__ import annotations

from fcn.model.cards import Card

SAME = 0.5  # points of mIoU below which two gains count as equal


def compare_gains(card: Card) -> str:
    """Say which helps more at stride 32, finer cells or training the upsampling; empty if that was not measured."""
    coarse, trained, fine = (card.find_scores(*row) for row in ((32, "bilinear"), (32, "transposed"), (8, "bilinear")))
    if coarse is None or trained is None or fine is None:
        return ""
    start, after_training, after_cells = coarse["miou"], trained["miou"], fine["miou"]
    if start is None or after_training is None or after_cells is None:
        return ""
    by_training, by_cells = after_training - start, after_cells - start
    if abs(by_cells - by_training) < SAME:
        headline = "Finer cells and training the upsampling help about equally."
    elif by_cells > by_training:
        headline = "Finer cells help more than training the upsampling."
    else:
        headline = "Training the upsampling helps more than finer cells."
    return (
        f"**{headline}** Bilinear at x32 reaches an overlap (mIoU) of {start:.1f}. The trained transposed convolution "
        f"changes it by {by_training:+.1f}, to {after_training:.1f}; cells of x8 with plain bilinear upsampling change "
        f"it by {by_cells:+.1f}, to {after_cells:.1f}. In percent, averaged over the classes, on "
        f"{card.validation['images']} photos."
    )


def training_gain(card: Card, stride: int) -> str:
    """What training the upsampling changes at a stride, as part of a sentence; empty if it was not measured."""
    plain, trained = card.find_scores(stride, "bilinear"), card.find_scores(stride, "transposed")
    if plain is None or trained is None:
        return ""
    changes = [
        f"{name} by **{after - before:+.1f}**"
        for name, before, after in (
            ("boundary F1", plain["boundary_f1"], trained["boundary_f1"]),
            ("mIoU", plain["miou"], trained["miou"]),
        )
        if before is not None and after is not None
    ]
    return " and ".join(changes) + f" at x{stride}" if changes else ""


def greatest_class_gain(card: Card) -> str:
    """Which class finer cells help most; empty if that was not measured."""
    coarse, fine = card.find_scores(32, "transposed"), card.find_scores(8, "transposed")
    if coarse is None or fine is None:
        return ""
    gains = {
        name: after - before
        for name, before in coarse["iou"].items()
        if before is not None and (after := fine["iou"].get(name)) is not None
    }
    best = max(gains, key=lambda name: gains[name], default=None)
    if best is None or gains[best] <= 0:
        return ""
    return f"finer cells help {best} most, {gains[best]:+.0f} points from x32 to x8"


def fair_comparison(card: Card) -> str:
    """Whether the trained kernel of stride 32 is worth it, and whether it is smooth; empty if not measured."""
    sentences = []
    comparison = card.validation.get("compare")
    gain = comparison["gains"].get("best", {}).get("miou") if comparison else None
    if gain is not None:
        verdict = "is ahead of" if gain["low"] > 0 else "is behind" if gain["high"] < 0 else "is on a par with"
        sentences.append(
            f"At x32 the transposed convolution {verdict} the best alternative: "
            f"{gain['mean']:+.1f} points of mIoU (95 % interval {gain['low']:+.1f} to {gain['high']:+.1f})."
        )
    for row in card.validation.get("kernels", []):
        before, after = row["gain"]["miou"], row["gain_smoothed"]["miou"]
        if row["stride"] == 32 and before is not None and after is not None:
            sentences.append(f"Its gain over bilinear is {before:+.1f}; with a smoothed kernel it is {after:+.1f}.")
    return " ".join(sentences)
