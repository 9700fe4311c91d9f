"""What frames every page: one row with the pages, the page's own actions and Share, and the rules of style.

Streamlit's own header stays empty and its menu folds away on a phone, so the pages are links in a row of their own,
which on a phone is swiped. The rules below name parts of Streamlit by their test ids; `tests/browser` fails when one
is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.navigation.page import StreamlitPage

from fcn import internals
from fcn.ui.classroom import flags, share

STYLE = f"""
{internals.HEADER} {{ display: none; }}
{internals.MAIN_BLOCK} {{ padding: .5rem 1.5rem 2rem; }}
{internals.MAIN_BLOCK} > {internals.VERTICAL_BLOCK} {{ gap: .55rem; }}
.st-key-header {{ flex-wrap: nowrap; align-items: center; gap: 1rem; min-height: 2.6rem; }}
.st-key-brand {{ flex: none; }}
.st-key-pages {{ flex-wrap: nowrap; overflow-x: auto; scrollbar-width: none; }}
.st-key-pages {{ flex: 1 1 auto; min-width: 0; gap: .1rem; }}
.st-key-pages > div {{ flex: none; }}
.st-key-tools {{ flex: none; flex-wrap: nowrap; gap: .4rem; }}
[class*="st-key-unseen-"] {{ position: absolute; width: 1px; height: 1px; overflow: hidden; visibility: hidden; }}
{internals.LAYOUT_WRAPPER}:has(> [class*="st-key-unseen-"]) {{ position: absolute; width: 1px; height: 1px; }}
{internals.ELEMENT_CONTAINER}:has(style) {{ display: none; }}
.st-key-share_qr img {{ max-height: 62vh; object-fit: contain; }}
@media (max-width: 640px) {{
  {internals.MAIN_BLOCK} {{ padding: .3rem .75rem 2rem; }}
  .st-key-brand {{ display: none; }}
  .st-key-header {{ gap: .3rem; }}
  .st-key-tools button p {{ font-size: 0; }}
}}
"""
_actions: ContextVar[DeltaGenerator | None] = ContextVar("actions")


def header(pages: Sequence[StreamlitPage]) -> None:
    """Draw the row that every page begins with; its links keep what was chosen."""
    st.html(f"<style>{STYLE}</style>")
    parameters = st.query_params.to_dict()
    with st.container(horizontal=True, key="header"):
        with st.container(width="content", key="brand"):
            st.markdown("**Every pixel a class**", width="content")
        with st.container(horizontal=True, key="pages"):
            for page in pages:
                st.page_link(page, label=page.title, query_params=parameters)
        with st.container(horizontal=True, width="content", key="tools"):
            _actions.set(st.container(width="content"))
            share.button()
            flags.leave()


def actions() -> DeltaGenerator:
    """Where the page may put its own actions: left of Share, or in place on a page without the row."""
    return _actions.get(None) or st.container()


def unseen(name: str) -> DeltaGenerator:
    """A place for parts that work invisibly."""
    return st.container(key=f"unseen-{name}")
