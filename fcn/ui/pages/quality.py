"""How good is it: the model's own figures, what upsampling costs at best, published figures, and where it fails."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from fcn.model import zoo
from fcn.model.network import STRIDES
from fcn.pictures import render
from fcn.ui import compute, figures, parts
from fcn.ui.classroom import share
from fcn.ui.photo.samples import samples

PUBLISHED = Path(__file__).parents[3] / "assets" / "published.json"


def show() -> None:
    """Draw the page."""
    share.title("How good is it?")
    model = parts.model_switch()
    card = compute.card(model)
    published = read_published()
    st.markdown(verdict(card))
    left, right = st.columns([3, 2], gap="large")
    with left:
        scoreboard(card)
    with right:
        cost(card)
    class_bars(card)
    upper_bound(card, published["upper_bound"])
    beside(card, published[model])
    failures(card)
    training(card)


@compute.kept
def read_published() -> dict[str, Any]:
    """Figures of other networks, each with its source."""
    return dict(json.loads(PUBLISHED.read_text(encoding="utf-8")))


def verdict(card: zoo.Card) -> str:
    """What training the upsampling bought at each stride, in a sentence of the card's own figures."""
    gains = {
        stride: (
            card.scores(stride, "transposed")["boundary_f1"] - card.scores(stride, "bilinear")["boundary_f1"],
            card.scores(stride, "transposed")["miou"] - card.scores(stride, "bilinear")["miou"],
        )
        for stride in (32, 8)
    }
    coarse, fine = card.scores(32, "transposed"), card.scores(8, "bilinear")
    return (
        f"At x32, training the upsampling changes boundary F1 by **{gains[32][0]:+.1f}** points and mIoU by "
        f"**{gains[32][1]:+.1f}**; at x8 by {gains[8][0]:+.1f} and {gains[8][1]:+.1f}. Finer score maps matter more: "
        f"FCN-8s with plain bilinear upsampling reaches mIoU **{fine['miou']:.1f}**, "
        f"FCN-32s with a trained one {coarse['miou']:.1f}."
    )


def scoreboard(card: zoo.Card) -> None:
    """The table stride x upsampling."""
    st.markdown(f"**Scores on {card.validation['images']} photos that were not trained on**")
    rows = [
        {
            "Network": f"FCN-{row['stride']}s",
            "Upsampling": parts.UPSAMPLING_TITLES[row["upsampling"]],
            "mIoU": row["miou"],
            "Boundary F1": row["boundary_f1"],
            "Pixel accuracy": row["pixel_accuracy"],
        }
        for row in card.validation["results"]
    ]
    percent = st.column_config.NumberColumn(format="%.1f")
    st.dataframe(rows, hide_index=True, column_config=dict.fromkeys(("mIoU", "Boundary F1", "Pixel accuracy"), percent))
    st.caption(
        f"Percent. Data: {card.validation['data']}. mIoU: overlap of prediction and truth, averaged over classes. "
        "Boundary F1: how many edge pixels lie within 0.75 % of the image diagonal of a true edge."
    )


def cost(card: zoo.Card) -> None:
    """Parameters, and milliseconds measured on this machine."""
    st.markdown("**What it costs**")
    size, network, ways = measured_milliseconds(card.name)
    st.metric("Parameters", f"{card.parameters / 1e6:.1f} million")
    st.metric(f"Network on this machine, {size}", f"{network:.0f} ms")
    parts_said = ", ".join(f"{parts.UPSAMPLING_TITLES[way].lower()} {value:.0f} ms" for way, value in ways.items())
    st.caption(f"Upsampling x32: {parts_said}. Median of five runs.")


@compute.kept
def measured_milliseconds(model: str) -> tuple[str, float, dict[str, float]]:
    """Size of the first sample at work, and median time of the network and of each upsampling at stride 32 on it."""
    segmenter = compute.segmenter(model)
    photo, _ = next(iter(samples(model).values())).read()
    scores = segmenter.score(photo.pixels)
    network = statistics.median(segmenter.score(photo.pixels).milliseconds for _ in range(5))
    ways = {
        way: statistics.median(segmenter.upsample(scores, 32, way).milliseconds for _ in range(5))
        for way in parts.UPSAMPLING_TITLES
    }
    return f"{scores.width} x {scores.height}", network, ways


