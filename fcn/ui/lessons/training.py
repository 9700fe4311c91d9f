"""What training changed: the kernel of a class to itself and of pairs of classes, and their effect on the photo."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from plotly.subplots import make_subplots

from fcn import explain
from fcn.model import zoo
from fcn.model.network import STRIDES
from fcn.model.upsampling import apply_weights, arrange_weights, bilinear_kernel, choose_classes
from fcn.photos.images import Labels
from fcn.pictures import render
from fcn.ui import compute, figures, turns
from fcn.ui.controls import choice_control
from fcn.ui.lessons import thread
from fcn.ui.lessons.kernels import score_kernel
from fcn.ui.lessons.resize_loss import LONGEST, Subject, labels_by, map_png

Pair = tuple[int, int]  # from class, to class


@turns.fragment
def trained(photo: Subject) -> None:
    """Draw the section."""
    card = photo.card
    thread.heading("training")
    st.markdown(
        "At the start each class looks only at its own scores, through the tent above. Training can reshape the tent, "
        "and it can link any two classes: what does a high score for one class mean for another, at each of the "
        "pixels around the cell? Red adds to the score, blue takes away."
    )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        stride = choice_control("Kernel", STRIDES, STRIDES[0], "steps_trained_stride", lambda stride: f"x {stride}")
        pairs = rank_pairs(card.name, stride)
        pair = st.selectbox(
            "From the score of one class to the score of another",
            list(pairs),
            format_func=lambda pair: f"{title(card, pair)} (changed by {pairs[pair]:.1%})",
            key=f"steps_pair_{card.name}_{stride}",
            width=460,
            help="First each class to itself, then pairs; most changed first. 100 % is the length of the tent.",
        )
    after = score_kernel(card.name, stride)[:, :, pair[1], pair[0]]
    before = bilinear_kernel(stride, 1)[:, :, 0, 0] * (pair[0] == pair[1])
    figures.draw(weights(before, after), "steps_trained", f"Kernel of {title(card, pair)}: before, after, difference")
    st.markdown(in_words(card, pair, before, after, stride))
    on_the_photo(photo, stride, pair)


def title(card: zoo.Card, pair: Pair) -> str:
    """A pair of classes in words."""
    source, target = (card.classes[index] for index in pair)
    return f"{source} to itself" if source == target else f"{source} → {target}"


@compute.memoize
def rank_pairs(model: str, stride: int) -> dict[Pair, float]:
    """Change of each pair as a share of the tent's length: classes to themselves first, then most changed first."""
    classes = len(compute.card(model).classes)
    tent = bilinear_kernel(stride, classes)
    changes = explain.rank_changes(tent, score_kernel(model, stride))
    length = float(np.linalg.norm(tent[:, :, 0, 0]))
    by_self = sorted(changes, key=lambda change: change.source != change.target)  # stable: the order within stays
    return {(change.source, change.target): change.amount / length for change in by_self}


def weights(before: np.ndarray, after: np.ndarray) -> go.Figure:
    """A kernel before and after training, and the difference, amplified where it is faint."""
    change = after - before
    limit = float(max(np.abs(before).max(), np.abs(after).max(), 1e-9))
    stronger = max(1, int(0.8 * limit / np.abs(change).max())) if change.any() else 1
    titles = ["Before", "After", "Difference" + (f", amplified {stronger} times" if stronger > 1 else "")]
    figure = make_subplots(1, 3, subplot_titles=titles, horizontal_spacing=0.03)
    for column, (values, times) in enumerate(((before, 1), (after, 1), (change, stronger)), start=1):
        map_ = figures.heat_map(times * values, colours=figures.DIVERGING, limits=(-limit, limit), unit="weight")
        map_.customdata = values
        map_.hovertemplate = "row %{y}, column %{x}<br>weight %{customdata:.3f}<extra></extra>"
        map_.update(
            showscale=column == 3, colorbar={"thickness": 12, "orientation": "h", "y": -0.2, "x": 0.5, "len": 0.6}
        )
        figure.add_trace(map_, 1, column)
    figures.square(figure, 340)
    figure.update_layout(margin_t=40)
    return figure


