"""What a visitor has chosen on the first screen: one typed place for the session, the link and the browser.

The link holds what differs from the default. It is written once for each choice, so that the browser's back button
undoes one choice; and it is read whenever it is not the one written last: after a step back or with a new link.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import streamlit as st

from fcn.model.network import STRIDES
from fcn.ui import compute
from fcn.ui.classroom import flags
from fcn.ui.keys import Session
from fcn.ui.parts import UPSAMPLING_TITLES

CELLS = {
    "class": "Best class",
    "score": "Score",
    "features": "Features",
    "channel": "One feature map",
    "shapes": "Shapes",
    "shape": "One shape channel",
}
VIEWS = {"overlay": "Segmentation", "compare": "Compare", "difference": "Difference"}
SIZES = (320, 480, 640, 800, 960)  # pixels
AGAINST = {"nearest": "bilinear", "bilinear": "nearest", "transposed": "bilinear"}  # what each is compared with
CHANNELS = 32
OPACITY = 45  # percent, of the colours over the photo
NAME = re.compile(r"[\w ,.&-]{0,80}")


@dataclass(frozen=True)
class Choices:
    """The choices, with their defaults.

    Attributes:
        model: Name of the model; "" leaves the choice to the page.
        sample: Name of the sample; "" shows the visitor's own photo, or the first sample.
        stride: Of the score map.
        upsampling: A name of UPSAMPLING_TITLES.
        against: The upsampling that it is compared with; "" takes the one in AGAINST.
        cells: A name of CELLS: what the middle picture shows.
        view: A name of VIEWS: what the right picture shows.
        target: Name of the class whose score is shown; "" is the one that covers most.
        channel: Place of the feature map or shape channel shown, 1 is the strongest.
        opacity: Of the colours over the photo, percent.
        names: Whether the classes' names are drawn on their regions.
        size: Longest side of the working size, pixels.
    """

    model: str = ""
    sample: str = ""
    stride: int = STRIDES[0]
    upsampling: str = "transposed"
    against: str = ""
    cells: str = "class"
    view: str = "overlay"
    target: str = ""
    channel: int = 1
    opacity: int = OPACITY
    names: bool = True
    size: int = 480


DEFAULT = Choices()


#: Field -> its name in the link, where that is another.
PARAMETERS = {"target": "class"}


def current() -> Choices:
    """The choices of this visit, from the link if that has changed."""
    received = st.query_params.to_dict()
    if st.session_state.get(Session.LINK) != received:
        st.session_state[Session.LINK] = received
        st.session_state[Session.CHOICES] = from_link(received)
    choices: Choices = st.session_state.get(Session.CHOICES, DEFAULT)
    return choices


def choose(**changes: Any) -> None:
    """Change some of the choices and, in one step, the link; wrong values give the default."""
    values = {**plain(current()), **changes}
    choices = from_values(values)
    st.session_state[Session.CHOICES] = choices
    others = {name: value for name, value in st.query_params.to_dict().items() if name not in parameters()}
    link = others | to_link(choices)
    if link != st.query_params.to_dict():
        st.query_params.from_dict(link)
    st.session_state[Session.LINK] = st.query_params.to_dict()


def carry(chosen: Choices) -> None:
    """Let the links from another page open the first screen with these choices; that page's own parameters stay."""
    link = to_link(chosen)
    for name in parameters() & st.query_params.to_dict().keys() - link.keys():
        del st.query_params[name]
    for name, value in link.items():
        st.query_params[name] = value


def choose_photo(sample: str) -> None:
    """Show a sample, or for "" the visitor's own photo, with the model that suits it unless that is locked."""
    locked = "model" in flags.current().lock
    choose(sample=sample, **({} if locked else {"model": ""}), target="")


def from_link(parameters: Mapping[str, str]) -> Choices:
    """Read the choices from a link; what cannot be understood keeps its default."""
    names = {PARAMETERS.get(field.name, field.name): field.name for field in fields(Choices)}
    return from_values({names[name]: value for name, value in parameters.items() if name in names})


def from_values(values: Mapping[str, Any]) -> Choices:
    """Check values by field name, as the browser or a link gives them."""
    readings = {name: READERS[name](str(value)) for name, value in values.items() if name in READERS}
    return replace(DEFAULT, **{name: value for name, value in readings.items() if value is not None})


def to_link(choices: Choices) -> dict[str, str]:
    """The parameters of a link that opens these choices."""
    changes = {name: value for name, value in plain(choices).items() if value != getattr(DEFAULT, name)}
    if choices.model:
        changes["model"] = compute.card(choices.model).title  # as the switch of the other pages writes it
    return {PARAMETERS.get(name, name): str(int(value) if value is False else value) for name, value in changes.items()}


def plain(choices: Choices) -> dict[str, Any]:
    """The choices by name."""
    return {field.name: getattr(choices, field.name) for field in fields(choices)}


def parameters() -> set[str]:
    """Names of the choices in a link."""
    return {PARAMETERS.get(field.name, field.name) for field in fields(Choices)}


def _model(text: str) -> str | None:
    titles = {compute.card(name).title: name for name in compute.names()}
    return text if text in compute.names() else titles.get(text)


def _one_of(names: Mapping[str, str]) -> Callable[[str], str | None]:
    by_title = {title.lower(): name for name, title in names.items()} | {name: name for name in names}
    return lambda text: by_title.get(text.lower())


def _number(allowed: Callable[[int], bool]) -> Callable[[str], int | None]:
    def read(text: str) -> int | None:
        match = re.fullmatch(r"(?:FCN-)?(\d{1,4})s?", text)  # older links have "FCN-8s"
        return int(match[1]) if match and allowed(int(match[1])) else None

    return read


def _name(text: str) -> str | None:
    return text if NAME.fullmatch(text) else None


#: Field -> what reads its value; None for one that is wrong.
READERS: dict[str, Callable[[str], Any]] = {
    "model": _model,
    "sample": _name,
    "stride": _number(lambda stride: stride in STRIDES),
    "upsampling": _one_of(UPSAMPLING_TITLES),
    "against": _one_of(UPSAMPLING_TITLES),
    "cells": _one_of(CELLS),
    "view": _one_of(VIEWS),
    "target": _name,
    "channel": _number(lambda place: 1 <= place <= CHANNELS),
    "opacity": _number(lambda percent: percent <= 100),
    "names": lambda text: text not in ("0", "False", "false"),
    "size": _number(lambda side: side in SIZES),
}
