"""Names of what the pages keep for a visitor."""

from __future__ import annotations


class Session:
    """Names of what the pages keep in `st.session_state`."""

    CHOICES = "choices"
    LINK = "link"  # the parameters written or read last
    MODEL = "model"  # the switch of the other pages
    SHOWN = "shown"  # the model of the first screen, with which the other pages begin
    FLAGS = "flags"
    OWN = "own"  # the visitor's photo, a SelectedPhoto
    RECEIVED = "received"  # bytes and name of an upload that is still to be decoded
    REFUSED = "refused"  # why the last upload could not be used
    SEEN = "upload-seen"
    TURN = "turn"  # number of the browser's last choice
