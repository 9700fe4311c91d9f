"""Parts that more than one page draws."""

from __future__ import annotations

import math
import re

import streamlit as st

from fcn.model import zoo
from fcn.photos.images import Labels
from fcn.pictures import render
from fcn.ui import compute
from fcn.ui.controls import choice_control
from fcn.ui.keys import Session

UPSAMPLING_TITLES = {"nearest": "Cells", "bilinear": "Bilinear", "transposed": "Transposed convolution"}


def model_switch(suited: str = "") -> str:
    """Draw the choice of model; it is kept in the link and from page to page.

    Args:
        suited: The model to begin with in a visit that has seen none yet; default: the first.
    """
    models = {name: compute.card(name).title for name in compute.names()}
    current = st.session_state.get(Session.SHOWN)
    default = next(name for name in (current, suited, *models) if name in models)
    return choice_control("Model", list(models), default, Session.MODEL, models.__getitem__)


def show_error(sentence: str) -> None:
    """Show an error to the letter: a file name in it may look like Markdown."""
    st.error(plain(sentence), icon=":material/error:")


def plain(text: str) -> str:
    """Markdown that is shown as this text, to the letter.

    Special characters are escaped. Addresses (www.x.jpg, a@b.c), icons and arrows would still be converted, so they are
    broken up by an invisible word joiner. The beginning could be a list.
    """
    text = re.sub(r"(?i)(?<=www)(?=\.)|(?<=:)(?=//|material/|streamlit:)|(?=@)|(?<=\s[<>~-])(?=[-=>])", "\u2060", text)
    text = re.sub(r"([\\`*_{}\[\]()#+!|<>~$:&])", r"\\\1", text)
    return re.sub(r"^(\d*)([.=-])", r"\1\\\2", text)


def format_shares(card: zoo.Card, labels: Labels) -> str:
    """The classes of a label map with their shares, as words."""
    return ", ".join(
        f"{name} {format_share(share)}" for name, share in render.class_shares(labels, card.classes).items()
    )


def format_percent(value: float | None) -> str:
    """A score as a percentage; words where there is none, as where a mask says "ignore" everywhere."""
    return "not defined" if value is None or math.isnan(value) else f"{value:.1%}"


def format_share(share: float) -> str:
    """A share of the photo as a percentage that is never rounded to nothing."""
    return f"{share:.0%}" if share >= 0.01 else "under 1%"
