"""What a teacher sets in the link: controls hidden or locked, and the presenter mode.

`?hide=upload,camera` hides controls by their keys, `?lock=model` shows one that cannot be changed, `?present=1` opens
the story in large type, with nothing but the result. The share panel makes such links.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import streamlit as st

from fcn import internals
from fcn.ui.keys import Session

NAME = re.compile(r"[a-z0-9_-]{1,40}")  # of a control; anything else in a link is ignored
PRESENTER = f"""
:root {{ font-size: 21px !important; }}
.st-key-brand, .st-key-actions, .st-key-share {{ display: none !important; }}
.st-key-header {{ min-height: 1.6rem; opacity: .85; }}
.st-key-pages a {{ padding: 0 .5rem; }}
{internals.MAIN_BLOCK} {{ padding: .2rem 1.2rem; }}
"""
#: Esc leaves by pressing the button.
_keys = st.components.v2.component(
    "fcn_presenter",
    js="""export default function () {
        const leave = (event) => event.key === "Escape" && !event.defaultPrevented &&
            document.querySelector(".st-key-leave button")?.click();
        document.addEventListener("keydown", leave);
        return () => document.removeEventListener("keydown", leave);
    }""",
)


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
        """The flags as parameters of a link."""
        values = {"hide": ",".join(self.hide), "lock": ",".join(self.lock), "present": "1" if self.present else ""}
        return {name: value for name, value in values.items() if value}


def current() -> Flags:
    """The flags of this visit; the links of the pages carry them on."""
    if PARAMETERS & st.query_params.keys() or Session.FLAGS not in st.session_state:
        present = st.query_params.get("present") == "1"
        st.session_state[Session.FLAGS] = Flags(_names("hide"), _names("lock"), present)
    flags: Flags = st.session_state[Session.FLAGS]
    return flags


PARAMETERS = {"hide", "lock", "present"}


def apply() -> None:
    """Hide what the link hides; for the top of every page."""
    flags = current()
    rules = [f".st-key-{name} {{ display: none !important; }}" for name in flags.hide]
    rules += [PRESENTER] if flags.present else []
    if rules:
        st.html(f"<style>{' '.join(rules)}</style>")


def leave() -> None:
    """Draw the button that leaves presenter mode, as Esc does too."""
    if current().present:
        st.button(
            "Leave", on_click=_leave, type="tertiary", key="leave", icon=":material/close:", help="Leave presenter mode"
        )
        _keys(key="presenter", height=1)


def _leave() -> None:
    flags = current()
    st.session_state[Session.FLAGS] = Flags(flags.hide, flags.lock)
    st.query_params.pop("present", None)


def _names(parameter: str) -> tuple[str, ...]:
    names = st.query_params.get(parameter, "").split(",")
    return tuple(dict.fromkeys(name for name in names if NAME.fullmatch(name)))
