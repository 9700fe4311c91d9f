"""Why not bilinear x32: a photo and its label map are shrunk and enlarged again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from PIL import Image

from fcn.model import zoo
from fcn.model.network import STRIDES
from fcn.model.segmenter import Scores
from fcn.photos.images import IGNORE_LABEL, WORKING_SIDE, Labels, Pixels, labels_to_own_size
from fcn.pictures import render
from fcn.quality.evaluation import FACTORS, RESIZERS
from fcn.quality.metrics import class_iou, confusion_matrix, mean_iou
from fcn.ui import compute, figures, parts, turns
from fcn.ui.controls import choice_control
from fcn.ui.photo.source import SelectedPhoto

LONGEST = WORKING_SIDE  # pixels, the size at which the network sees the photo


@dataclass(frozen=True, eq=False)
class Subject:
    """The photo that the explanations use, with everything known about it.

    Attributes:
        card: The model.
        sha256: Of the photo; with the model's name, the key of what is computed from it.
        alt: What the photo shows.
        pixels: (h, w, 3) uint8, at working size.
        labels: (h, w) uint8 class indices or IGNORE_LABEL: ground truth, or the network's labels.
        is_truth: Whether they are ground truth.
        scores: The network's score maps.
    """

    card: zoo.Card
    sha256: str
    alt: str
    pixels: Pixels
    labels: Labels
    is_truth: bool
    scores: Scores


def subject(model: str, chosen: SelectedPhoto) -> Subject:
    """Look at the chosen photo with a model."""
    scores = compute.scores(model, chosen.sha256, LONGEST, chosen.read)
    pixels = compute.pixels(chosen.sha256, LONGEST, chosen.read)
    if chosen.truth is not None:
        labels = labels_to_own_size(chosen.truth, (scores.height, scores.width))
    else:
        labels = compute.segmentations(model, chosen.sha256, LONGEST, 8, scores)["transposed"].labels
    return Subject(compute.card(model), chosen.sha256, chosen.alt, pixels, labels, chosen.truth is not None, scores)


def labels_by(photo: Subject, stride: int, upsampling: str) -> Labels:
    """The network's labels by an upsampling: (h, w) uint8."""
    return compute.segmentations(photo.card.name, photo.sha256, LONGEST, stride, photo.scores)[upsampling].labels


@turns.fragment
def why_not_bilinear(photo: Subject) -> None:
    """Draw the section."""
    st.markdown(f"##### Why not bilinear x {STRIDES[0]}?")
    whose = "a label map that is correct at every pixel" if photo.is_truth else "the network's own label map"
    st.markdown(
        f"Take the photo and {whose}, shrink both and enlarge them again. Bilinear upsampling is smooth, but it cannot "
        "know where an edge was once the cells are larger than the object."
    )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        factor = st.select_slider(
            "Shrink and enlarge by", FACTORS, STRIDES[0], format_func=lambda factor: f"x {factor}", key="steps_factor",
            bind="query-params", width=360,
        )  # fmt: skip
        resizing = choice_control("Label map", tuple(RESIZERS)[::-1], "bilinear", "steps_way", str.capitalize)
    model, classes, prediction = photo.card.name, photo.card.classes, predict(photo)
    height, width = photo.labels.shape
    cells = f"{-(-width // factor)} x {-(-height // factor)} cells"
    restored = shrink_and_enlarge(model, photo.sha256, photo.is_truth, factor, resizing, photo.labels)
    pictures = (
        (
            f"Photo from {cells}",
            render.jpeg(blur(photo.pixels, factor)),
            f"The photo, shrunk by {factor} and enlarged",
        ),
        (
            "Ground truth" if photo.is_truth else "Label map",
            map_png(photo.card, photo.labels),
            _describe(photo.card, photo.labels),
        ),
        (f"Label map from {cells}", map_png(photo.card, restored), _describe(photo.card, restored)),
        (f"The network, FCN-{STRIDES[0]}s", map_png(photo.card, prediction), _describe(photo.card, prediction)),
    )
    for column, (title, picture, alt) in zip(st.columns(4), pictures, strict=True):
        with column:
            st.markdown(f"**{title}**")
            st.image(picture, width="stretch", alt=alt)
    left, right = st.columns([3, 2], gap="large")
    with left:
        figures.draw(
            _curves(photo, factor), "steps_curves", "mIoU of the label map after shrinking and enlarging, by factor"
        )
    with right:
        matrix = confusion_matrix(photo.labels, restored, len(classes))
        score = 100 * mean_iou(matrix)
        with st.container(horizontal=True, gap="large"):
            st.metric(f"mIoU of the label map after x {factor}, {resizing}", f"{score:.1f} %", width="content")
            if photo.is_truth:
                st.metric(f"mIoU of the network, FCN-{STRIDES[0]}s", f"{network_score(photo):.1f} %", width="content")
        iou = {name: value for name, value in zip(classes, class_iou(matrix), strict=True) if not np.isnan(value)}
        worst = sorted(iou, key=lambda name: iou[name])[:3]
        st.markdown(
            "Hit hardest by shrinking alone (IoU): "
            + ", ".join(f"**{name}** {100 * iou[name]:.0f} %" for name in worst)
            + ". What is lost has to come from finer cells, so FCN-16s and FCN-8s add score maps from earlier layers."
        )
        if photo.is_truth:
            st.markdown(compare(score, network_score(photo), factor))


