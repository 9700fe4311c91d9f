"""Entry point: `streamlit run app.py`. Page setup and navigation, nothing else."""

from pathlib import Path

import streamlit as st

from fcn.errors import FcnError
from fcn.ui import compute, parts
from fcn.ui.classroom import flags
from fcn.ui.pages import learn, quality, steps, try_it

st.set_page_config("Every pixel a class", page_icon=str(Path(__file__).parent / "assets" / "icon.png"), layout="wide")

pages = [
    st.Page(try_it.show, title="Try it", url_path="try", default=True),
    st.Page(steps.show, title="Step by step", url_path="steps"),
    st.Page(learn.show, title="Watch it learn", url_path="learn"),
    st.Page(quality.show, title="How good is it?", url_path="quality"),
]
page = st.navigation(pages, position="top")
flags.apply()
try:
    with compute.turn():
        page.run()
except FcnError as error:
    parts.show_error(str(error))
flags.leave()
