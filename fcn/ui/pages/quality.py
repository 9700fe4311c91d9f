"""How good is it: the model's own figures, what upsampling costs at best, published figures, and where it fails."""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from fcn.model import zoo
from fcn.model.cards import Companion
from fcn.model.network import STRIDES
from fcn.photos.images import WORKING_SIDE
from fcn.pictures import render
from fcn.ui import choices, compute, figures, findings, keras_code, parts
from fcn.ui.classroom import share
from fcn.ui.photo import source
from fcn.ui.photo.samples import samples
from fcn.ui.photo.source import SelectedPhoto

#: The upper bound of the FCN paper, to draw next to the model's.
PAPER = "Long, Shelhamer, Darrell 2015, appendix A: PASCAL VOC, 21 classes"
PAPER_MIOU = {128: 50.9, 64: 73.3, 32: 86.1, 16: 92.8, 8: 96.4, 4: 98.5}
ROW_TITLES = {"nearest": "Nearest", "mixed": "Bilinear on mixed scores"} | parts.UPSAMPLING_TITLES
SCORES = {"miou": "mIoU", "boundary_f1": "Boundary F1", "pixel_accuracy": "Pixel accuracy",
          "trimap_8": "mIoU within 8 pixels of an edge", "trimap_16": "mIoU within 16 pixels"}  # fmt: skip


def show() -> None:
    """Draw the page."""
    share.title("How good is it?")
    model = parts.model_switch()
    card, companion = compute.card(model), zoo.read_companion(model)
    st.markdown(verdict(card))
    left, right = st.columns([3, 2], gap="large")
    with left:
        scoreboard(card)
    with right:
        cost(card)
    class_bars(card)
    upper_bound(card)
    beside(card, companion)
    failures(card, companion)
    training(card)
    settings = choices.current()
    keras_code.show(model, source.current(model), settings.stride, settings.upsampling)


def verdict(card: zoo.Card) -> str:
    """What training the upsampling bought at each stride, in sentences of the card's own figures."""
    if not card.validation["results"]:
        return (
            f"**{card.title} has not been measured yet.** `fcn train` measures what it trains; "
            "`fcn evaluate` measures any model on a folder of photos and masks."
        )
    gains = [words for stride in STRIDES if (words := findings.training_gain(card, stride))]
    training = f"In points, training the upsampling changes {'; '.join(gains)}. " if gains else ""
    return training + findings.compare_gains(card)


def scoreboard(card: zoo.Card) -> None:
    """The table stride x upsampling."""
    results = card.validation["results"]
    if not results:
        return
    st.markdown(f"**Scores on {card.validation['images']} photos that were not used for training**")
    measured = {key: title for key, title in SCORES.items() if any(row.get(key) is not None for row in results)}
    rows = [
        {
            "Network": f"FCN-{row['stride']}s",
            "Upsampling": ROW_TITLES.get(row["upsampling"], row["upsampling"]),
            **{title: row.get(key) for key, title in measured.items()},
        }
        for row in results
    ]
    percent = st.column_config.NumberColumn(format="%.1f")
    st.dataframe(rows, hide_index=True, column_config=dict.fromkeys(measured.values(), percent))
    st.caption(
        f"In percent. Data: {card.validation_data}. mIoU: overlap of prediction and ground truth, averaged over the "
        "classes. Boundary F1: how well predicted and true edges match, give or take 0.75 % of the image diagonal."
    )
    if words := findings.fair_comparison(card):
        st.caption(words)


def cost(card: zoo.Card) -> None:
    """Parameters, and milliseconds measured on this machine."""
    st.markdown("**What it costs**")
    size, network, upsamplings = measure_milliseconds(card.name)
    st.metric("Parameters", f"{card.parameters / 1e6:.1f} million")
    st.metric(f"Network on this machine, {size}", f"{network:.0f} ms")
    times = ", ".join(
        f"{parts.UPSAMPLING_TITLES[upsampling].lower()} {value:.0f} ms" for upsampling, value in upsamplings.items()
    )
    st.caption(f"Upsampling x32: {times}. Median of five runs.")


@compute.memoize
def measure_milliseconds(model: str) -> tuple[str, float, dict[str, float]]:
    """Size of the first sample at work, and median time of the network and of each upsampling at stride 32 on it."""
    segmenter = compute.segmenter(model)
    photo, _ = next(iter(samples(model).values())).read()
    scores = segmenter.score(photo.pixels)
    network = statistics.median(segmenter.score(photo.pixels).milliseconds for _ in range(5))
    upsamplings = {
        upsampling: statistics.median(segmenter.upsample(scores, 32, upsampling).milliseconds for _ in range(5))
        for upsampling in parts.UPSAMPLING_TITLES
    }
    return f"{scores.width} x {scores.height}", network, upsamplings


def class_bars(card: zoo.Card) -> None:
    """IoU of each class, one bar per stride, transposed upsampling."""
    measured = {stride: row for stride in STRIDES if (row := card.find_scores(stride, "transposed"))}
    if not measured:
        return
    gain = findings.greatest_class_gain(card)
    st.markdown(f"**Class by class{f': {gain}' if gain else ''}**")
    figure, descriptions = go.Figure(), []
    shades = dict(zip(STRIDES, ("#9ecae1", "#4292c6", "#084594"), strict=True))
    for stride, row in measured.items():
        iou = row["iou"]
        scores = ", ".join(f"{name} {value:.0f}" for name, value in iou.items() if value is not None)
        descriptions.append(f"FCN-{stride}s {scores}")
        figure.add_bar(x=list(iou), y=list(iou.values()), name=f"FCN-{stride}s", marker_color=shades[stride])
    figure.update_layout(
        height=320,
        margin={"l": 0, "r": 0, "t": 10, "b": 0},
        yaxis_title="IoU, percent",
        legend={"orientation": "h", "y": 1.12},
        barmode="group",
        dragmode=False,  # so that a finger can scroll
    )
    figures.draw(figure, "quality_classes", "IoU of each class, a bar for each network: " + "; ".join(descriptions))


