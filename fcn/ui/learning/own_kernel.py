"""A kernel that the visitor trained, used on "Try it" for as long as the visit lasts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import streamlit as st

PLACE = "own_kernel"


@dataclass(frozen=True, eq=False)
class OwnKernel:
    """A trained kernel (2 stride, 2 stride, C, C or C + E) float32, and where it fits."""

    model: str
    stride: int
    weights: np.ndarray
    title: str
    sha256: str


def use(model: str, stride: int, weights: np.ndarray, title: str) -> None:
    """Use a kernel from now on."""
    digest = hashlib.sha256(np.ascontiguousarray(weights).tobytes()).hexdigest()
    st.session_state[PLACE] = OwnKernel(model, stride, weights, title, digest)


def current(model: str, stride: int) -> OwnKernel | None:
    """The visitor's kernel, if there is one for this model and stride."""
    own: OwnKernel | None = st.session_state.get(PLACE)
    return own if own and (own.model, own.stride) == (model, stride) else None


def notice(model: str, stride: int) -> None:
    """Say that the visitor's own kernel is used, and offer the way back."""
    if own := current(model, stride):
        with st.container(horizontal=True, vertical_alignment="center", key="own_kernel_notice"):
            st.info(f"The transposed convolution uses your own kernel: {own.title}.", icon=":material/school:")
            st.button("Use the shipped kernel", on_click=forget, key="own_kernel_forget")


def forget() -> None:
    """Use the shipped kernel again."""
    st.session_state.pop(PLACE, None)
