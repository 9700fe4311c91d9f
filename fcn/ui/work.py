"""What the pages compute for visitors, on threads that all of them share.

Streamlit's caches sample large arrays when they hash them, so two photos could collide, and copy what they hold: here
every key is the SHA-256 of the photo with the model and its settings, and results are shared as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import TypeVar

import numpy as np
import streamlit as st
from PIL import Image
from starlette.formparsers import MultiPartParser
from streamlit.delta_generator import DeltaGenerator
from threadpoolctl import threadpool_limits

from fcn import zoo
from fcn.errors import ModelError
from fcn.files import MAX_BYTES
from fcn.images import Photo, Pixels, decode
from fcn.segmenter import Scores, Segmentation, Segmenter
from fcn.workers import Workers, processors

T = TypeVar("T")
STORE = 64 * 1024**2  # bytes of results
LARGEST = 960  # pixels, the largest working size: more of an upload is not kept decoded

# Starlette writes uploads of more than 1 MB to a temporary file; photos must stay in memory.
MultiPartParser.spool_max_size = MAX_BYTES + 1024**2


@st.cache_resource(show_spinner=False)
def workers() -> Workers:
    """The threads that compute for all visitors."""
    threadpool_limits(1, "blas")  # visitors come in parallel; threads that wait for each other only slow them
    return Workers(max(2, processors()), STORE)


@st.cache_resource(show_spinner=False)
def segmenter(model: str) -> Segmenter:
    """A model, loaded once for all visitors: it is large, and threads may share it."""
    return Segmenter.load(model)


@st.cache_data
def card(model: str) -> zoo.Card:
    """A model's card."""
    return zoo.read_card(model)


@st.cache_data
def names() -> list[str]:
    """Names of the models.

    Raises:
        ModelError: There is none.
    """
    if not (found := zoo.names()):
        raise ModelError("No model is installed: assets/models is empty. Restore it from the project.")
    return found


def preload() -> dict[str, str]:
    """Load every model; return the engine of each by name.

    Raises:
        ModelError: As for `Segmenter.load`.
    """
    return {name: segmenter(name).engine.name for name in names()}


def scores(model: str, photo: str, longest: int, pixels: Pixels, slot: DeltaGenerator | None = None) -> Scores:
    """Score maps of a photo: the backbone runs here and nowhere else.

    Args:
        model: Name of the model.
        photo: SHA-256 of the photo.
        longest: Longest side of the working size, pixels.
        pixels: (H, W, 3) uint8.
        slot: Where to show the place in line, if it comes to waiting.
    """
    network, key = segmenter(model), ("scores", model, photo, longest)
    return workers().get(key, lambda: network.score(pixels, longest), _told(slot))


def segmentation(
    model: str,
    photo: str,
    longest: int,
    stride: int,
    upsampling: str,
    scored: Scores,
    slot: DeltaGenerator | None = None,
) -> Segmentation:
    """Labels from one upsampling of a photo's score map; arguments as for `scores`."""
    network, key = segmenter(model), ("labels", model, photo, longest, stride, upsampling)
    return workers().get(key, lambda: network.upsample(scored, stride, upsampling, confidence=True), _told(slot))


def decoded(data: bytes, name: str, slot: DeltaGenerator | None = None) -> Photo:
    """Decode an upload, to no more pixels than the largest working size needs: a session keeps them.

    Raises:
        PhotoError: As for `decode`.
    """
    return workers().get(object(), lambda: _reduced(decode(data, name, longest=LARGEST)), _told(slot), keep=False)


def kept(key: Hashable, make: Callable[[], T]) -> T:
    """Make something else that a page shows, once; the result says its size in `nbytes`."""
    return workers().get(key, make, _told(None))


def exported(make: Callable[[], bytes]) -> bytes:
    """Make a file for a download, which Streamlit asks for outside of any visit, on the shared threads too."""
    return workers().get(object(), make, lambda before: None, keep=False)


def _reduced(photo: Photo) -> Photo:
    """Shrink the pixels to at most LARGEST; `size` stays the photo's own."""
    height, width = photo.pixels.shape[:2]
    if max(height, width) <= LARGEST:
        return photo
    scale = LARGEST / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    image = Image.fromarray(photo.pixels).resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    return replace(photo, pixels=np.asarray(image))


def _told(slot: DeltaGenerator | None) -> Callable[[int], None]:
    """What to do while waiting. Either way Streamlit gets a chance to end the run of a visitor who has left."""

    def waiting(before: int) -> None:
        if slot is None:
            st.session_state.get("own")
        else:
            said = f"Photos before yours in the line: {before}" if before else "Looking at the photo"
            slot.caption(f":material/hourglass_top: {said}")

    return waiting
