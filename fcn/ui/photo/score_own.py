"""Scores and error maps for a photo with ground truth: a synthetic scene, or a mask that the visitor uploads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import streamlit as st
from streamlit.runtime.uploaded_file_manager import DeletedFile

from fcn.errors import FcnError
from fcn.model import zoo
from fcn.photos.images import IGNORE_LABEL, Labels, labels_to_own_size
from fcn.pictures import render
from fcn.quality.metrics import Scorer, edges_are_labelled
from fcn.ui import compute, parts
from fcn.ui.parts import UPSAMPLING_TITLES
from fcn.ui.photo.source import SelectedPhoto

MOST_PIXELS = 2_000_000  # that are compared: scores and error map of 50 megapixels took 6 s and 1.2 GB


@dataclass(frozen=True, eq=False)
class Truth:
    """The ground truth of a photo.

    Attributes:
        name: Distinguishes it from other masks of the same photo.
        labels: (H, W) uint8 class indices or IGNORE_LABEL, at the size that `fit` gives for the photo.
    """

    name: str
    labels: Labels


@dataclass(frozen=True)
class Verdict:
    """How labels compare with ground truth: scores 0 to 1, and a picture of the errors.

    Boundary F1 is None where the ground truth leaves out the edges.
    """

    miou: float
    boundary_f1: float | None
    pixel_accuracy: float
    wrong: float
    picture: bytes


def show(card: zoo.Card, chosen: SelectedPhoto, by_upsampling: dict[str, Labels], stride: int) -> None:
    """Draw the scores of the upsamplings side by side, where there is ground truth to compare with.

    Args:
        card: The model's card.
        chosen: The photo.
        by_upsampling: Labels (h, w) uint8 at working size, by upsampling.
        stride: Of the score map they come from.
    """
    truth = Truth("sample", chosen.truth) if chosen.truth is not None else uploaded_mask(card, chosen)
    if truth is None:
        return
    st.markdown(f"**Compared with ground truth, cell size {stride}**")
    for column, (upsampling, labels) in zip(st.columns(len(by_upsampling)), by_upsampling.items(), strict=True):
        key = ("verdict", card.name, chosen.sha256, truth.name, labels.shape, stride, upsampling)
        verdict = compute.compute_once(key, partial(compare, labels, truth.labels, len(card.classes)))
        edges = "not measurable, since the mask leaves out the edges"
        if verdict.boundary_f1 is not None:
            edges = f"**{verdict.boundary_f1:.1%}**"
        with column:
            st.markdown(
                f"{UPSAMPLING_TITLES[upsampling]}: overlap (mIoU) **{parts.format_percent(verdict.miou)}**, "
                f"edges (boundary F1) {edges}, pixel accuracy {parts.format_percent(verdict.pixel_accuracy)}"
            )
            alt = f"Map of wrongly labelled pixels, {verdict.wrong:.1%} of the picture"
            st.image(verdict.picture, width="stretch", alt=alt)
    height, width = truth.labels.shape
    if (height, width) != chosen.size:
        size = chosen.size
        st.caption(
            f"Compared at {width} x {height} pixels: more than {MOST_PIXELS // 10**6} megapixels take too long here. "
            f"`python -m fcn evaluate` compares at {size[1]} x {size[0]}."
        )
    st.caption("Error map: orange pixels have the wrong class, grey ones are not scored.")


def compare(prediction: Labels, truth: Labels, classes: int) -> Verdict:
    """Score labels (h, w) uint8 at working size against ground truth (H, W) uint8."""
    labels = labels_to_own_size(prediction, (truth.shape[0], truth.shape[1]))
    scorer = Scorer(classes)
    scorer.add(truth, labels)
    wrong = (labels != truth) & (truth != IGNORE_LABEL)
    picture = render.errors_png(wrong, truth == IGNORE_LABEL)
    edges = scorer.boundary_f1 if edges_are_labelled(truth) else None
    return Verdict(scorer.miou, edges, scorer.pixel_accuracy, float(wrong.mean()), picture)


def uploaded_mask(card: zoo.Card, chosen: SelectedPhoto) -> Truth | None:
    """Let visitors upload a mask for their own photo; explain what is wrong with one that does not fit."""
    if chosen.data is None:
        return None
    with st.expander("Score it: upload a ground-truth mask"):
        st.caption(
            f"A PNG of {chosen.size[1]} x {chosen.size[0]} pixels: class indices "
            f"({', '.join(f'{index} {name}' for index, name in enumerate(card.classes))}; {IGNORE_LABEL} is "
            "not scored), or the colours of the legend. You can also drop a photo and a mask of the same name together."
        )
        key = f"mask-{card.name}-{chosen.sha256[:12]}"  # its numbers mean the classes of this model
        file = st.file_uploader("Mask PNG", type="png", key=key)
        if file is None:
            if isinstance(st.session_state[key], DeletedFile):
                parts.show_error("The mask is no longer on the server. Choose it again.")
            return None
        try:
            return compute.compute_once(
                ("mask", card.name, chosen.size, file.file_id),
                lambda: Truth(
                    file.file_id,
                    compute.decoder().read_mask(
                        file.getvalue(), chosen.size, len(card.classes), card.palette, MOST_PIXELS
                    ),
                ),
            )
        except FcnError as error:
            parts.show_error(str(error))
            return None
