"""The thread of the page "Step by step": its sections in order, as headings and as a table of contents."""

from __future__ import annotations

import re

import streamlit as st

#: Name in the code -> title, in the order of the page.
SECTIONS = {
    "two": "Bilinear in one dimension: two weights",
    "four": "Bilinear in two dimensions: four weights",
    "zeros": "The same with zeros and a kernel: a transposed convolution",
    "overlap": "Overlap: where the checkerboard comes from",
    "start": "The start: a kernel that interpolates",
    "training": "What training changed",
    "questions": "Questions",
}


def contents() -> None:
    """Draw the list of the sections."""
    links = [
        f"{number}. [{title}](#{anchor(number, title)})" for number, title in enumerate(SECTIONS.values(), start=1)
    ]
    st.markdown(
        "A small map of scores becomes a large one: first by a fixed rule, then by a layer that starts with this rule "
        "and learns.\n\n" + "\n".join(links)
    )


def heading(section: str) -> None:
    """Draw the heading of a section, by its name in SECTIONS."""
    number = list(SECTIONS).index(section) + 1
    st.markdown(f"##### {number}. {SECTIONS[section]}")


def anchor(number: int, title: str) -> str:
    """What Streamlit calls a heading in addresses."""
    return re.sub(r"[^a-z0-9]+", "-", f"{number} {title}".lower()).strip("-")
