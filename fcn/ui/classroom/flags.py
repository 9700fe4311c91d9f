"""What a teacher sets in the link: controls hidden or locked, and the presenter mode.

`?hide=upload,camera` hides controls by their keys, `?lock=model` shows one that cannot be changed, `?present=1` gives
large type and nothing but the result. The share panel makes such links.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import streamlit as st

from fcn import internals

NAME = re.compile(r"[a-z0-9_-]{1,40}")  # of a control; anything else in a link is ignored
PRESENTER = f"""
:root {{ font-size: 21px !important; }}
{internals.HEADER}, .st-key-samples, .st-key-inputs, .st-key-actions {{ display: none !important; }}
{internals.MAIN_BLOCK} {{ padding: 1rem 1.5rem; }}
"""


@dataclass(frozen=True)
class Flags:
    """What the link sets.

    Attributes:
        hide: Keys of controls that are not shown.
        lock: Keys of controls that are shown and cannot be changed.
        present: Presenter mode.
    """

    hide: tuple[str, ...] = ()
    lock: tuple[str, ...] = ()
    present: bool = False

    def parameters(self) -> dict[str, str]:
        """The flags as they stand in a link."""
        found = {"hide": ",".join(self.hide), "lock": ",".join(self.lock), "present": "1" if self.present else ""}
        return {name: value for name, value in found.items() if value}


def current() -> Flags:
    """The flags of this visit. They hold on every page, though Streamlit drops them from the link between pages."""
    if PARAMETERS & st.query_params.keys():
        st.session_state.flags = Flags(_names("hide"), _names("lock"), st.query_params.get("present") == "1")
    found: Flags = st.session_state.get("flags", Flags())
    for name, value in found.parameters().items():
        if st.query_params.get(name) != value:
            st.query_params[name] = value
    return found


PARAMETERS = {"hide", "lock", "present"}


def apply() -> None:
    """Hide what the link hides; for the top of every page."""
    found = current()
    rules = [f".st-key-{name} {{ display: none !important; }}" for name in found.hide]
    rules += [PRESENTER] if found.present else []
    if rules:
        st.html(f"<style>{' '.join(rules)}</style>")


def leave() -> None:
    """Draw the way out of the presenter mode."""
    if current().present:
        st.button("Leave presenter mode", on_click=_leave, type="tertiary", key="leave")


def _leave() -> None:
    found = current()
    st.session_state.flags = Flags(found.hide, found.lock)
    st.query_params.pop("present", None)


def _names(parameter: str) -> tuple[str, ...]:
    wanted = st.query_params.get(parameter, "").split(",")
    return tuple(dict.fromkeys(name for name in wanted if NAME.fullmatch(name)))
