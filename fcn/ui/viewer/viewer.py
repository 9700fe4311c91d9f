"""The first screen: what the page sends to the browser, which draws it, and what comes back.

Switches, reading a pixel, zoom and hiding classes happen in the browser; the server sends labels, not pictures of them.
Data goes in separate parts (`carry`), which Streamlit sends again only when they change, as it does the script: a new
choice costs a few kilobytes.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from fcn.model.network import STRIDES
from fcn.model.segmenter import Scores, Segmentation
from fcn.ui.keys import Session
from fcn.ui.scripts import join_files

HERE = Path(__file__).parent
#: Parts of one script, in this order.
SCRIPTS = ("../unpacking.js", "store.js", "small.js", "regions.js", "viewer.js", "choosing.js", "drawing.js",
           "pointing.js", "giving.js", "why.js", "component.js")  # fmt: skip
CARRIER = ("store.js", "carrier.js")


_viewer = st.components.v2.component(
    "fcn_viewer",
    html=join_files(HERE, "viewer.html"),
    css=join_files(HERE, "viewer.css", "why.css"),
    js=join_files(HERE, *SCRIPTS),
)
_carrier = st.components.v2.component("fcn_carrier", js=join_files(HERE, *CARRIER))


def show(data: dict[str, Any], chosen: Callable[[dict[str, Any]], None]) -> None:
    """Draw the screen.

    Args:
        data: Small plain values, with the names of what was carried under "photo", "maps" and "strip".
        chosen: Called with what the visitor has chosen in the browser, before the page runs again.
    """
    carry("state", "state", data)
    result = _viewer(key="viewer", on_choices_change=lambda: chosen(_received()))
    if dict(result.get("choices") or {}).get("turn", 0) > data["turn"]:  # the first run of a visit calls no callbacks
        chosen(dict(result["choices"]))
        st.rerun()


def _received() -> dict[str, Any]:
    return dict(st.session_state["viewer"].get("choices") or {})


def turn() -> int:
    """Number of the browser's last choice."""
    return int(st.session_state.get(Session.TURN, 0))


def carry(kind: str, name: str, content: dict[str, Any]) -> str:
    """Send something large under a name, which is returned; sending it again costs nothing."""
    _carrier(key=f"carrier-{kind}", data={"kind": kind, "name": name, "content": content}, height=1)
    return name


def maps(scores: Scores, by_upsampling: dict[str, Segmentation], stride: int) -> dict[str, Any]:
    """Gather what the browser draws and reads out.

    Args:
        scores: The model's score maps.
        by_upsampling: Labels of the upsamplings that the browser cannot make from the cells, with confidence.
        stride: Of the score map shown.

    Returns:
        Plain values; arrays of bytes are packed by `pack`.
    """
    rows, columns, _ = scores.cells(stride).shape
    features = scores.features[stride][:rows, :columns]  # (rows, columns, K)
    content = {
        "coarse": pack(scores.coarse_labels(stride)),
        "probabilities": pack(np.rint(255 * scores.probabilities(stride)).astype(np.uint8)),
        "features": pack(np.moveaxis(features, -1, 0)),
        "channels": scores.channels[stride].tolist(),
    }
    if stride == STRIDES[0] and scores.shape.shape[-1]:
        numbers, shapes = scores.strongest_shapes()
        content |= {"shapes": pack(np.moveaxis(shapes, -1, 0)), "shapeChannels": numbers.tolist()}
    for upsampling, segmentation in by_upsampling.items():
        assert segmentation.confidence is not None  # the page asks for it
        content[upsampling] = pack(segmentation.labels)
        content[f"confident_{upsampling}"] = pack(segmentation.confidence)
    return content


def pack(array: np.ndarray) -> str:
    """uint8 values in C order, compressed (zlib) and in base64."""
    assert array.dtype == np.uint8
    return base64.b64encode(zlib.compress(np.ascontiguousarray(array).tobytes(), 1)).decode()


def jpeg_address(data: bytes) -> str:
    """A JPEG as an address that a browser opens without asking the server."""
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()
