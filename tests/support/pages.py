"""Pages as AppTest runs them, without a browser."""

from __future__ import annotations

from typing import Any

from streamlit.testing.v1 import AppTest


def words(app: AppTest) -> str:
    """All running text of a page."""
    elements: list[Any] = [element for kind in ("markdown", "caption", "info", "error") for element in app.get(kind)]
    return "\n".join(element.value for element in elements)


def quality_page() -> None:
    from fcn.ui.pages import quality

    quality.show()


def steps_page() -> None:
    from fcn.ui.pages import steps

    steps.show()


def try_it_page() -> None:
    from fcn.ui.pages import try_it

    try_it.show()