def class_bars(card: zoo.Card) -> None:
    """IoU of each class, a bar a stride, transposed upsampling."""
    st.markdown("**Class by class: thin things need fine cells**")
    figure, said = go.Figure(), []
    for stride, shade in zip(STRIDES, ("#9ecae1", "#4292c6", "#084594"), strict=True):
        iou = card.scores(stride, "transposed")["iou"]
        said.append(f"FCN-{stride}s " + ", ".join(f"{name} {value:.0f}" for name, value in iou.items()))
        figure.add_bar(x=list(iou), y=list(iou.values()), name=f"FCN-{stride}s", marker_color=shade)
    figure.update_layout(
        height=320,
        margin={"l": 0, "r": 0, "t": 10, "b": 0},
        yaxis_title="IoU, percent",
        legend={"orientation": "h", "y": 1.12},
        barmode="group",
        dragmode=False,  # so that a finger can scroll
    )
    figures.draw(figure, "quality_classes", "IoU of each class, a bar for each network: " + "; ".join(said))


def upper_bound(card: zoo.Card, paper: dict[str, Any]) -> None:
    """Ground truth shrunk and enlarged: what cells of a size cost, without any network."""
    st.markdown("**Even the truth suffers when it is shrunk and enlarged**")
    figure = go.Figure()
    rows = card.validation["upper_bound"]
    factors = [row["factor"] for row in rows]
    for way, colour in (("bilinear", "#0072b2"), ("nearest", "#56b4e9")):
        figure.add_scatter(
            x=factors, y=[row[way] for row in rows], name=f"Ground truth, {way}", mode="lines+markers",
            line={"color": colour, "width": 3}, marker={"symbol": "circle" if way == "bilinear" else "square"},
        )  # fmt: skip
    figure.add_scatter(
        x=[row["factor"] for row in paper["rows"]], y=[row["miou"] for row in paper["rows"]],
        name="FCN paper (VOC)", mode="lines+markers", line={"color": "#999999", "dash": "dot"},
        marker={"symbol": "x"},
    )  # fmt: skip
    ways = (("bilinear", "#e69f00", "circle-open", 20), ("transposed", "#d55e00", "diamond", 10))  # both are seen
    for way, colour, symbol, size in ways:
        figure.add_scatter(
            x=list(STRIDES), y=[card.scores(stride, way)["miou"] for stride in STRIDES],
            name=f"This model, {parts.UPSAMPLING_TITLES[way].lower()}", mode="markers",
            marker={"color": colour, "symbol": symbol, "size": size, "line_width": 3 if way == "bilinear" else 0},
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
    said = f"At x{last['factor']} the truth keeps mIoU {last['bilinear']:.0f} bilinear, {last['nearest']:.0f} nearest"
    figures.draw(figure, "quality_bound", f"mIoU by factor. {said}")
    st.caption(
        "Curves: the truth, shrunk by a factor and enlarged again. Points: this model, which may lie above its curve: "
        "a cell of the shrunk truth holds shares of classes, a trained score may also hint where an edge lies. "
        f"Paper: {paper['source']}."
    )


def beside(card: zoo.Card, published: dict[str, Any]) -> None:
    """Published figures, and what they can be compared with."""
    st.markdown("**Beside published networks**")
    rows = [
        {"Network": row["network"], "Backbone": row["backbone"], "mIoU": row["miou"],
         "Million parameters": row["parameters"], "SelectedPhoto": row["source"]}
        for row in published["rows"]
    ]  # fmt: skip
    rows += [
        {"Network": f"This model, FCN-{stride}s", "Backbone": "EfficientNet-Lite0",
         "mIoU": card.scores(stride, "transposed")["miou"], "Million parameters": card.parameters / 1e6,
         "SelectedPhoto": "the table above"}
        for stride in STRIDES
    ]  # fmt: skip
    number = st.column_config.NumberColumn(format="%.1f")
    st.dataframe(rows, hide_index=True, column_config={"mIoU": number, "Million parameters": number})
    st.caption(published["comparable"])


def failures(card: zoo.Card) -> None:
    """Where it fails, on free samples, and what the data never showed."""
    st.markdown("**Where it fails**")
    told = json.loads((PUBLISHED.parent / "failures.json").read_text(encoding="utf-8"))[card.name]
    gallery = samples(card.name)
    for column, entry in zip(st.columns(len(told["samples"])), told["samples"], strict=True):
        photo, _ = gallery[entry["sample"]].read()
        scores = compute.scores(card.name, photo.sha256, 480, photo.pixels)
        found = compute.segmentation(card.name, photo.sha256, 480, 32, "transposed", scores)
        shown = parts.at_size(photo.pixels, scores.height, scores.width)
        picture = render.overlay(shown, np.asarray(found.labels), card.palette, 0.6)
        with column:
            st.image(render.jpeg(picture), width="stretch", alt=entry["why"])
            st.caption(entry["why"])
    st.markdown("What the data does not contain: " + told["not_in_the_data"])


def training(card: zoo.Card) -> None:
    """What the weights have seen, and what was tried on the way."""
    with st.expander(f"How it was trained ({card.date}), and what was tried"):
        st.markdown("\n".join(f"- {line}" for line in (*card.references, *card.notes)))