def in_words(card: zoo.Card, pair: Pair, before: np.ndarray, after: np.ndarray, stride: int) -> str:
    """What the three pictures of a kernel show, in words."""
    source, target = (card.classes[index] for index in pair)
    change, area = (
        after - before,
        stride * stride,
    )  # the weights that meet in a pixel: their sum over the stride squared
    total, total_before = float(after.sum()) / area, float(before.sum()) / area
    row, column = np.unravel_index(np.abs(change).argmax(), change.shape)
    down, right = row - stride + 0.5, column - stride + 0.5
    place = (
        f"{abs(down):.0f} pixels {'below' if down > 0 else 'above'} the middle of the cell and "
        f"{abs(right):.0f} to the {'right' if right > 0 else 'left'}"
    )
    if source == target:
        comparison = "more" if total > total_before else "less" if total < total_before else "as much"
        first = (
            f"The four cells around a pixel pass on {total:.2f} times the score of **{source}** on average, "
            f"{comparison} than the {total_before:.2f} of plain interpolation."
            if comparison != "as much"
            else f"The four cells around a pixel pass on the score of **{source}** as before."
        )
    else:
        first = (
            f"At the start **{source}** had no effect on **{target}**. Now a score of 1 for {source} in all cells "
            f"{'adds' if total > 0 else 'takes'} {abs(total):.3f} {'to' if total > 0 else 'from'} the score of "
            f"{target} on average."
        )
    return f"{first} The largest change of a weight is {change[row, column]:+.3f}, {place}."


def on_the_photo(photo: Subject, stride: int, pair: Pair) -> None:
    """Labels by the kernel of the start and by the trained one, and where they differ."""
    model, key = photo.card.name, (photo.sha256, LONGEST, stride)
    before = compute.compute_once(("labels by the start", model, *key), lambda: start_labels(photo, stride))
    after = labels_by(photo, stride, "transposed")
    alone = compute.compute_once(("labels by a pair", model, *key, pair), lambda: start_labels(photo, stride, pair))
    changed = before != after
    st.markdown("**What the kernel does to this photo**")
    pictures = (
        ("With the starting kernel", map_png(photo.card, before)),
        ("With the trained kernel", map_png(photo.card, after)),
        ("Difference", render.errors_png(changed, np.zeros(changed.shape, bool))),
    )
    alts = (
        "Labels with plain interpolation",
        "Labels with the trained kernel",
        f"{int(changed.sum())} pixels that differ",
    )
    for column, (name, picture), alt in zip(st.columns(3), pictures, alts, strict=True):
        with column:
            st.markdown(name)
            st.image(picture, width="stretch", alt=alt)
    by_pair = int((alone != before).sum())
    st.markdown(
        f"The trained kernel changes the class of **{int(changed.sum()):,} pixels** ({changed.mean():.1%}) of this "
        "photo, orange in the last picture."
        + (truth_in_words(photo, before, after) if photo.is_truth else "")
        + f" The part shown above, {title(photo.card, pair)}, changes {by_pair:,} on its own."
        + shape_in_words(photo, stride)
    )


def start_labels(photo: Subject, stride: int, pair: Pair | None = None) -> Labels:
    """Labels by the kernel of the start, (h, w) uint8; with the trained weights of one pair, if that is given."""
    scores, classes = photo.scores, len(photo.card.classes)
    kernel = bilinear_kernel(stride, classes)
    if pair is not None:
        kernel[:, :, pair[1], pair[0]] = score_kernel(photo.card.name, stride)[:, :, pair[1], pair[0]]
    full = apply_weights(scores.maps[stride], stride, arrange_weights(kernel))
    return choose_classes(full[: scores.height, : scores.width])


def truth_in_words(photo: Subject, before: Labels, after: Labels) -> str:
    """How many of the changed pixels became correct, where that is known."""
    compared = (before != after) & (photo.labels < len(photo.card.classes))
    better, worse = (int((compared & (labels == photo.labels)).sum()) for labels in (after, before))
    return f" Of these, {better:,} became correct and {worse:,} became wrong."


def shape_in_words(photo: Subject, stride: int) -> str:
    """How much of the kernel belongs to the shape channels, if there are any."""
    kernel, classes = compute.segmenter(photo.card.name).kernel(stride), len(photo.card.classes)
    if (extra := kernel.shape[3] - classes) == 0:
        return ""
    share = float(np.abs(kernel[..., classes:]).sum() / np.abs(kernel).sum())
    return (
        f" The kernel also sees {extra} shape channels, which hint at where in a cell an edge lies: they hold "
        f"{share:.0%} of its weight."
    )
