"""The first page: a photo, its coarse score map and its segmentation, with the switch between two upsamplings."""

from __future__ import annotations

import html
from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st
from PIL import Image

from fcn import render, zoo
from fcn.errors import FcnError
from fcn.images import Labels, Pixels
from fcn.network import STRIDES
from fcn.segmenter import Scores, Segmentation
from fcn.ui import source, work
from fcn.ui.source import Source

UPSAMPLING_TITLES = {"bilinear": "Bilinear", "transposed": "Transposed convolution"}
SIZES = (320, 480, 640, 800, 960)


@dataclass(frozen=True)
class Settings:
    """What the visitor has chosen."""

    model: str
    stride: int
    upsampling: str
    opacity: float
    longest: int


def show() -> None:
    """Draw the page."""
    st.markdown("#### Which class is each pixel? A network that sees in coarse cells, and two ways back to full size")
    settings = choose()
    chosen = source.current(settings.model)
    if sentence := source.refused():
        st.error(f"{sentence} The last photo stays.", icon=":material/error:")
    try:
        card, scores, both = compute(settings, chosen)
    except FcnError as error:
        st.error(str(error), icon=":material/error:")
        st.stop()
    pictures(settings, chosen, card, scores, both[settings.upsampling])
    facts(settings, chosen, scores, both)
    legend(card, both[settings.upsampling].labels)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown("**Another photo**")
        source.gallery(settings.model, chosen)
    with right:
        source.inputs()
        downloads(chosen, card, both[settings.upsampling].labels, settings)


def choose() -> Settings:
    """Draw the controls. Each is kept in the link."""
    models = {name: work.card(name).title for name in zoo.names()}
    keep = {"bind": "query-params", "persist_state": "session"}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="controls"):
        model = st.segmented_control(
            "Model", list(models), format_func=models.__getitem__, default=next(iter(models)), required=True,
            key="model", on_change=source.choose_sample, args=(None,), **keep
        )
        stride = st.segmented_control(
            "Network", STRIDES, format_func=lambda stride: f"FCN-{stride}s", default=STRIDES[0], required=True,
            key="stride", **keep
        )
        upsampling = st.segmented_control(
            "Upsampling", list(UPSAMPLING_TITLES), format_func=UPSAMPLING_TITLES.__getitem__, default="transposed",
            required=True, key="upsampling", **keep
        )
        with st.popover("View", icon=":material/tune:"):
            opacity = st.slider("Opacity of the colours, percent", 0, 100, 65, step=5, key="opacity", **keep)
            longest = st.select_slider("Longest side for the network, pixels", SIZES, 480, key="size", **keep)
    return Settings(model, stride, upsampling, opacity / 100, longest)


def compute(settings: Settings, chosen: Source) -> tuple[zoo.Card, Scores, dict[str, Segmentation]]:
    """Score maps once, then both upsamplings of the chosen one."""
    key = (settings.model, chosen.photo.sha256, settings.longest)
    scores = work.scores(*key, chosen.photo.pixels)
    both = {way: work.segmentation(*key, settings.stride, way, scores) for way in UPSAMPLING_TITLES}
    return work.card(settings.model), scores, both


def pictures(settings: Settings, chosen: Source, card: zoo.Card, scores: Scores, found: Segmentation) -> None:
    """Photo, score map and segmentation side by side."""
    stride = settings.stride
    rows, columns = scores.coarse_labels(stride).shape
    photo = np.asarray(Image.fromarray(chosen.photo.pixels).resize((scores.width, scores.height)))
    left, middle, right = st.columns(3)
    with left:
        st.markdown("**Photo**")
        st.image(render.jpeg(photo), width="stretch", alt=chosen.alt)
        st.caption(" ".join([*chosen.photo.notes, chosen.credit]) or f"{chosen.photo.size[1]} x {chosen.photo.size[0]}")
    with middle:
        st.markdown(f"**Score map, 1/{stride}**")
        cells = render.cells_png(
            scores.coarse_labels(stride), card.palette, stride, scores.height, scores.width, grid=True
        )
        st.image(cells, width="stretch", alt=f"The best class of each cell: {shares_said(card, scores.coarse_labels(stride))}")
        st.caption(f"{rows} x {columns} cells, each {stride} x {stride} pixels: all the network knows")
    with right:
        st.markdown(f"**Segmentation, x {stride} by {UPSAMPLING_TITLES[settings.upsampling].lower()}**")
        full = render.overlay(photo, found.labels, card.palette, settings.opacity)
        st.image(render.png(full), width="stretch", alt=f"The class of each pixel: {shares_said(card, found.labels)}")
        st.caption(f"{scores.height} x {scores.width} pixels, each with a class")


def facts(settings: Settings, chosen: Source, scores: Scores, both: dict[str, Segmentation]) -> None:
    """How long it took, and how much the two upsamplings differ."""
    key = (settings.model, chosen.photo.sha256, settings.longest)
    reused = st.session_state.get("scored") == key
    st.session_state.scored = key
    network = "score map reused, the network did not run again" if reused else f"network {scores.milliseconds:.0f} ms"
    bilinear, transposed = (both[way].labels for way in ("bilinear", "transposed"))
    differ = int((bilinear != transposed).sum())
    st.markdown(
        f"The two upsamplings label **{differ:,} pixels** ({differ / bilinear.size:.1%}) differently. "
        f"&ensp; :small[:material/timer: {network} · upsampling {both[settings.upsampling].milliseconds:.0f} ms]"
    )


def legend(card: zoo.Card, labels: Labels) -> None:
    """Class colours with the share of the photo, largest first."""
    colours = dict(zip(card.classes, card.palette, strict=True))
    items = "".join(
        f'<li><span style="background:rgb{colours[name]}"></span>{html.escape(name)} <b>{said(share)}</b></li>'
        for name, share in render.class_shares(labels, card.classes).items()
    )
    st.html(
        "<style>.legend{display:flex;flex-wrap:wrap;gap:.3rem 1.3rem;list-style:none;margin:0;padding:0}"
        ".legend span{display:inline-block;width:1em;height:1em;border:1px solid #8888;border-radius:3px;"
        "margin-right:.45em;vertical-align:-.12em}.legend li{margin:0}</style>"
        f'<ul class="legend" aria-label="Classes">{items}</ul>'
    )


def downloads(chosen: Source, card: zoo.Card, labels: Labels, settings: Settings) -> None:
    """Files at the photo's own size, made when asked for."""
    stem = chosen.name.rsplit(".", 1)[0]

    def own_size() -> tuple[Pixels, Labels]:
        return work.own_size_labels(chosen.data, chosen.name, labels, chosen.photo.pixels)

    def labels_file() -> bytes:
        return render.labels_png(own_size()[1], card.palette)

    def overlay_file(opacity: float) -> bytes:
        return render.png(render.overlay(*own_size(), card.palette, opacity))

    with st.container(horizontal=True):
        st.download_button("Labels PNG", labels_file, f"{stem}.labels.png", "image/png", on_click="ignore")
        overlay = partial(overlay_file, settings.opacity)
        st.download_button("Overlay PNG", overlay, f"{stem}.overlay.png", "image/png", on_click="ignore")


def shares_said(card: zoo.Card, labels: Labels) -> str:
    """The classes of a label map with their shares, as words."""
    return ", ".join(f"{name} {said(share)}" for name, share in render.class_shares(labels, card.classes).items())


def said(share: float) -> str:
    """A share of the photo as a percentage that is never rounded to nothing."""
    return f"{share:.0%}" if share >= 0.01 else "under 1%"
