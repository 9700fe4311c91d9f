"""The first page: a photo, its coarse score map and its segmentation, with the switch between two upsamplings."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fcn.model import zoo
from fcn.model.network import STRIDES
from fcn.model.segmenter import Scores, Segmentation
from fcn.photos.images import WORKING_SIDE, shrink
from fcn.pictures import export, render
from fcn.pictures.export import Export
from fcn.ui import compute, findings, logs, parts
from fcn.ui.classroom import flags, share
from fcn.ui.controls import choice_control
from fcn.ui.learning import own_kernel
from fcn.ui.parts import UPSAMPLING_TITLES
from fcn.ui.photo import score_own, source
from fcn.ui.photo.source import SelectedPhoto
from fcn.ui.viewer import viewer

NETWORK_HELP = (
    "FCN-32s decides in cells of 32 x 32 pixels. FCN-16s and FCN-8s add what earlier layers saw in finer cells."
)
UPSAMPLING_HELP = (
    "Bilinear blends neighbouring cells by a fixed rule. A transposed convolution starts as the same rule and has "
    "learned from photos."
)
SIZES = (320, 480, 640, 800, 960)


@dataclass(frozen=True)
class Settings:
    """What the visitor has chosen."""

    model: str
    stride: int
    upsampling: str
    max_side: int
    view: viewer.View


@dataclass(frozen=True, eq=False)
class Result:
    """What was computed for the photo: its score maps, and its labels by both upsamplings of one of them."""

    scores: Scores
    by_upsampling: dict[str, Segmentation]


def show() -> None:
    """Draw the page."""
    st.markdown("#### From coarse cells to a class for every pixel")
    st.markdown(
        "The network names one class for each block of pixels. Upsampling turns blocks into pixels: choose how."
    )
    settings = choose()
    card = compute.card(settings.model)
    placeholder = st.empty()
    chosen = source.current(settings.model, placeholder)
    if sentence := source.refused():
        parts.show_error(f"{sentence} The last photo stays.")
    result = segment(settings, chosen, placeholder)
    own_kernel.notice(settings.model, settings.stride)
    pictures(settings, chosen, card, result)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        facts(settings, chosen, result)
        actions(chosen, card, result, settings)
    suits(card, result.scores)
    st.markdown(lesson(card))
    left, right = st.columns([2, 1], gap="medium")  # six thumbnails in a row
    with left, st.container(key="samples"):
        st.markdown("**Another photo**")
        source.gallery(settings.model, chosen)
    with right, st.container(key="inputs"):
        source.inputs()
    with st.container(key="truth"):
        score_own.show(
            card, chosen, {way: found.labels for way, found in result.by_upsampling.items()}, settings.stride
        )


def choose() -> Settings:
    """Draw the controls. Each is kept in the link."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key="controls"):
        model = parts.model_switch()
        stride = choice_control("Network", STRIDES, STRIDES[0], "stride", lambda stride: f"FCN-{stride}s", NETWORK_HELP)
        ways = list(UPSAMPLING_TITLES)
        upsampling = choice_control(
            "Upsampling", ways, "transposed", "upsampling", UPSAMPLING_TITLES.__getitem__, UPSAMPLING_HELP
        )
        right = choice_control("Right picture", list(viewer.RIGHT), "overlay", "view", viewer.RIGHT.__getitem__)
        with st.container(width="content", key="more"), st.popover("More", icon=":material/tune:"):
            view = choose_view(model, right)
            max_side = st.select_slider(
                "Longest side for the network, pixels", SIZES, WORKING_SIDE, key="size", bind="query-params",
                persist_state="session",
            )  # fmt: skip
        share.button()
    return Settings(model, stride, upsampling, max_side, view)


def choose_view(model: str, right: str) -> viewer.View:
    """Draw the choices of what the cells show, and how strong the colours are; `right` is chosen already."""
    left = choice_control("Middle picture", list(viewer.LEFT), "class", "cells", viewer.LEFT.__getitem__)
    target, channel = 0, 0
    classes = compute.card(model).classes
    if left == "score":
        name = st.selectbox("Class", classes, key="class", bind="query-params", persist_state="session")
        target = classes.index(name) if name in classes else 0
    if left == "channel":
        channel = st.slider("Feature map, strongest first", 1, 32, 1, key="channel", bind="query-params",
                            persist_state="session") - 1  # fmt: skip
    opacity = st.slider(
        "Opacity of the colours, percent", 0, 100, 65, 5, key="opacity", bind="query-params", persist_state="session"
    )
    return viewer.View(left, right, target, channel, opacity / 100)


def segment(settings: Settings, chosen: SelectedPhoto, placeholder: DeltaGenerator) -> Result:
    """Score maps once, then both upsamplings of the chosen one; `placeholder` shows the place in line."""
    start = time.perf_counter()
    key = (settings.model, chosen.photo.sha256, settings.max_side)
    scores = compute.scores(*key, chosen.photo, placeholder)
    own = own_kernel.current(settings.model, settings.stride)
    by_upsampling = {
        way: compute.segmentation(*key, settings.stride, way, scores, placeholder, own) for way in UPSAMPLING_TITLES
    }
    placeholder.empty()
    logs.line(
        "look",
        model=settings.model,
        stride=settings.stride,
        upsampling=settings.upsampling,
        height=scores.height,
        width=scores.width,
        milliseconds=round(1000 * (time.perf_counter() - start), 1),
    )
    return Result(scores, by_upsampling)


