"""Where the photo comes from: a sample or the visitor. A bad file never replaces a good photo."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.uploaded_file_manager import DeletedFile

from fcn.errors import FcnError
from fcn.photos.files import MAX_BYTES
from fcn.photos.images import Labels, Photo
from fcn.ui import choices, compute, logs
from fcn.ui.keys import Session
from fcn.ui.photo.samples import Sample, every_sample, samples

GONE = "The photo is no longer on the server. Choose it again."


@dataclass(frozen=True, eq=False)
class SelectedPhoto:
    """The photo that the page shows.

    Attributes:
        name: File name, or name of the sample.
        alt: What it shows, if known.
        credit: Author and licence of a sample.
        read: Returns the decoded photo, a light copy from `decode_light`, out of the shared store or decoded again: a
            visit keeps several SelectedPhotos, which therefore hold no pixels.
        size: Its own (height, width) in pixels.
        sha256: Hex digest of its bytes.
        notes: Sentences about what was done to it.
        model: Name of the model that knows what a sample shows; "" for the visitor's own photo.
        data: The uploaded bytes; None for a sample.
        truth: Ground truth (H, W) uint8, where there is one.
    """

    name: str
    alt: str
    credit: str
    read: Callable[[], Photo]
    size: tuple[int, int]
    sha256: str
    notes: tuple[str, ...]
    model: str = ""
    data: bytes | None = None
    truth: Labels | None = None

    @classmethod
    def of_sample(cls, sample: Sample) -> SelectedPhoto:
        """The picture of a sample."""
        photo, truth = sample.read()
        about = photo.size, photo.sha256, photo.notes
        return cls(sample.name, sample.alt, sample.credit, lambda: sample.read()[0], *about, sample.model, truth=truth)


def current(model: str | None = None, placeholder: DeltaGenerator | None = None) -> SelectedPhoto:
    """The photo to show: the sample that is chosen, else the visitor's own, else the first sample.

    Args:
        model: Whose samples there are, for pages with one model; default: all.
        placeholder: Where to show the place in the queue while a new upload is decoded.
    """
    if Session.RECEIVED in st.session_state:
        data, name = st.session_state[Session.RECEIVED]
        _take_in(data, name, placeholder)
    if (mine := own()) is not None:
        return mine
    gallery = every_sample(compute.names()) if model is None else samples(model)
    name_in_link = choices.current().sample
    sample = gallery.get(name_in_link) or next(iter(gallery.values()))
    return SelectedPhoto.of_sample(sample)


def own() -> SelectedPhoto | None:
    """The visitor's own photo while it is the one to show."""
    chosen = choices.current().sample in every_sample(compute.names())
    return None if chosen else st.session_state.get(Session.OWN)


def inputs() -> None:
    """Draw the file input, which the first screen fills with what is dropped, pasted, chosen or photographed.

    A page that lost its connection continues with a new visit if the old one is gone: its first action then arrives
    with the first run of the script, in which Streamlit calls no callbacks.
    """
    limit = MAX_BYTES // 1024**2
    st.file_uploader("Your photo", key="upload", on_change=_receive, max_upload_size=limit)
    file = st.session_state["upload"]
    if file is not None and file.file_id != st.session_state.get(Session.SEEN):
        _receive()
        st.rerun()


def refusal() -> str | None:
    """Why the last upload could not be used, in a sentence; None if it could."""
    return st.session_state.get(Session.REFUSED)


def _receive() -> None:
    """Remember an upload for `current`, which can show the place in line while it is decoded."""
    file = st.session_state["upload"]
    st.session_state.pop(Session.REFUSED, None)
    if file is None:
        return
    st.session_state[Session.SEEN] = file.file_id
    if isinstance(file, DeletedFile):  # the page claims a file that the server does not have
        st.session_state[Session.REFUSED] = GONE
    else:
        st.session_state[Session.RECEIVED] = file.getvalue(), file.name


def _take_in(data: bytes, name: str, placeholder: DeltaGenerator | None) -> None:
    start, size = time.perf_counter(), (0, 0)
    try:
        read = partial(compute.decode_upload, data, name, hashlib.sha256(data).hexdigest())
        photo = read(placeholder)
    except FcnError as error:
        st.session_state[Session.REFUSED] = str(error)
    else:
        choices.choose_photo("")
        st.session_state[Session.OWN] = SelectedPhoto(
            name, "Your photo", "", read, photo.size, photo.sha256, photo.notes, data=data
        )
        size = photo.size
    del st.session_state[Session.RECEIVED]
    milliseconds = round(1000 * (time.perf_counter() - start), 1)
    outcome = "decoded" if any(size) else "refused"
    logs.line("upload", outcome=outcome, bytes=len(data), height=size[0], width=size[1], milliseconds=milliseconds)
