"""Kernels: how often they overlap, and how the network's start."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from fcn import explain
from fcn.model.network import STRIDES
from fcn.model.upsampling import bilinear, bilinear_kernel, transposed
from fcn.ui import compute, figures, turns
from fcn.ui.controls import choice_control, tiny
from fcn.ui.lessons import thread

CELLS = {1: 12, 2: 8, 3: 6, 4: 5}  # stride -> cells of the map, so that some pixels are far from the edge
SIZES = range(1, 9)


@turns.fragment
def overlap() -> None:
    """How often each output pixel is touched, for any size and stride."""
    thread.heading("overlap")
    st.markdown(
        "Seen the other way round, each cell stamps the kernel onto the output. The numbers count how many stamps land "
        "on each pixel. Where the counts vary from pixel to pixel, so does the result: a checkerboard."
    )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        size = choice_control("Kernel size", SIZES, 3, "steps_overlap_size")
        stride = choice_control("Stride", tuple(CELLS), 2, "steps_overlap_stride")
    counts = explain.overlap(CELLS[stride], stride, size)
    inside = explain.inner(counts, stride, size)
    low, high = int(inside.min()), int(inside.max())
    left, right = st.columns([3, 2], gap="large")
    with left:
        map_ = figures.heat_map(counts, numbers=True, limits=(0, max(4, int(counts.max()))), unit="stamps")
        figure = figures.square(go.Figure(map_), 460)
        alt = f"Stamps on each of {len(counts)} x {len(counts)} pixels, kernel {size}, stride {stride}: {low} to {high}"
        figures.draw(figure, "steps_overlap_map", alt)
    with right:
        st.markdown(_verdict(size, stride, low, high))
        figures.draw(_unevenness(size, stride), "steps_overlap_table", "Highest minus lowest count, by size and stride")
        st.caption("Highest minus lowest count away from the edge, for every size and stride. 0 means even.")
        network = explain.inner(explain.overlap(3, STRIDES[0], 2 * STRIDES[0]), STRIDES[0], 2 * STRIDES[0])
        side = int(network.max() ** 0.5)
        st.markdown(
            f"The network's kernel is {2 * STRIDES[0]} wide with stride {STRIDES[0]}: every pixel away from the edge "
            f"is reached by exactly {side} x {side} cells (counted here: {network.min()} to {network.max()} stamps), "
            "so no checkerboard is built in."
        )


def _verdict(size: int, stride: int, low: int, high: int) -> str:
    if low == high:
        return f"**Even.** {size} is divisible by {stride}: every pixel away from the edge gets {low}."
    if low == 0:
        return f"**Holes.** The kernel ({size} wide) is smaller than the stride ({stride}): some pixels get nothing."
    return f"**A checkerboard.** {size} is not divisible by {stride}: inside, the counts range from {low} to {high}."


def _unevenness(size: int, stride: int) -> go.Figure:
    """Highest minus lowest count inside, a row per stride and a column per size; the current one is framed."""

    def spread(size: int, stride: int) -> int:
        return int(np.ptp(explain.inner(explain.overlap(12, stride, size), stride, size)))

    table = np.array([[spread(size, stride) for size in SIZES] for stride in CELLS])
    figure = go.Figure(figures.heat_map(table, numbers=True))
    figure.data[0].hovertemplate = "size %{x}, stride %{y}<br>difference %{z}<extra></extra>"
    place = {"x0": size - 0.5, "x1": size + 0.5, "y0": stride - 0.5, "y1": stride + 0.5}
    figure.add_shape(type="rect", **place, line={"width": 4, "color": "#d55e00"})
    figures.square(figure, 250)
    figure.update_xaxes(showticklabels=True, title="Kernel size", dtick=1)
    figure.update_yaxes(showticklabels=True, title="Stride", dtick=1)
    return figure


@turns.fragment
def start() -> None:
    """The kernel before training, and where it differs from bilinear resizing."""
    stride = STRIDES[0]
    kernel = bilinear_kernel(stride, 1)[:, :, 0, 0]
    full, difference, differing = start_difference(stride)
    rim = stride // 2
    inside = difference[rim:-rim, rim:-rim]
    thread.heading("start")
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(f"**The kernel, {len(kernel)} x {len(kernel)}: a tent.** Drag to rotate it.")
        surface = go.Figure(go.Surface(z=kernel, colorscale="Viridis", showscale=False))
        surface.update_layout(
            height=380,
            margin={"l": 0, "r": 0, "t": 0, "b": 0},
            scene={
                "aspectratio": {"x": 1, "y": 1, "z": 0.6},
                "camera": {"eye": {"x": 1.25, "y": 1.25, "z": 0.9}},
                "xaxis": {"title": "column"},
                "yaxis": {"title": "row"},
                "zaxis": {"title": "weight"},
            },
        )
        figures.draw(
            surface, "steps_surface", f"A tent with four sides, highest weight {kernel.max():.2f} in the middle"
        )
    with right:
        st.markdown(f"**Difference from bilinear resizing,** {full.shape[0]} x {full.shape[1]} pixels")
        map_ = figures.heat_map(difference, limits=(0, float(difference.max())), unit="difference")
        alt = (
            f"Difference from bilinear resizing: none inside, up to {difference.max():.2f} in a frame {rim} pixels wide"
        )
        figures.draw(figures.square(go.Figure(map_), 330), "steps_start_difference", alt)
        st.caption(f"Dark: no difference. The bright frame is {rim} pixels wide, half a stride.")
    st.markdown(
        f"Largest difference inside: **{tiny(float(inside.max()))}**, mere rounding. In the frame: "
        f"**{difference.max():.2f}**. There the kernel reaches beyond the edge, where there are only zeros; resizing "
        f"repeats the last cell instead. All classes shrink by the same factor, so the best class is still the best: "
        f"labels differ in **{differing} of {difference.size:,}** pixels."
    )


@compute.memoize
def start_difference(stride: int, classes: int = 11) -> tuple[np.ndarray, np.ndarray, int]:
    """Enlarge random scores both ways: one class (H, W), the largest difference over classes, labels that differ."""
    scores = np.random.default_rng(0).normal(size=(4, 6, classes)).astype(np.float32)
    one, other = transposed(scores, stride, bilinear_kernel(stride, classes)), bilinear(scores, stride)
    differing = int((one.argmax(-1) != other.argmax(-1)).sum())
    return one[..., 0], np.abs(one - other).max(-1), differing


def score_kernel(model: str, stride: int) -> np.ndarray:
    """The part of a trained kernel that looks at scores, (2 stride, 2 stride, C, C): shape channels start at zero."""
    kernel = compute.segmenter(model).kernel(stride)
    return kernel[..., : kernel.shape[2]]
