"""Entry point: `streamlit run app.py`. Page setup and navigation, nothing else."""

from pathlib import Path

import streamlit as st

from fcn.ui import layout, turns, visits
from fcn.ui.classroom import flags
from fcn.ui.pages import learn, quality, steps, story, try_it

visits.install()
st.set_page_config("Every pixel a class", page_icon=str(Path(__file__).parent / "assets" / "icon.png"), layout="wide")

pages = [
    st.Page(try_it.show, title="Try it", url_path="try"),
    st.Page(story.show, title="From photo to pixels", url_path="story"),
    st.Page(learn.show, title="Watch it learn", url_path="learn"),
    st.Page(steps.show, title="Step by step", url_path="steps"),
    st.Page(quality.show, title="How good is it?", url_path="quality"),
]
show, title = (story.show, pages[1].title) if flags.current().present else (try_it.show, pages[0].title)
home = st.Page(show, title=title, url_path="home", default=True)  # at "/"; a lecture opens with the story
page = st.navigation([home, *pages], position="hidden")
flags.apply()
by_title = {one.title: one for one in (*pages, home, page)}  # the page shown, else the one at "/", under each title
layout.header(list(by_title.values()))
turns.draw(page.run)
