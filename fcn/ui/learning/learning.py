"""The part that plays a training, and what the page sends it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from fcn.compute.learning import SHOWN, STEPS, Result, Settings
from fcn.compute.recording import Recorded
from fcn.compute.trainings import Run
from fcn.model import zoo
from fcn.pictures import render
from fcn.ui import compute
from fcn.ui.photo.samples import samples
from fcn.ui.scripts import join_files
from fcn.ui.viewer.viewer import pack

HERE = Path(__file__).parent

SCRIPTS = ("../unpacking.js", "learning_drawing.js", "learning.js")

_component = st.components.v2.component(
    "fcn_learning",
    html=join_files(HERE, "learning.html"),
    css=join_files(HERE, "learning.css"),
    js=join_files(HERE, *SCRIPTS),
)


def show(key: str, data: dict[str, Any]) -> None:
    """Draw the part; `data` is from `recorded_payload` or `live_payload`."""
    _component(key=key, data=data, on_ask_change=lambda: None)


def recorded_payload(run: Recorded, card: zoo.Card) -> dict[str, Any]:
    """What the browser needs to play a recorded run, all of it at once."""
    return {
        "live": False,
        "run": f"recorded {run.name}",
        "settings": run.name,
        "last": run.results[-1].step,
        "goals": run.task.goals,
        "first": 0,
        "results": [_result(one) for one in run.results],
        **_scene(card, run.settings, run.pairs),
        "labels": {upsampling: pack(labels) for upsampling, labels in run.task.labels.items()},
    }


def live_payload(
    run: Run | None, settings: str, card: zoo.Card, state: dict[str, Any] | None, have: int, goals: bool
) -> dict[str, Any]:
    """What the browser needs of a run that is trained now.

    Args:
        run: The run; None before it begins.
        settings: Name of the settings.
        card: The model's card.
        state: How the training is, for `learning.js`.
        have: Number of results that the browser has; the others are sent, and with the first what stays the same.
        goals: Whether the browser has the figures to beat.
    """
    data: dict[str, Any] = {"live": True, "settings": settings, "last": STEPS, "state": state}
    if run is None:
        return data | {"run": f"none {settings}", "first": 0, "results": [], **_photo(card)}
    results = list(run.results)
    have = min(have, len(results))
    data |= {"run": run.name, "first": have, "results": [_result(one) for one in results[have:]]}
    if have == 0 and results:
        data |= _scene(card, run.settings, run.pairs)
    if run.goals and not goals:
        data |= {"goals": run.goals, "labels": {upsampling: pack(labels) for upsampling, labels in run.labels.items()}}
    return data


def _scene(card: zoo.Card, settings: Settings, pairs: Sequence[tuple[int, int]]) -> dict[str, Any]:
    return {
        **_photo(card),
        "classes": list(card.classes),
        "palette": [list(colour) for colour in card.palette],
        "side": 2 * settings.stride,
        "pairs": [pair_title(pair, card.classes) for pair in pairs],
    }


def _photo(card: zoo.Card) -> dict[str, Any]:
    photo, _ = samples(card.name)[f"scene-{SHOWN}"].read()
    jpeg = compute.picture((photo.sha256, "learning"), lambda: render.jpeg(photo.pixels))
    return {
        "photo": "data:image/jpeg;base64," + base64.b64encode(jpeg).decode(),
        "height": photo.pixels.shape[0],
        "width": photo.pixels.shape[1],
    }


def pair_title(pair: tuple[int, int], classes: Sequence[str]) -> str:
    """A pair of channels in words."""
    source, target = pair
    name = classes[source] if source < len(classes) else f"shape channel {source - len(classes) + 1}"
    return f"{name} → {classes[target]}"


def _result(one: Result) -> dict[str, Any]:
    kernels = np.ascontiguousarray(one.kernels).view(np.uint8)
    return {
        "step": one.step,
        **one.figures,
        "labels": pack(one.labels),
        "kernels": pack(kernels),
        "limits": list(one.limits),
    }