def pictures(settings: Settings, chosen: SelectedPhoto, card: zoo.Card, result: Result) -> None:
    """Photo, score map and segmentation side by side."""
    stride, scores = settings.stride, result.scores
    max_side = settings.max_side
    photo = compute.picture((chosen.photo.sha256, max_side), lambda: render.jpeg(shrink(chosen.photo, max_side)))
    key = f"{settings.model} {chosen.photo.sha256} {settings.max_side}"
    data = viewer.payload(key, photo, card, scores, result.by_upsampling, stride, settings.upsampling, settings.view)
    labels, coarse = result.by_upsampling[settings.upsampling].labels, scores.coarse_labels(stride)
    rows, columns = coarse.shape
    cut = ", the last cut at the edge" if scores.height % stride or scores.width % stride else ""
    height, width = chosen.photo.size
    data["captions"] = {
        "photo": ("Photo", " ".join([f"{width} x {height} pixels.", *chosen.photo.notes, chosen.credit])),
        "score": (
            f"Score map 1/{stride}: {left_title(settings.view, card, scores, stride)}",
            f"{columns} x {rows} cells, each {stride} x {stride} pixels{cut}",
        ),
        "segmentation": right_title(settings, scores),
    }
    data["alt"] = {
        "photo": chosen.alt,
        "score": f"The best class of each cell: {parts.format_shares(card, coarse)}",
        "segmentation": f"The class of each pixel: {parts.format_shares(card, labels)}",
    }
    viewer.show(data)


def left_title(view: viewer.View, card: zoo.Card, scores: Scores, stride: int) -> str:
    """What the cells show, in words."""
    if view.left == "score":
        return f"score of {card.classes[view.target]}"
    if view.left == "channel":
        return f"feature map {view.channel + 1} by strength (channel {scores.channels[stride][view.channel]})"
    return {"class": "best class", "features": "the 16 strongest feature maps"}[view.left]


def right_title(settings: Settings, scores: Scores) -> tuple[str, str]:
    """Caption of the right picture: title and note."""
    size = f"{scores.width} x {scores.height} pixels, each with a class"
    if settings.view.right == "compare":
        return f"Compare, x{settings.stride}: bilinear | transposed", "Drag the slider"
    if settings.view.right == "difference":
        return f"Difference, x{settings.stride}", "Orange: the two upsamplings disagree"
    return f"Segmentation, x{settings.stride}: {UPSAMPLING_TITLES[settings.upsampling].lower()}", size


def facts(settings: Settings, chosen: SelectedPhoto, result: Result) -> None:
    """How much the two upsamplings differ, and how long it took."""
    key = (settings.model, chosen.photo.sha256, settings.max_side)
    reused = st.session_state.get("scored") == key
    st.session_state.scored = key
    network = "score map reused" if reused else f"network {result.scores.milliseconds:.0f} ms"
    bilinear, transposed = (result.by_upsampling[way].labels for way in ("bilinear", "transposed"))
    differ = int((bilinear != transposed).sum())
    with st.container(horizontal=True, vertical_alignment="center", width="content", key="facts"):
        st.markdown(
            f"The two upsamplings label **{differ:,} pixels** ({differ / bilinear.size:.1%}) differently.",
            width="content",
        )
        seen = settings.view.right == "difference"  # the button stays where it is, so that nothing jumps
        st.button("Show where", on_click=show_difference, type="tertiary", key="where", disabled=seen)
        milliseconds = result.by_upsampling[settings.upsampling].milliseconds
        st.caption(f":material/timer: {network} · upsampling {milliseconds:.0f} ms", width="content")


def show_difference() -> None:
    """Turn the right picture to the pixels that the two upsamplings label differently."""
    st.session_state.view = "difference"


def lesson(card: zoo.Card) -> str:
    """What the upsampling matters at each stride, in this model's own figures; empty if they were not measured."""
    return findings.compare_gains(card)


def suits(card: zoo.Card, scores: Scores) -> None:
    """Say so when the photo is not what the model was trained for, and offer the other model."""
    reason = parts.unsuited(card, scores)
    if reason is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.info(f"{reason} It knows only: {', '.join(card.classes)}.", icon=":material/info:")
        for other in compute.names():
            if other != card.name and "model" not in flags.current().lock:
                st.button(f"Try {compute.card(other).title}", on_click=use_model, args=(other,), key=f"try-{other}")


def use_model(name: str) -> None:
    """Show the same photo with another model."""
    st.session_state.model = name


def actions(chosen: SelectedPhoto, card: zoo.Card, result: Result, settings: Settings) -> None:
    """Files at the photo's own size, made when asked for."""
    stem = chosen.name.rsplit(".", 1)[0]
    by_upsampling = {way: found.labels for way, found in result.by_upsampling.items()}

    def made(make: Callable[[Export], bytes]) -> bytes:
        photo, opacity = chosen.photo, settings.view.opacity
        if chosen.data is not None:
            photo = compute.decoder().decode_light(chosen.data, chosen.name, export.longest_side(photo.size))
        return make(Export(photo, card, result.scores, settings.stride, settings.upsampling, by_upsampling, opacity))

    def offer(label: str, make: Callable[[Export], bytes], name: str, kind: Literal["secondary", "tertiary"]) -> None:
        data = partial(compute.export_file, partial(made, make))
        st.download_button(label, data, f"{stem}.{name}", on_click="ignore", type=kind, width="stretch")

    with st.container(width="content", key="actions"), st.popover("Download", icon=":material/download:"):
        if export.longest_side(chosen.photo.size) < max(chosen.photo.size):
            most = export.MOST_PIXELS // 10**6
            st.caption(f"Your photo has more than {most} megapixels: the files are half as wide and high.")
        offer("All files (ZIP)", export.archive, "zip", "secondary")
        for name, make in export.FILES.items():
            offer(name, make, name, "tertiary")
