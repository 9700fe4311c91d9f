"""Questions that learners ask, each with an answer that is computed on the spot."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from PIL import Image, ImageDraw
from plotly.subplots import make_subplots
from streamlit.delta_generator import DeltaGenerator

from fcn import explain
from fcn.model.network import STRIDES
from fcn.model.upsampling import bilinear_kernel
from fcn.photos.images import STRIDE_MULTIPLE, Pixels, network_input
from fcn.pictures import render
from fcn.ui import compute, figures, turns
from fcn.ui.controls import tiny
from fcn.ui.lessons import thread
from fcn.ui.lessons.kernels import score_kernel
from fcn.ui.lessons.resize_loss import LONGEST, Subject, labels_by

#: Things that can be counted, in the order in which one is looked for.
COUNTABLE = ("bicyclist", "bicycle", "pedestrian", "person", "car", "dog", "cat", "horse", "sheep", "cow", "bird")
ORANGE = (230, 159, 0)


@turns.fragment
def answers(photo: Subject) -> None:
    """Draw the questions."""
    thread.heading("questions")
    for question, answer in (
        ("Why is the photo padded and the result cropped?", padding),
        (f"What if the width is not a multiple of {STRIDE_MULTIPLE}?", width),
        ("Is the upsampling learned or frozen?", learned),
        ("Why is the kernel diagonal across the classes at the start?", diagonal),
        ("Half-pixel or align-corners?", corners),
        ("Is the coarse output a bug?", coarse),
        ("Why do two bicycles end up as one lump?", lump),
    ):
        with st.expander(question):
            answer(photo)


def _halves() -> list[DeltaGenerator]:
    """A place for words and a place for a picture."""
    return st.columns([2, 3], gap="large")


def padding(photo: Subject) -> None:
    """The padded photo, with the padding marked."""
    words, picture = _halves()
    prepared = network_input(photo.pixels, LONGEST)
    rows, columns = prepared.array.shape[1:3]
    below, beside = rows - prepared.height, columns - prepared.width
    words.markdown(
        f"The network halves the photo {STRIDE_MULTIPLE.bit_length() - 1} times, so both sides must be multiples of "
        f"{STRIDE_MULTIPLE}. "
        f"This photo has {prepared.width} x {prepared.height} pixels; **{beside} columns and {below} rows** are added "
        "by repeating the last ones. After the upsampling they are cropped, so every pixel keeps its place. "
        "Padding with black would add an edge that the photo does not have."
    )
    marked = Image.fromarray(prepared.array[0].astype(np.uint8))
    pen = ImageDraw.Draw(marked, "RGBA")
    for box in ((0, prepared.height, columns, rows), (prepared.width, 0, columns, prepared.height)):
        if box[2] > box[0] and box[3] > box[1]:
            pen.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=(*ORANGE, 150))
    alt = f"{photo.alt}; orange: {below} rows added below and {beside} columns added on the right"
    picture.image(render.png(np.asarray(marked)), alt=alt)
    picture.caption(f"{columns} x {rows} pixels go into the network. Orange: the padding, cropped at the end.")


def width(photo: Subject) -> None:
    """A row of cells for a width that the visitor chooses."""
    words, picture = _halves()
    pixels = words.slider("Width of a photo, pixels", 20, 200, 100, key="steps_width", bind="query-params")
    prepared = network_input(np.zeros((1, pixels, 3), np.uint8), pixels)
    padded = prepared.array.shape[2]
    words.markdown(
        f"{pixels} pixels become **{padded // STRIDE_MULTIPLE} cells**, enlarged to {padded} pixels; the last "
        f"{padded - pixels} are cropped. Any size works, because nothing in the network depends on it: all layers are "
        "convolutions. Only the number of cells changes."
    )
    figure = go.Figure()
    for size, name, colour in ((pixels, "Photo", "#56b4e9"), (padded - pixels, "Added, then cropped", "#e69f00")):
        figure.add_bar(x=[size], y=[""], name=name, orientation="h", marker_color=colour, hovertemplate="%{x} pixels")
    for edge in range(0, padded + 1, STRIDE_MULTIPLE):
        figure.add_vline(x=edge, line={"width": 2, "color": "#888888"})
    figure.update_layout(
        barmode="stack", height=170, margin={"l": 0, "r": 0, "t": 10, "b": 0}, dragmode=False,
        xaxis={"range": [-2, 226], "tickvals": list(range(0, 225, STRIDE_MULTIPLE)), "fixedrange": True},
        yaxis={"fixedrange": True}, legend={"orientation": "h", "y": 1.3, "traceorder": "normal"},
    )  # fmt: skip
    with picture:
        alt = f"A row of {padded // STRIDE_MULTIPLE} cells over {pixels} pixels of photo and {padded - pixels} added"
        figures.draw(figure, "steps_width_cells", alt)


def learned(photo: Subject) -> None:
    """How far each shipped kernel is from its start."""
    words, picture = _halves()
    moved = {stride: moved_share(photo.card.name, stride) for stride in STRIDES}
    verdict = "learned" if min(moved.values()) > 0 else "partly frozen" if max(moved.values()) > 0 else "frozen"
    weights = compute.segmenter(photo.card.name).kernel(STRIDES[0]).size
    words.markdown(
        f"Here it is **{verdict}**. All three kernels start as bilinear interpolation, and training moved them by "
        + ", ".join(f"{moved[stride]:.0%} (x {stride})" for stride in STRIDES)
        + f" of their length, counting the weights of the class scores. The kernel for x {STRIDES[0]} alone has "
        f"{weights:,} weights. The original FCN kept the last one frozen; either choice works, and the switch on the "
        "first page shows the difference."
    )
    figure = go.Figure()
    texts = [f"{share:.1%}" for share in moved.values()]
    figure.add_bar(x=[f"x {stride}" for stride in moved], y=list(moved.values()), text=texts, marker_color="#0072b2")
    figure.update_layout(
        height=220, margin={"l": 0, "r": 0, "t": 10, "b": 0}, dragmode=False, xaxis_fixedrange=True,
        yaxis={"title": "Change", "tickformat": ".0%", "fixedrange": True},
    )  # fmt: skip
    with picture:
        figures.draw(figure, "steps_moved", "Change of each kernel: " + ", ".join(texts))


def diagonal(photo: Subject) -> None:
    """How much weight leads from each class to each other, before and after."""
    words, picture = _halves()
    before, after = class_weights(photo.card.name)
    count = len(before)
    off = ~np.eye(count, dtype=bool)
    words.markdown(
        f"Interpolation enlarges each class on its own, so of {count} x {count} pairs only the {count} on the "
        f"diagonal have weights; the others sum to {before[off].sum():.0f}. After training "
        f"**{after[off].sum() / after.sum():.0%}** of all weight links one class to another: a high score for one "
        "class now counts for or against others."
    )
    figure = make_subplots(1, 2, subplot_titles=("Start", "Trained"), horizontal_spacing=0.06)
    for column, table in enumerate((before, after), start=1):
        map_ = figures.heat_map(table, limits=(0, float(after.max())))
        map_.customdata = np.array([[f"{a} to {b}" for a in photo.card.classes] for b in photo.card.classes])
        map_.hovertemplate = "%{customdata}: %{z:.0f}<extra></extra>"
        figure.add_trace(map_, 1, column)
    figures.square(figure, 300)
    figure.update_layout(margin_t=30)
    with picture:
        alt = "Weight from each class to each: on the diagonal only at the start, off the diagonal too when trained"
        figures.draw(figure, "steps_diagonal", alt)
        st.caption(f"Sum of absolute weights, kernel x {STRIDES[0]}. Columns: from class, rows: to class.")


def corners(photo: Subject) -> None:
    """Both conventions on a row of three numbers."""
    words, picture = _halves()
    row, factor = np.array([1.0, 4.0, 2.0]), 4
    by_upsampling = {
        name: explain.enlarged_row(row, factor, align)
        for name, align in (("Half-pixel", False), ("Align-corners", True))
    }
    kernel = explain.kernel("bilinear", factor)
    across = explain.transposed(row[np.newaxis], factor, kernel[:, :])[factor // 2]
    inside = np.s_[factor // 2 : -(factor // 2)]
    weight = explain.transposed(np.ones((1, len(row))), factor, kernel)[factor // 2]
    gap = np.abs(across[inside] / weight[inside] - by_upsampling["Half-pixel"][inside]).max()
    words.markdown(
        "Both blend neighbouring numbers; they differ in where each number sits. Half-pixel puts it in the middle of "
        f"its {factor} pixels; align-corners puts the first and last number on the first and last pixel. A transposed "
        f"convolution with the bilinear kernel is half-pixel (largest difference inside: **{tiny(float(gap))}**), and "
        "that is what this network uses. Mixing the two shifts edges."
    )
    figure = go.Figure()
    pixels = np.arange(1, len(row) * factor + 1)
    for (name, values), colour, symbol in zip(
        by_upsampling.items(), ("#0072b2", "#d55e00"), ("circle", "square"), strict=True
    ):
        figure.add_scatter(
            x=pixels, y=values, name=name, mode="lines+markers", line={"color": colour}, marker={"symbol": symbol}
        )
    figure.update_layout(
        height=230, margin={"l": 0, "r": 0, "t": 10, "b": 0}, legend={"orientation": "h", "y": 1.2}, dragmode=False,
        xaxis={"title": "Pixel", "dtick": 1, "fixedrange": True}, yaxis={"title": "Value", "fixedrange": True},
    )  # fmt: skip
    texts = {name: " ".join(f"{value:.2f}" for value in values) for name, values in by_upsampling.items()}
    with picture:
        figures.draw(figure, "steps_corners", "; ".join(f"{name}: {values}" for name, values in texts.items()))
        st.dataframe({"Pixel": pixels, **{name: values.round(2) for name, values in by_upsampling.items()}}, height=150)


def coarse(photo: Subject) -> None:
    """The score map itself."""
    words, picture = _halves()
    stride = STRIDES[0]
    cells = photo.scores.coarse_labels(stride)
    words.markdown(
        f"No. The network looks at {photo.scores.width} x {photo.scores.height} pixels and gives "
        f"**{cells.shape[1]} x {cells.shape[0]} answers**, one for each {stride} x {stride} pixels: it trades position "
        f"for meaning. {photo.scores.width * photo.scores.height:,} pixels share {cells.size} cells, so the upsampling "
        "has to guess where an edge runs inside a cell."
    )
    squares = render.cells_png(cells, photo.card.palette, stride, photo.scores.height, photo.scores.width, grid=True)
    picture.image(squares, alt=f"The best class of each of {cells.size} cells", width=420)


def lump(photo: Subject) -> None:
    """One class of the network's label map alone."""
    words, picture = _halves()
    stride, classes = STRIDES[0], photo.card.classes
    labels = labels_by(photo, stride, "bilinear")
    present = {classes[index] for index in np.unique(labels)}
    name = next((name for name in COUNTABLE if name in present), classes[int(np.bincount(labels.ravel()).argmax())])
    index = classes.index(name)
    mask = labels == index
    patches = explain.regions(mask)
    words.markdown(
        f"The network says what a pixel shows, not which object it belongs to. All {int(mask.sum()):,} pixels of "
        f"**{name}** get the same number, {index}, and form **{patches} patch{'es' * (patches != 1)}**, however many "
        "objects there are in the photo: objects that touch merge into one. This is semantic segmentation; counting "
        "needs instance segmentation."
    )
    picture.image(
        render.png(_highlighted(photo.pixels, mask)),
        alt=f"The pixels of {name}: {patches} patch{'es' * (patches != 1)}",
        width=420,
    )
    picture.caption(f"Orange: what FCN-{stride}s labels as {name}.")


def _highlighted(pixels: Pixels, mask: np.ndarray) -> Pixels:
    dim = (pixels * 0.35 + 40).astype(np.uint8)
    bright = (pixels * 0.25 + 0.75 * np.array(ORANGE)).astype(np.uint8)
    return np.where(mask[:, :, np.newaxis], bright, dim)


@compute.memoize
def moved_share(model: str, stride: int) -> float:
    """Length of the change of a kernel by training, as a share of its length at the start."""
    after = score_kernel(model, stride)
    before = bilinear_kernel(stride, after.shape[-1])
    return float(np.linalg.norm(after - before) / np.linalg.norm(before))


@compute.memoize
def class_weights(model: str) -> tuple[np.ndarray, np.ndarray]:
    """Sum of absolute weights from class (column) to class (row), at the start and trained, stride 32."""
    after = score_kernel(model, STRIDES[0])
    before = bilinear_kernel(STRIDES[0], after.shape[-1])
    return np.abs(before).sum((0, 1)), np.abs(after).sum((0, 1))
