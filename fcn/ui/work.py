"""What the pages compute, kept for as long as it may be asked for again.

Streamlit's caches sample large arrays when they hash them, so two photos could collide: every key here is the SHA-256
of the photo with the model and its settings, and arrays have a leading underscore, which keeps them out of the key.
"""

from __future__ import annotations

import streamlit as st

from fcn import zoo
from fcn.images import Labels, Pixels, decode, labels_to_own_size
from fcn.segmenter import Scores, Segmentation, Segmenter


@st.cache_resource(show_spinner="Loading the network")
def segmenter(model: str) -> Segmenter:
    """A model, loaded once for all visitors: it is large, and threads may share it."""
    return Segmenter.load(model)


@st.cache_data
def card(model: str) -> zoo.Card:
    """A model's card."""
    return zoo.read_card(model)


@st.cache_data(show_spinner="Looking at the photo", max_entries=64)
def scores(model: str, photo: str, longest: int, _pixels: Pixels) -> Scores:
    """Score maps of a photo: the backbone runs here and nowhere else.

    Args:
        model: Name of the model.
        photo: SHA-256 of the photo.
        longest: Longest side of the working size, pixels.
        _pixels: (H, W, 3) uint8.
    """
    return segmenter(model).score(_pixels, longest)


@st.cache_data(show_spinner=False, max_entries=256)
def segmentation(model: str, photo: str, longest: int, stride: int, upsampling: str, _scores: Scores) -> Segmentation:
    """Labels from one upsampling of a photo's score map; arguments as for `scores`."""
    return segmenter(model).upsample(_scores, stride, upsampling, confidence=True)


def own_size_labels(data: bytes | None, name: str, labels: Labels, pixels: Pixels) -> tuple[Pixels, Labels]:
    """The photo and its labels at the photo's own size, for a download.

    Args:
        data: The uploaded bytes; None for a sample, whose pixels are at hand.
        name: What to call the file in an error.
        labels: (h, w) uint8 at working size.
        pixels: (H, W, 3) uint8 of a sample.
    """
    full = decode(data, name).pixels if data is not None else pixels
    return full, labels_to_own_size(labels, (full.shape[0], full.shape[1]))
