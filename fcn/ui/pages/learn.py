"""Watch it learn: the upsampling layer is trained in front of the visitor, recorded and live."""

from __future__ import annotations

import uuid
from typing import Any

import streamlit as st

from fcn.compute import recording
from fcn.compute.learning import PICTURES, RATES, SHOWN, STARTS, STEPS, STRIDES, SUITABLE, Settings
from fcn.compute.recording import Recorded, Recording
from fcn.compute.trainings import MOST, Run
from fcn.model import zoo
from fcn.ui import choices, compute, keras_code, turns
from fcn.ui.choices import Choices
from fcn.ui.classroom import share
from fcn.ui.controls import choice_control, number_control
from fcn.ui.learning import claims, learning, own_kernel

MODEL = "street"  # only for synthetic streets are there endless pictures with labels
KEY = "learn_live"
START_TITLES = {"zeros": "Zeros", "nearest": "Cells", "bilinear": "Bilinear", "random": "Random numbers"}


def show() -> None:
    """Draw the page."""
    share.title("Watch it learn")
    card = compute.card(MODEL)
    st.markdown(
        "Only the upsampling layer is trained here. The rest of the network stays as it is, and step by step the "
        "kernel learns to turn cells into pixels. The dashed lines are the marks to beat: cells and bilinear "
        "interpolation, which do not learn."
    )
    recorded(card)
    st.markdown("##### Train it yourself")
    train(card)


def recorded(card: zoo.Card) -> None:
    """The recorded runs, and what they show."""
    record = read_recording()
    runs = {run.name: run for run in record.runs}
    name = choice_control("Recorded run", list(runs), next(iter(runs)), "learn_run", lambda name: runs[name].title)
    learning.show("learn_recorded", learning.recorded_payload(runs[name], card))
    st.caption(about(runs[name], record, card))
    st.markdown("\n".join(f"- {sentence}" for sentence in claims.sentences(record)))


@st.cache_resource(show_spinner=False)
def read_recording() -> Recording:
    """The recorded runs; read once."""
    return recording.read()


def about(run: Recorded, record: Recording, card: zoo.Card) -> str:
    """Settings and date of a recorded run."""
    other = "" if record.sha256 == card.sha256 else " It was recorded with an earlier version of the network."
    return (
        f"Recorded on {record.date}: {in_words(run.settings)}. Adam, with a rate that falls to zero along a cosine; "
        f"4 pictures per step, loss on every pixel; measured on {record.unseen} unseen synthetic scenes. The street "
        f"shown was not used for training either.{other}"
    )


def in_words(settings: Settings) -> str:
    """Settings as a line."""
    start = {"zeros": "zeros", "nearest": "cells", "bilinear": "bilinear", "random": "random numbers"}[settings.start]
    pictures = "1 picture" if settings.pictures == 1 else f"{settings.pictures} pictures"
    shape = ", with shape channels" if settings.shape else ""
    return f"stride {settings.stride}, from {start}, learning rate {settings.rate:g}, {pictures}{shape}"


@turns.fragment
def train(card: zoo.Card) -> None:
    """The controls of a live run, the part that plays it, and what can be done with its kernel."""
    st.markdown(
        "Now Keras trains on this server: `keras.layers.Conv2DTranspose` and nothing else. One training runs at a "
        f"time, up to {STEPS} steps or {MOST:.0f} seconds of computing; visitors with the same settings share a run. "
        "The pictures are drawn streets: any number of them can be made, with the true class of every pixel. There are "
        "too few labelled photos of people and animals that may be shared."
    )
    settings = choose(card)
    name = "{start} {rate:g} {pictures} {shape} {stride} {draw}".format(**vars(settings))
    if reason := compute.training_obstacle():
        st.info(f"{reason} Watch the recorded runs above instead.", icon=":material/memory:")
        return
    run, have, goals = act(settings, name)
    data = learning.live_payload(run, name, card, state(run), have, goals)
    # Numbered, since data that has not changed is not sent, and the part waits for an answer.
    learning.show(KEY, data | {"answer": (question() or {}).get("number")})
    with st.container(horizontal=True, vertical_alignment="center"):
        results(run)
    keras_code.show_training(MODEL, settings)