def upper_bound(card: zoo.Card) -> None:
    """Ground truth shrunk and enlarged: what cells of each size cost, without any network."""
    rows = card.validation.get("upper_bound")
    if not rows:
        return
    st.markdown("**What shrinking and enlarging costs the ground truth itself**")
    figure = go.Figure()
    factors = [row["factor"] for row in rows]
    curves = {"bilinear": [row["bilinear"] for row in rows], "nearest": [row["nearest"] for row in rows]}
    for upsampling, colour in (("bilinear", "#0072b2"), ("nearest", "#56b4e9")):
        figure.add_scatter(
            x=factors, y=curves[upsampling], name=f"Ground truth, {upsampling}", mode="lines+markers",
            line={"color": colour, "width": 3}, marker={"symbol": "circle" if upsampling == "bilinear" else "square"},
        )  # fmt: skip
    figure.add_scatter(
        x=list(PAPER_MIOU), y=list(PAPER_MIOU.values()), name="FCN paper (VOC)", mode="lines+markers",
        line={"color": "#999999", "dash": "dot"}, marker={"symbol": "x"},
    )  # fmt: skip
    markers = (
        ("bilinear", "#e69f00", "circle-open", 20),
        ("transposed", "#d55e00", "diamond", 10),
    )  # the open circle is larger, so both are visible
    for upsampling, colour, symbol, size in markers:
        points = {stride: row["miou"] for stride in STRIDES if (row := card.find_scores(stride, upsampling))}
        figure.add_scatter(
            x=list(points), y=list(points.values()),
            name=f"This model, {ROW_TITLES[upsampling].lower()}", mode="markers",
            marker={"color": colour, "symbol": symbol, "size": size,
                    "line_width": 3 if upsampling == "bilinear" else 0},
        )  # fmt: skip
    ticks = [2, 4, 8, 16, 32, 64, 128]
    figure.update_layout(
        height=420,
        margin={"l": 0, "r": 0, "t": 10, "b": 0},
        yaxis_title="mIoU, percent",
        xaxis={"title": "Factor", "type": "log", "tickvals": ticks, "ticktext": [f"x{tick}" for tick in ticks]},
        legend={"orientation": "h", "y": -0.2, "yanchor": "top"},  # below: on a phone it takes five lines
        dragmode=False,
    )
    last = rows[-1]
    keeps = [
        f"{last[upsampling]:.0f} {upsampling}" for upsampling in ("bilinear", "nearest") if last[upsampling] is not None
    ]
    summary = f"At x{last['factor']} the ground truth keeps an mIoU of {', '.join(keeps)}"
    figures.draw(figure, "quality_bound", f"mIoU by factor. {summary}")
    st.caption(
        "Curves: the ground truth, shrunk by a factor and enlarged again. Points: this model. A point can lie above "
        "its curve: a cell of the shrunken ground truth holds only shares of classes, while a trained score can also "
        "hint at where an edge lies. "
        f"Paper: {PAPER}."
    )


def beside(card: zoo.Card, companion: Companion) -> None:
    """Published figures, and what they can be compared with."""
    published = companion.published
    if published is None:
        return
    st.markdown("**Compared with published networks**")
    rows: list[dict[str, Any]] = [
        {"Network": row["network"], "Backbone": row["backbone"], "mIoU": row["miou"],
         "Million parameters": row["parameters"], "Source": row["source"]}
        for row in published["rows"]
    ]  # fmt: skip
    rows += [
        {"Network": f"This model, FCN-{stride}s", "Backbone": "EfficientNet-Lite0", "mIoU": row["miou"],
         "Million parameters": card.parameters / 1e6, "Source": "the table above"}
        for stride in STRIDES if (row := card.find_scores(stride, "transposed"))
    ]  # fmt: skip
    number = st.column_config.NumberColumn(format="%.1f")
    st.dataframe(rows, hide_index=True, column_config={"mIoU": number, "Million parameters": number})
    st.caption(published["comparable"])


def failures(card: zoo.Card, companion: Companion) -> None:
    """Where it fails, on free samples, and what the data does not contain."""
    gallery = samples(card.name)
    entries = [entry for entry in companion.failures if entry["sample"] in gallery]
    if not entries and not companion.not_in_the_data:
        return
    st.markdown("**Where it fails**")
    for column, entry in zip(st.columns(max(1, len(entries))), entries, strict=False):
        photo = SelectedPhoto.of_sample(gallery[entry["sample"]])
        scores = compute.scores(card.name, photo.sha256, WORKING_SIDE, photo.read)
        labels = compute.segmentations(card.name, photo.sha256, WORKING_SIDE, 32, scores)["transposed"].labels
        pixels = compute.pixels(photo.sha256, WORKING_SIDE, photo.read)
        picture = render.overlay(pixels, np.asarray(labels), card.palette, 0.6)
        with column:
            st.image(render.jpeg(picture), width="stretch", alt=entry["why"])
            st.caption(entry["why"])
    if companion.not_in_the_data:
        st.markdown(f"What the data does not contain: {companion.not_in_the_data}")


def training(card: zoo.Card) -> None:
    """What the weights were trained on, and what was tried."""
    with st.expander(f"How it was trained ({card.date}), and what was tried"):
        st.markdown("\n".join(f"- {line}" for line in (*card.references, *card.notes)))
