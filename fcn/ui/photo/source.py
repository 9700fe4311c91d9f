"""Where the photo comes from: a sample, an upload or the camera. A bad file never replaces a good photo."""

from __future__ import annotations

import time
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.uploaded_file_manager import DeletedFile

from fcn.errors import FcnError
from fcn.photos.files import MAX_BYTES
from fcn.photos.images import FORMAT_NAMES, Labels, Photo
from fcn.ui import compute, logs
from fcn.ui.photo.samples import THUMBNAIL, cut, samples, thumbnail

GONE = "The photo is no longer on the server. Choose it again."


@dataclass(frozen=True, eq=False)
class SelectedPhoto:
    """The photo that the page shows.

    Attributes:
        name: File name, or name of the sample.
        alt: What it shows, as far as known.
        credit: Author and licence of a sample.
        photo: The decoded photo, a light copy as `decode_light` makes it.
        data: The uploaded bytes; None for a sample.
        truth: Ground truth (H, W) uint8, where there is one.
    """

    name: str
    alt: str
    credit: str
    photo: Photo
    data: bytes | None = None
    truth: Labels | None = None


def current(model: str, placeholder: DeltaGenerator | None = None) -> SelectedPhoto:
    """The photo to show: the visitor's own while it is chosen, else the sample named in the link, else the first.

    Args:
        model: Whose samples there are.
        placeholder: Where to show the place in line while a new upload is decoded.
    """
    if "received" in st.session_state:
        data, name = st.session_state.received
        _take_in(data, name, placeholder)
    gallery, linked = samples(model), st.query_params.get("sample")
    if linked in gallery and linked != st.session_state.get("linked"):
        st.session_state.sample = linked  # the visitor went back in the browser, or came by a link
    st.session_state.linked = linked
    if (mine := own()) is not None:
        return mine
    wanted = st.session_state.get("sample") or st.query_params.get("sample")
    if wanted not in gallery:  # none, another model's, or a made-up one
        wanted = next(iter(gallery))
        st.query_params.pop("sample", None)
    if st.session_state.get("sample") and st.query_params.get("sample") != wanted:
        st.session_state.linked = st.query_params["sample"] = wanted  # dropped from the link between pages
    sample = gallery[wanted]
    photo, truth = sample.read()
    return SelectedPhoto(sample.name, sample.alt, sample.credit, photo, truth=truth)


def own() -> SelectedPhoto | None:
    """The visitor's own photo while it is the one to show."""
    return st.session_state.get("own") if st.session_state.get("sample") is None else None


def choose_sample(name: str | None) -> None:
    """Show a sample, or the visitor's own photo for None. It goes into the link; an own photo never does."""
    st.session_state.sample = name
    st.session_state.pop("refused", None)
    if name is None:
        st.query_params.pop("sample", None)
    else:
        st.query_params["sample"] = name


def gallery(model: str, shown: SelectedPhoto) -> None:
    """Draw the samples as a row of thumbnails with a button each."""
    mine: SelectedPhoto | None = st.session_state.get("own")
    with st.container(horizontal=True, key="gallery"):
        if mine is not None:
            small = compute.picture((mine.photo.sha256, "small"), lambda: cut(mine.photo.pixels))
            _thumbnail(small, "Your photo", None, shown.data is not None)
        for sample in samples(model).values():
            _thumbnail(thumbnail(model, sample.name), sample.title, sample.name, shown.name == sample.name)


def _thumbnail(picture: bytes, title: str, name: str | None, chosen: bool) -> None:
    with st.container(width=THUMBNAIL[0], gap="xsmall"):
        st.image(picture, width=THUMBNAIL[0], alt="")
        pressed = st.button(
            title,
            key=f"choose-{name}",
            on_click=choose_sample,
            args=(name,),
            icon=":material/check:" if chosen else None,
            width="stretch",
        )
        if pressed and not chosen:  # see `inputs`
            choose_sample(name)
            st.rerun()


def inputs() -> None:
    """Draw the uploader and the camera. What they receive is taken in by `_receive` before the page is drawn again.

    A page whose connection broke goes on with a new visit when its old one is gone: its first action then comes with
    the first run of the script, in which Streamlit calls no callbacks.
    """
    limit = MAX_BYTES // 1024**2
    st.file_uploader(
        f"Upload a photo ({FORMAT_NAMES})",
        key="upload",
        on_change=_receive,
        args=("upload",),
        max_upload_size=limit,
    )
    with st.container(key="camera"), st.popover("Use the camera", icon=":material/photo_camera:"):
        st.camera_input("Take a photo", key="taken", on_change=_receive, args=("taken",))
    st.caption("Your photo stays in memory for this visit. It is not stored and not put into any link.")
    for widget in ("upload", "taken"):
        file = st.session_state[widget]
        if file is not None and file.file_id != st.session_state.get(f"{widget}-seen"):
            _receive(widget)
            st.rerun()


def refused() -> str | None:
    """Why the last upload could not be used, in a sentence; None if it could."""
    return st.session_state.get("refused")


def _receive(widget: str) -> None:
    """Remember an upload for `current`, which can show the place in line while it is decoded."""
    file = st.session_state[widget]
    if file is None:
        st.session_state.pop("refused", None)
    elif isinstance(file, DeletedFile):  # the page claims a file that the server does not have
        st.session_state[f"{widget}-seen"] = file.file_id
        st.session_state.refused = GONE
    else:
        st.session_state[f"{widget}-seen"] = file.file_id
        st.session_state.received = file.getvalue(), "The photo" if widget == "taken" else file.name


def _take_in(data: bytes, name: str, placeholder: DeltaGenerator | None) -> None:
    start, size = time.perf_counter(), (0, 0)
    try:
        photo = compute.decode_upload(data, name, placeholder)
    except FcnError as error:
        st.session_state.refused = str(error)
    else:
        choose_sample(None)
        st.session_state.own = SelectedPhoto(name, "Your photo", "", photo, data)
        size = photo.size
    del st.session_state.received
    milliseconds = round(1000 * (time.perf_counter() - start), 1)
    outcome = "decoded" if any(size) else "refused"
    logs.line("upload", outcome=outcome, bytes=len(data), height=size[0], width=size[1], milliseconds=milliseconds)