def choose(card: zoo.Card) -> Settings:
    """Draw the controls of a run."""
    kernel = compute.segmenter(MODEL).kernel(32)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        start = choice_control("Start", STARTS, "zeros", "learn_start", START_TITLES.__getitem__)
        pictures = choice_control("Training pictures", PICTURES, 64, "learn_pictures")
        stride = choice_control("Stride", STRIDES, 32, "learn_stride")
        shape = False
        if stride == 32 and kernel.shape[3] > kernel.shape[2]:
            shape = choice_control(
                "The layer sees", (False, True), False, "learn_shape",
                lambda shape: "Scores and shape channels" if shape else "Scores",
            )  # fmt: skip
        # Each start has a rate that suits it, so each has its own control.
        rate = choice_control("Learning rate", RATES, SUITABLE[start], f"learn_rate_{start}", lambda rate: f"{rate:g}")
        draw = number_control("Set of scenes", 99, "learn_draw", "Another number gives other streets to train on")
    return Settings(MODEL, start, rate, pictures, shape, stride, draw)


def act(settings: Settings, name: str) -> tuple[Run | None, int, bool]:
    """Carry out the part's request; return the run, how many of its results the part has, and if it has its goals."""
    trainings, visitor = compute.trainings(), visitor_name()
    request = question()
    if request is None or request["settings"] != name:
        return trainings.look(settings), 0, False
    fresh = request["number"] != st.session_state.get("learn_asked")
    st.session_state.learn_asked = request["number"]
    run = trainings.look(settings)
    if fresh and request["act"] == "train":
        run = trainings.want(visitor, settings, request["until"], press=request.get("press") is True)
    elif fresh and request["act"] in ("hold", "stop"):
        trainings.hold(visitor, settings, forget=request["act"] == "stop")
        run = trainings.look(settings) if request["act"] == "hold" else None
    elif request["act"] == "stop":
        run = None
    if run is None or request["run"] != run.name:
        return run, 0, False
    return run, request["have"], request["goals"]


def question() -> dict[str, Any] | None:
    """The part's request, if it is a valid one; a browser may send anything."""
    request = (st.session_state.get(KEY) or {}).get("ask")
    kinds = {"number": int, "act": str, "settings": str, "run": str, "have": int, "goals": bool}
    if not isinstance(request, dict) or not all(isinstance(request.get(key), kind) for key, kind in kinds.items()):
        return None
    until = request.get("until")
    return request | {
        "until": min(STEPS, max(1, until)) if isinstance(until, int) else 1,
        "have": max(0, request["have"]),
    }


def visitor_name() -> str:
    """Tells this visit from others."""
    return str(st.session_state.setdefault("learn_visitor", uuid.uuid4().hex))


def state(run: Run | None) -> dict[str, Any] | None:
    """The state of a run, for the browser."""
    if run is None:
        return None
    return {
        "step": run.step,
        "doing": run.doing or ("Waiting" if run.waiting else ""),
        "done": run.done,
        "trouble": run.trouble,
        "words": words(run),
    }


def words(run: Run) -> str:
    """The state of a run, as a sentence."""
    before = compute.trainings().place(run)
    if run.trouble:
        return run.trouble
    if run.done:
        why = f"all {STEPS} steps are done" if run.step >= STEPS else f"{MOST:.0f} seconds of computing are used up"
        return f"Finished at step {run.step}: {why}. Play shows it again; Stop clears it."
    if before:
        return f"Trainings ahead of yours: {before}"
    if run.doing == "Training" and run.step:
        return f"Training, step {run.step} of {STEPS}, about {run.seconds_left:.0f} s left"
    if run.doing:
        return f"{run.doing} ..."
    return f"Paused at step {run.step} of {STEPS}"


def results(run: Run | None) -> None:
    """Draw the actions for the learned kernel."""
    kernel = run.kernel if run else None
    if run is None or kernel is None or not run.step:
        st.button("Use my kernel", disabled=True, key="learn_use", help="Available after the first step")
        return
    step = run.results[-1].step
    title = f"{step} steps, {in_words(run.settings)}"
    if st.button("Use my kernel", icon=":material/school:", key="learn_use"):
        own_kernel.use(MODEL, run.settings.stride, kernel, title)
        choices.carry(Choices(sample=f"scene-{SHOWN}", model=MODEL, stride=run.settings.stride))
        st.rerun()  # the links to other pages are drawn again, with these choices
    st.download_button(
        "Download as .keras",
        lambda: compute.layer_file(kernel),
        f"upsampling-x{run.settings.stride}-{step}-steps.keras",
        on_click="ignore",
        icon=":material/download:",
        key="learn_download",
    )
    if own_kernel.current(MODEL, run.settings.stride):
        st.caption(f"“Try it” uses your kernel for FCN-{run.settings.stride}s on Street scenes during this visit.")
