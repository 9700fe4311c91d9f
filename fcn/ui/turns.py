"""Parts of a page that Streamlit redraws on their own, without app.py: they take turns too.

Whatever is drawn, a page, a fragment or a dialog, counts among the few at once that `compute.turn` allows, and an error
that a visitor may read is shown in its place. Nothing else in the project calls `st.fragment` or `st.dialog`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import streamlit as st

from fcn.errors import FcnError
from fcn.ui import compute, parts

P = ParamSpec("P")


def draw(part: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """Draw a part in a turn; an error that a visitor may read is shown in its place."""
    try:
        with compute.turn():
            part(*args, **kwargs)
    except FcnError as error:
        parts.show_error(str(error))


def fragment(part: Callable[P, None]) -> Callable[P, None]:
    """As `st.fragment`, in a turn."""

    @wraps(part)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> None:
        draw(part, *args, **kwargs)

    return st.fragment(drawn)


def dialog(title: str, **options: Any) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """As `st.dialog`, in a turn."""

    def decorate(part: Callable[P, None]) -> Callable[P, None]:
        @wraps(part)
        def drawn(*args: P.args, **kwargs: P.kwargs) -> None:
            draw(part, *args, **kwargs)

        return st.dialog(title, **options)(drawn)

    return decorate
