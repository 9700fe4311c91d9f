"""A choice among a few values, drawn alike on every page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st

from fcn.ui.classroom import flags

T = TypeVar("T")


def choice_control(
    label: str,
    options: Sequence[T],
    default: T,
    key: str,
    option_title: Callable[[T], str] = str,
    help: str | None = None,
) -> T:
    """Draw the choice, kept in the link under `key`; an empty value gives the default, and a link may lock it."""
    chosen = st.segmented_control(
        label,
        list(options),
        default=default,
        format_func=option_title,
        required=True,
        help=help,
        disabled=key in flags.current().lock,
        key=key,
        bind="query-params",
        persist_state="session",
    )
    return default if chosen is None else chosen


def number_control(label: str, most: int, key: str, help: str | None = None) -> int:
    """Draw a whole number from 1 (the default) to `most`, kept in the link under `key`."""
    # As a float, since Streamlit fails on "inf" in a link where it expects a whole number.
    number = st.number_input(
        label, 1.0, float(most), 1.0, 1.0, format="%.0f", key=key, bind="query-params", width=130, help=help
    )
    return round(number)


def tiny(number: float) -> str:
    """A difference close to rounding error, as 2e-07; exactly nothing as 0."""
    return f"{number:.0e}" if number else "0"
