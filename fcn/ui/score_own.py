"""Scores and error maps for a photo with ground truth: a synthetic scene, or a mask that the visitor brings."""

from __future__ import annotations

import numpy as np
import streamlit as st

from fcn import render, zoo
from fcn.errors import FcnError
from fcn.images import IGNORE_LABEL, Labels, labels_to_own_size
from fcn.masks import read_mask
from fcn.metrics import Tally
from fcn.ui import parts
from fcn.ui.parts import UPSAMPLING_TITLES
from fcn.ui.source import Source


def show(card: zoo.Card, chosen: Source, both: dict[str, Labels], stride: int) -> None:
    """Draw the scores of both upsamplings side by side, where there is a truth to compare with.

    Args:
        card: The model's card.
        chosen: The photo.
        both: Labels (h, w) uint8 at working size, by upsampling.
        stride: Of the score map they come from.
    """
    truth = chosen.truth if chosen.truth is not None else uploaded_mask(card, chosen)
    if truth is None:
        return
    st.markdown(f"**Against the truth, FCN-{stride}s**")
    columns = st.columns(len(both))
    for column, (way, found) in zip(columns, both.items(), strict=True):
        labels = labels_to_own_size(found, (truth.shape[0], truth.shape[1]))
        tally = Tally(len(card.classes))
        tally.add(truth, labels)
        with column:
            st.markdown(
                f"{UPSAMPLING_TITLES[way]}: mIoU **{tally.miou:.1%}**, boundary F1 **{tally.boundary_f1:.1%}**, "
                f"right pixels {tally.pixel_accuracy:.1%}"
            )
            wrong = (labels != truth) & (truth != IGNORE_LABEL)
            st.image(
                render.errors_png(wrong, truth == IGNORE_LABEL),
                width="stretch",
                alt=f"Map of wrongly labelled pixels, {np.mean(wrong):.1%} of the picture",
            )
    st.caption("Error map: orange pixels have the wrong class, grey ones count in no score.")


def uploaded_mask(card: zoo.Card, chosen: Source) -> Labels | None:
    """Let the visitor bring a mask for an own photo; say what is wrong with one that does not fit."""
    if chosen.data is None:
        return None
    with st.expander("Score it: bring the right answer as a mask"):
        st.caption(
            f"A PNG of {chosen.photo.size[1]} x {chosen.photo.size[0]} pixels: class indices "
            f"({', '.join(f'{index} {name}' for index, name in enumerate(card.classes))}; {IGNORE_LABEL} counts "
            "nowhere), or the colours of the legend."
        )
        file = st.file_uploader("Mask PNG", type="png", key=f"mask-{chosen.photo.sha256[:12]}")
        if file is None:
            return None
        try:
            return read_mask(file.getvalue(), card.classes, card.palette, chosen.photo.size)
        except FcnError as error:
            parts.complain(str(error))
            return None
