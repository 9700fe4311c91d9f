"""Entry point: `streamlit run app.py`. Page setup and navigation, nothing else."""

from pathlib import Path

import streamlit as st

from fcn.errors import FcnError
from fcn.ui import classroom, parts, quality_page, segment_page, steps_page, work

st.set_page_config("Every pixel a class", page_icon=str(Path(__file__).parent / "assets" / "icon.png"), layout="wide")

pages = [
    st.Page(segment_page.show, title="Try it", url_path="try", default=True),
    st.Page(steps_page.show, title="Step by step", url_path="steps"),
    st.Page(quality_page.show, title="How good is it?", url_path="quality"),
]
page = st.navigation(pages, position="top")
classroom.apply()
try:
    with work.turn():
        page.run()
except FcnError as error:
    parts.complain(str(error))
classroom.leave()
