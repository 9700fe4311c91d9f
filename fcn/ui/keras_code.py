"""In Keras: what a page shows as a few lines of Python, ready to copy."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from fcn.compute import learning_code
from fcn.compute.learning import Settings
from fcn.model import zoo
from fcn.model.network import STRIDES
from fcn.pictures import keras_code
from fcn.ui import compute
from fcn.ui.photo.source import SelectedPhoto

ROOT = Path(__file__).parents[2]


def write(model: str, chosen: SelectedPhoto, stride: int, upsampling: str, max_side: int = 480) -> str:
    """The program for a photo and settings; see `keras_code.write`."""
    extra = compute.segmenter(model).kernel(STRIDES[0]).shape
    return keras_code.write(compute.card(model), extra[3] - extra[2], stride, upsampling, _place(chosen), max_side)


def show(model: str, chosen: SelectedPhoto, stride: int, upsampling: str, max_side: int = 480) -> None:
    """Draw the part that opens on the program; arguments as for `write`."""
    words = f"These lines do what this page shows: FCN-{stride}s, {keras_code.WORDS[upsampling]}."
    note = ""
    if chosen.data is not None:
        note = "Put your photo next to the file. If it is longer than 960 pixels, a few edge pixels may differ."
    offer(words, note, lambda: write(model, chosen, stride, upsampling, max_side), "segment.py")


def show_training(model: str, settings: Settings) -> None:
    """Draw the same for a training of the upsampling layer alone.

    Args:
        model: Whose score maps it is trained on.
        settings: Of the run.
    """
    kernel = compute.segmenter(model).kernel(settings.stride).shape
    channels = kernel[3] if settings.shape else kernel[2]
    words = "These lines run the training with the settings above; on your own machine it can go on for longer."
    offer(words, "", lambda: learning_code.write(compute.card(model), channels, settings), "train_upsampling.py")


def offer(words: str, note: str, compose: Callable[[], str], file: str) -> None:
    """Draw a program under a sentence, to copy or to download; it is written when the part is opened."""
    with st.expander("In Keras", icon=":material/code:", key="keras", on_change="rerun") as part:
        if not part.open:  # else the program is sent with every switch
            return
        st.markdown(f"{words} They need the model file of this project. Copy them, or download them as a file.")
        if note:
            st.caption(note)
        code = compose()
        st.code(code, language="python")
        st.download_button(file, code, file, "text/x-python", on_click="ignore", key="keras_file")


def _place(chosen: SelectedPhoto) -> str | int:
    """Where the program finds the photo: a path, or the seed of a street scene."""
    if chosen.data is not None:
        return chosen.name
    if scene := re.fullmatch(r"scene-(\d+)", chosen.name):
        return int(scene[1])
    folder = (zoo.MODELS / zoo.read_companion(chosen.model).photos).resolve()
    [file, *_] = sorted(folder.glob(f"{chosen.name}.*"))
    return file.relative_to(ROOT).as_posix() if file.is_relative_to(ROOT) else file.name
