"""Entry point: `streamlit run app.py`. Page setup and navigation, nothing else."""

from pathlib import Path

import streamlit as st

from fcn.ui import layout, turns, visits
from fcn.ui.classroom import flags
from fcn.ui.pages import learn, quality, steps, story, try_it

visits.install()
st.set_page_config("Every pixel a class", page_icon=str(Path(__file__).parent / "assets" / "icon.png"), layout="wide")

presenting = flags.current().present  # a lecture opens with the story
pages = [
    st.Page(try_it.show, title="Try it", url_path="try", default=not presenting),
    st.Page(story.show, title="From photo to pixels", url_path="story", default=presenting),
    st.Page(learn.show, title="Watch it learn", url_path="learn"),
    st.Page(steps.show, title="Step by step", url_path="steps"),
    st.Page(quality.show, title="How good is it?", url_path="quality"),
]
page = st.navigation(pages, position="hidden")
flags.apply()
layout.header(pages)
turns.draw(page.run)
