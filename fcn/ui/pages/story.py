"""From photo to pixels: what happens to a photo as one story, and what bilinear upsampling alone cannot do."""

from __future__ import annotations

import streamlit as st

from fcn.model.network import STRIDES
from fcn.ui import choices, keras_code, layout, parts
from fcn.ui.classroom import flags, share
from fcn.ui.keys import Session
from fcn.ui.lessons import resize_loss
from fcn.ui.photo import source
from fcn.ui.photo.samples import samples
from fcn.ui.photo.source import SelectedPhoto
from fcn.ui.story import story


def show() -> None:
    """Draw the page. In presenter mode it is the story alone, as large as the window."""
    present = flags.current().present
    if not present:
        share.title("From photo to pixels")
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="subject")
    with layout.unseen("subject") if present else row:  # a lecture keeps the photo of its link
        model = parts.model_switch(suited=source.current().model)
        chosen = choose_photo(model)
    photo = resize_loss.subject(model, chosen)
    story.show(photo, present)
    resize_loss.why_not_bilinear(photo)
    keras_code.show(model, chosen, STRIDES[0], "transposed")


def choose_photo(model: str) -> SelectedPhoto:
    """Draw the choice among the samples of a model, and the visitor's own photo if there is one."""
    titles = {sample.name: sample.title for sample in samples(model).values()}
    if st.session_state.get(Session.OWN) is not None:
        titles = {"": "Your photo"} | titles
    now = source.current(model)
    shown = "" if now.data is not None else now.name
    titles.setdefault(shown, now.name)  # of another model, where this one has no samples
    names = list(titles)
    selected = st.selectbox("Photo", names, names.index(shown), titles.__getitem__, width=260)
    if selected == shown:
        return now
    choices.choose_photo(selected)
    return source.current(model)