def compare(shrunk: float, predicted: float, factor: int) -> str:
    """Say which is better, the shrunken ground truth or the network, and why; both mIoU in percent."""
    first = (
        f"**The network beats the shrunken ground truth: {predicted:.1f} against {shrunk:.1f}.**"
        if predicted > shrunk
        else f"Here the ground truth shrunk by {factor} is ahead of the network: {shrunk:.1f} against {predicted:.1f}."
    )
    return (
        f"{first} A cell of a shrunken label map knows only how much of each class it holds. A cell of the network has "
        "seen the photo around it, and can set its scores so that the edge between two cells falls where it belongs."
    )


def predict(photo: Subject) -> Labels:
    """The labels of FCN-32s with the trained upsampling: (h, w) uint8."""
    return labels_by(photo, STRIDES[0], "transposed")


def network_score(photo: Subject) -> float:
    """MIoU of the network's labels, percent."""
    return 100 * mean_iou(confusion_matrix(photo.labels, predict(photo), len(photo.card.classes)))


def blur(pixels: Pixels, factor: int) -> Pixels:
    """Shrink a photo by a factor and enlarge it, both bilinearly: (h, w, 3) uint8 -> (h, w, 3) uint8."""
    height, width = pixels.shape[:2]
    small = max(1, -(-width // factor)), max(1, -(-height // factor))
    image = Image.fromarray(pixels).resize(small, Image.Resampling.BILINEAR)
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


@compute.memoize
def shrink_and_enlarge(model: str, photo: str, is_truth: bool, factor: int, resizing: str, _labels: Labels) -> Labels:
    """A label map shrunk and enlarged.

    Args:
        model: Name of the model.
        photo: SHA-256 of the photo.
        is_truth: Whether the labels are ground truth; with the first two, the key.
        factor: How much smaller.
        resizing: "nearest" or "bilinear".
        _labels: (h, w) uint8.

    Returns:
        (h, w) uint8 class indices.
    """
    return RESIZERS[resizing](_labels, factor, len(compute.card(model).classes))


def map_png(card: zoo.Card, labels: Labels) -> bytes:
    """Labels in the model's colours, IGNORE_LABEL in grey."""
    palette = [*card.palette, *[(128, 128, 128)] * (IGNORE_LABEL + 1 - len(card.palette))]
    return render.labels_png(labels, palette)


def _describe(card: zoo.Card, labels: Labels) -> str:
    return "Label map: " + parts.format_shares(card, labels[labels != IGNORE_LABEL])


def _curves(photo: Subject, factor: int) -> go.Figure:
    """MIoU by factor for both ways, the current factor marked."""
    figure = go.Figure()
    for resizing, colour, symbol in (("bilinear", "#0072b2", "circle"), ("nearest", "#d55e00", "square")):
        scores = [
            100 * mean_iou(confusion_matrix(photo.labels, restored, len(photo.card.classes)))
            for restored in (
                shrink_and_enlarge(photo.card.name, photo.sha256, photo.is_truth, factor, resizing, photo.labels)
                for factor in FACTORS
            )
        ]
        figure.add_scatter(
            x=FACTORS, y=scores, name=resizing.capitalize(), mode="lines+markers", line={"color": colour, "width": 3},
            marker={"symbol": symbol, "size": 9}, hovertemplate="x %{x}: %{y:.1f} %",
        )  # fmt: skip
    figure.add_vline(x=factor, line={"dash": "dot", "width": 2, "color": "#888888"})
    figure.update_layout(
        height=280,
        margin={"l": 0, "r": 0, "t": 10, "b": 0},
        yaxis={"title": "mIoU, percent", "range": [0, 102], "fixedrange": True},
        xaxis={
            "type": "log", "tickvals": FACTORS, "ticktext": [f"x {factor}" for factor in FACTORS], "fixedrange": True,
        },
        legend={"orientation": "h", "y": 1.15},
        dragmode=False,
    )  # fmt: skip
    return figure
