"""The linked pictures: what the page sends to the part in the browser that draws them.

Reading a pixel, zoom, the wipe and hiding classes happen in the browser (viewer.js); the server sends labels, not
pictures of them, so a new opacity or a hidden class costs nothing here.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from fcn.model import zoo
from fcn.model.segmenter import Scores, Segmentation
from fcn.pictures import render
from fcn.ui import parts

HERE = Path(__file__).parent
LEFT = {
    "class": "Best class",
    "score": "Score of one class",
    "channel": "One feature map",
    "features": "16 feature maps",
}
RIGHT = {"overlay": "Segmentation", "compare": "Compare", "difference": "Difference"}

_component = st.components.v2.component(
    "fcn_viewer",
    html=(HERE / "viewer.html").read_text(encoding="utf-8"),
    css=(HERE / "viewer.css").read_text(encoding="utf-8"),
    js=(HERE / "viewer.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class View:
    """How the pictures are looked at.

    Attributes:
        left: A name of LEFT: what the cells show.
        right: A name of RIGHT.
        target: Index of the class whose score is shown.
        channel: Place of the feature map shown, strongest first.
        opacity: Of the colours over the photo, 0 to 1.
    """

    left: str = "class"
    right: str = "overlay"
    target: int = 0
    channel: int = 0
    opacity: float = 0.65


def show(data: dict[str, Any]) -> None:
    """Draw the pictures; `data` is from `payload`."""
    _component(key="viewer", data=data)


def payload(
    key: str,
    photo: bytes,
    card: zoo.Card,
    scores: Scores,
    by_upsampling: dict[str, Segmentation],
    stride: int,
    upsampling: str,
    view: View,
) -> dict[str, Any]:
    """Gather what the browser needs, as JSON.

    Args:
        key: Changes when the photo does; zoom and inspector then start anew.
        photo: The photo at working size, as JPEG.
        card: The model's card.
        scores: Its score maps.
        by_upsampling: Labels by upsampling, with confidence.
        stride: Of the score map shown.
        upsampling: The one whose labels are shown and read out.
        view: How the pictures are looked at.

    Returns:
        Plain values; arrays of bytes are packed by `pack`.
    """
    cells = scores.cells(stride)
    rows, columns, _ = cells.shape
    features = scores.features[stride][:rows, :columns]  # (rows, columns, K)
    found = by_upsampling[upsampling]
    assert found.confidence is not None  # the page asks for it
    shares = render.class_shares(found.labels, card.classes)
    return {
        "key": key,
        "photo": "data:image/jpeg;base64," + base64.b64encode(photo).decode(),
        "width": scores.width,
        "height": scores.height,
        "stride": stride,
        "rows": rows,
        "columns": columns,
        "classes": list(card.classes),
        "palette": [list(colour) for colour in card.palette],
        "shares": [[card.classes.index(name), parts.format_share(share)] for name, share in shares.items()],
        "upsampling": upsampling,
        "left": view.left,
        "right": view.right,
        "target": view.target,
        "channel": view.channel,
        "sheet": view.left == "features",
        "opacity": view.opacity,
        "bilinear": pack(by_upsampling["bilinear"].labels),
        "transposed": pack(by_upsampling["transposed"].labels),
        "confidence": pack(found.confidence),
        "coarse": scores.coarse_labels(stride).ravel().tolist(),
        "probabilities": pack(np.rint(255 * scores.probabilities(stride)).astype(np.uint8)),
        "features": pack(np.moveaxis(features, -1, 0)),
        "hint": "Point at a picture, tap it or use the arrow keys to read a pixel and its cell.",
    }


def pack(array: np.ndarray) -> str:
    """uint8 values in C order, compressed (zlib) and in base64."""
    assert array.dtype == np.uint8
    return base64.b64encode(zlib.compress(np.ascontiguousarray(array).tobytes(), 1)).decode()
