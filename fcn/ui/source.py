"""Where the photo comes from: a sample, an upload or the camera. A bad file never replaces a good photo."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import streamlit as st
from PIL import Image

from fcn.errors import FcnError
from fcn.images import FORMATS_SAID, MAX_BYTES, Labels, Photo, decode
from fcn.ui.samples import cut, samples, thumbnail

LARGEST = 960  # pixels, the largest working size: more of an upload is not kept decoded


@dataclass(frozen=True, eq=False)
class Source:
    """The photo that the page shows.

    Attributes:
        name: File name, or name of the sample.
        alt: What it shows, as far as known.
        credit: Author and licence of a sample.
        photo: The decoded photo, at most LARGEST pixels wide or high.
        data: The uploaded bytes; None for a sample.
        truth: Ground truth (H, W) uint8, where there is one.
    """

    name: str
    alt: str
    credit: str
    photo: Photo
    data: bytes | None = None
    truth: Labels | None = None


def current(model: str) -> Source:
    """The photo to show: the visitor's own while it is chosen, else the sample named in the link, else the first."""
    gallery = samples(model)
    own: Source | None = st.session_state.get("own")
    if own is not None and st.session_state.get("sample") is None:
        return own
    name = st.session_state.get("sample") or st.query_params.get("sample")
    if name not in gallery:  # none, another model's, or a made-up one
        name = next(iter(gallery))
        st.query_params.pop("sample", None)
    sample = gallery[name]
    photo, truth = sample.read()
    return Source(sample.name, sample.alt, sample.credit, photo, truth=truth)


def choose_sample(name: str | None) -> None:
    """Show a sample, or the visitor's own photo for None. It goes into the link; an own photo never does."""
    st.session_state.sample = name
    st.session_state.pop("refused", None)
    if name is None:
        st.query_params.pop("sample", None)
    else:
        st.query_params["sample"] = name


def gallery(model: str, shown: Source) -> None:
    """Draw the samples as a row of thumbnails with a button each."""
    own: Source | None = st.session_state.get("own")
    with st.container(horizontal=True, key="gallery"):
        if own is not None:
            _thumbnail(cut(own.photo.pixels), "Your photo", None, shown.data is not None)
        for sample in samples(model).values():
            _thumbnail(thumbnail(model, sample.name), sample.title, sample.name, shown.name == sample.name)


def _thumbnail(pixels: np.ndarray, title: str, name: str | None, chosen: bool) -> None:
    with st.container(width=124, gap="xsmall"):
        st.image(pixels, width=124, alt="")
        st.button(
            title,
            key=f"choose-{name}",
            on_click=choose_sample,
            args=(name,),
            type="primary" if chosen else "secondary",
            width="stretch",
        )


def inputs() -> None:
    """Draw the uploader and the camera. What they receive is taken in by `_receive` before the page is drawn again."""
    limit = MAX_BYTES // 1024**2
    st.file_uploader(
        f"Upload a photo ({FORMATS_SAID}, up to {limit} MB)",
        key="upload",
        on_change=_receive,
        args=("upload",),
        max_upload_size=limit,
    )
    with st.popover("Use the camera", icon=":material/photo_camera:"):
        st.camera_input("Take a photo", key="camera", on_change=_receive, args=("camera",))
    st.caption("Your photo stays in memory for this visit. It is not stored and not put into any link.")


def refused() -> str | None:
    """Why the last upload could not be used, in a sentence; None if it could."""
    return st.session_state.get("refused")


def _receive(widget: str) -> None:
    file = st.session_state[widget]
    if file is None:
        st.session_state.pop("refused", None)
        return
    data, name = file.getvalue(), "The photo" if widget == "camera" else file.name
    try:
        photo = decode(data, name, longest=LARGEST)
    except FcnError as error:
        st.session_state.refused = str(error)
        return
    choose_sample(None)
    st.session_state.own = Source(name, "Your photo", "", _reduced(photo), data)


def _reduced(photo: Photo) -> Photo:
    """Shrink the pixels to what the largest working size needs: a session keeps them."""
    height, width = photo.pixels.shape[:2]
    if max(height, width) <= LARGEST:
        return photo
    scale = LARGEST / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    image = Image.fromarray(photo.pixels).resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    return replace(photo, pixels=np.asarray(image))
