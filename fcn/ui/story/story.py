"""From photo to pixels: what the page sends to the picture in the browser (story.js), which is drawn there."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from fcn import explain
from fcn.model.network import STAGES, STRIDES, TOP_CHANNELS
from fcn.photos.images import IGNORE_LABEL
from fcn.pictures import render
from fcn.ui import compute
from fcn.ui.lessons.resize_loss import LONGEST, Subject
from fcn.ui.scripts import join_files
from fcn.ui.story.beats import HALVINGS, STOPS, beats, contrast
from fcn.ui.viewer.viewer import pack

#: Stride -> channels of the last layer there.
CHANNELS = {2: STAGES[0].channels, 4: STAGES[1].channels, 8: STAGES[2].channels, 16: STAGES[4].channels} | {
    32: TOP_CHANNELS
}


HERE = Path(__file__).parent
SCRIPTS = ("../unpacking.js", "story_drawing.js", "story.js")

_component = st.components.v2.component(
    "fcn_story",
    html=join_files(HERE, "story.html"),
    css=join_files(HERE, "story.css"),
    js=join_files(HERE, *SCRIPTS),
)


def show(photo: Subject, present: bool) -> None:
    """Draw the story; with `present` it listens to the keys of the whole page."""
    key = ("story", photo.card.name, photo.sha256)
    data = compute.compute_once(key, lambda: payload(photo))
    _component(key="story", data=data | {"present": present})


def payload(photo: Subject) -> dict[str, Any]:
    """Gather what the browser needs, as JSON; arrays of bytes are packed.

    Args:
        photo: The photo and its score maps.

    Returns:
        Plain values: "photo", a JPEG; "features", a feature map of each stride; "coarse", the class of each cell;
        "stamps", labels after one to four cells have stamped their kernels; "labels_S"; "truth" if there is one.
    """
    segmenter, scores, stride = compute.segmenter(photo.card.name), photo.scores, STRIDES[0]
    height, width = scores.height, scores.width
    early = segmenter.early_features(photo.pixels, LONGEST)
    # The network takes padded photos; their feature maps are cropped to the photo.
    features = {
        stride: np.ascontiguousarray(contrast(maps[: -(-height // stride), : -(-width // stride)]))
        for stride, maps in (early | scores.features).items()
    }
    maps = np.concatenate([scores.maps[stride], scores.shape], axis=-1)
    stamps = explain.partial_labels(maps, segmenter.kernel(stride))[:, :height, :width]
    labels = {stride: segmenter.upsample(scores, stride, "transposed").labels for stride in STRIDES}
    return {
        "key": f"{photo.card.name} {photo.sha256}",
        "alt": photo.alt,
        "photo": "data:image/jpeg;base64," + base64.b64encode(render.jpeg(photo.pixels)).decode(),
        "width": width,
        "height": height,
        "stride": stride,
        "palette": [list(colour) for colour in photo.card.palette],
        "classes": list(photo.card.classes),
        "ignored": IGNORE_LABEL,
        "features": {str(stride): pack(features[stride]) for stride in HALVINGS},
        "coarse": pack(scores.coarse_labels(stride)),
        "stamps": pack(np.ascontiguousarray(stamps)),
        **{f"labels_{stride}": pack(map_) for stride, map_ in labels.items()},
        "truth": pack(photo.labels) if photo.is_truth else None,
        "stops": list(STOPS),
        "beats": beats(photo, labels, CHANNELS),
    }
