"""The share panel: a link to what is shown, a QR code of it, and the flags that a teacher may add."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlencode, urlsplit

import streamlit as st

from fcn.ui import choices, compute, turns
from fcn.ui.classroom import flags
from fcn.ui.classroom.flags import Flags
from fcn.ui.keys import Session
from fcn.ui.photo import source

try:
    import segno
except ImportError:  # without it there is a link and no picture of it
    segno = None  # type: ignore[assignment]

NO_CODE = "This link is too long for a QR code. Copy it instead."
NO_SEGNO = "QR codes are not available on this server. Copy the link instead."
LONGEST = 100  # characters of a value in a link; no control has more

#: What a teacher may hide, by key, with its name on the page.
HIDEABLE = {
    "model": "Model",
    "stride": "Cell size",
    "upsampling": "Upsampling",
    "cells": "What the cells show",
    "view": "What the right picture shows",
    "more": "More",
    "samples": "Samples",
    "upload": "Your photo",
    "camera": "Camera",
    "actions": "Download",
    "share": "Share",
    "truth": "Scores",
    "facts": "The sentence below the pictures",
    "pages": "Other pages",
}
#: What a teacher may lock.
LOCKABLE = {
    "model": "Model",
    "stride": "Cell size",
    "upsampling": "Upsampling",
    "cells": "What the cells show",
    "view": "What the right picture shows",
}


def button() -> None:
    """Draw the button that opens the panel."""
    if st.button("Share", icon=":material/share:", key="share"):
        panel()


def title(text: str) -> None:
    """Draw the title of a page."""
    st.markdown(f"#### {text}", width="content")


@turns.dialog("Share this view", width="large")
def panel() -> None:
    """Draw the panel."""
    if source.own() is not None:
        st.info(
            "Your photo stays within this visit. The link opens the same view with a sample photo.",
            icon=":material/lock:",
        )
    picture, settings = st.columns([3, 2], gap="medium")
    with settings:
        st.markdown("**For your students**")
        now = flags.current()
        hidden = [name for name in now.hide if name in HIDEABLE]
        hide = st.multiselect("Hide", list(HIDEABLE), hidden, HIDEABLE.__getitem__, key="share_hide")
        locked = [name for name in now.lock if name in LOCKABLE]
        lock = st.multiselect("Lock", list(LOCKABLE), locked, LOCKABLE.__getitem__, key="share_lock")
        present = st.checkbox("Presenter mode: large type, no menus", key="share_present")
        address = link(st.context.url or "", Flags(tuple(hide), tuple(lock), present))
        st.markdown("**The link**")
        st.code(address, language=None, wrap_lines=True)
        if only_here(address):
            st.caption("This address works on this computer only. To share it, open the app at its network address.")
    with picture:
        if code := qr(address):
            with st.container(key="share_qr"):
                st.image(code, width="stretch", alt=f"QR code of the link {address}")
        else:
            st.caption(NO_CODE if segno else NO_SEGNO)


def link(page: str, chosen: Flags) -> str:
    """The address that opens what is shown now, with these flags instead of those in force."""
    parameters = {name: value for name, value in st.query_params.items() if _is_ours(name) and len(value) <= LONGEST}
    if "model" in chosen.lock and (model := st.session_state.get(Session.SHOWN)):
        parameters.setdefault("model", compute.card(model).title)  # or each photo would choose its own
    query = urlencode(parameters | chosen.parameters(), safe=",")
    page = page if urlsplit(page).path else f"{page}/"
    return f"{page}?{query}" if query else page


def _is_ours(parameter: str) -> bool:
    """Whether a parameter of the link is of this app: a choice of the first screen, or a control of another page."""
    value = st.session_state.get(parameter)
    return parameter in choices.parameters() or (
        parameter not in flags.PARAMETERS and isinstance(value, str | int | float)
    )


def qr(address: str) -> str | None:
    """A QR code as an SVG, black on white in either theme; None if there is none for this address."""
    if segno is None:
        return None
    try:
        code = segno.make(address, error="m")
    except segno.DataOverflowError:
        return None
    return str(code.svg_inline(border=3, dark="#000", light="#fff", omitsize=True))


def only_here(address: str) -> bool:
    """Whether an address means the visitor's own computer."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
