"""Play with it: a small score map is stretched and convolved in the browser, and Keras checks the result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import streamlit as st

from fcn import explain
from fcn.ui import compute, turns
from fcn.ui.controls import choice_control, number_control, tiny
from fcn.ui.lessons import thread
from fcn.ui.scripts import join_files

KEY = "steps_player"
TITLES = {"nearest": "Nearest", "bilinear": "Bilinear", "random": "Random", "own": "Own numbers"}
START = np.array(
    [[1, 2, 1, 0, 0], [2, 4, 3, 1, 0], [1, 3, 2, 0, -1], [0, 1, 0, -1, -2], [0, 0, -1, -2, -1]], dtype=np.float64
)

HERE = Path(__file__).parent
SCRIPTS = ("stepper_drawing.js", "stepper.js")

_player = st.components.v2.component(
    "fcn_stepper",
    html=join_files(HERE, "stepper.html"),
    css=join_files(HERE, "stepper.css"),
    js=join_files(HERE, *SCRIPTS),
)


@turns.fragment
def play() -> None:
    """Draw the controls, the player and its comparison with Keras."""
    thread.heading("zeros")
    st.markdown(
        "A transposed convolution enlarges a map in two steps: it inserts rows and columns of zeros between the cells, "
        "then slides an ordinary convolution over the result. With the bilinear kernel each pixel gets the four "
        "weights from above. Change any number in the score map and press Play."
    )
    side, stride, kind, kernel = choose()
    scores = read_edits("scores", START[:side, :side])
    kernel = read_edits("kernel", kernel) if kind == "own" else kernel
    with st.spinner("Checking the result with Keras"):
        full = compute.upsample_with_keras(scores, stride, kernel)
    _player(
        key=KEY,
        data={
            "scores": scores.tolist(),
            "stride": stride,
            "kernel": kernel.tolist(),
            "title": TITLES[kind].lower(),
            "own": kind == "own",
            "keras": full.tolist(),
        },
        on_scores_change=lambda: None,
        on_kernel_change=lambda: None,
    )
    difference = float(np.abs(explain.transposed(scores, stride, kernel) - full).max())
    st.markdown(
        f"The same computed on the server, with `keras.layers.Conv2DTranspose(1, {len(kernel)}, strides={stride}, "
        f'padding="same")`. Largest difference from Keras: **{tiny(difference)}**'
    )


def choose() -> tuple[int, int, str, np.ndarray]:
    """Draw the controls: side of the score map, stride, kind of kernel, and the kernel as it starts."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        side = choice_control("Score map", (2, 3, 4, 5), 3, "steps_side", lambda side: f"{side} x {side}")
        stride = choice_control("Stride", (2, 3, 4), 2, "steps_stride")
        kind = choice_control("Kernel", tuple(TITLES), "bilinear", "steps_kernel", TITLES.__getitem__)
    # Its own row of fixed height: another kernel must not move the player.
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", height=88, border=False):
        if kind in explain.KERNELS:
            kernel = explain.kernel(kind, stride)
            st.caption(
                f"The {TITLES[kind].lower()} kernel for stride {stride} has {len(kernel)} x {len(kernel)} weights."
            )
            return side, stride, kind, kernel
        size = choice_control("Kernel size", (1, 2, 3, 4, 5, 6), 3, "steps_size")
        if kind == "own":
            return side, stride, kind, np.ones((size, size))
        seed = number_control("Random draw", 999, "steps_seed")
        return side, stride, kind, np.random.default_rng(seed).normal(size=(size, size)).round(2)


def read_edits(name: str, start: np.ndarray) -> np.ndarray:
    """What the visitor typed into the player, if it is a square of numbers of this size; else what it started with."""
    try:
        received = np.asarray(st.session_state.get(KEY, {}).get(name), dtype=np.float64)
    except (TypeError, ValueError):
        return start
    usable = received.shape == start.shape and bool((np.abs(received) <= 1e6).all())  # NaN is not usable either
    return received if usable else start
