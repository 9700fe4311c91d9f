"""The first page: a photo, its coarse score map and its segmentation, with the switch between the upsamplings."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fcn.model import zoo
from fcn.model.segmenter import Scores, Segmentation
from fcn.photos.images import WORKING_SIDE
from fcn.pictures import export, render
from fcn.pictures.export import Export
from fcn.quality import suits
from fcn.quality.suits import Verdict
from fcn.ui import choices, compute, keras_code, layout, logs, parts
from fcn.ui.choices import Choices
from fcn.ui.classroom import flags
from fcn.ui.keys import Session
from fcn.ui.learning import own_kernel
from fcn.ui.learning.own_kernel import OwnKernel
from fcn.ui.photo import score_own, source
from fcn.ui.photo.samples import cut, every_sample, thumbnail
from fcn.ui.photo.source import SelectedPhoto
from fcn.ui.viewer import viewer, why

HINT = "Point at a picture, tap it or use the arrow keys to read off a pixel and its cell."


@dataclass(frozen=True, eq=False)
class Result:
    """What was computed for the photo: its score maps, and its labels by each upsampling of one of them."""

    scores: Scores
    by_upsampling: dict[str, Segmentation]
    key: str  # what it was computed from


def show() -> None:
    """Draw the page."""
    place = layout.actions()
    placeholder = st.empty()
    photo = source.current(None, placeholder)
    chosen = choices.current()
    model, verdict = choose_model(chosen, photo, placeholder)
    st.session_state[Session.SHOWN] = model  # the other pages begin with it
    st.session_state.pop(Session.MODEL, None)
    card = compute.card(model)
    if sentence := source.refusal():
        parts.show_error(f"{sentence} The previous photo stays.")
    result = segment(chosen, model, photo, placeholder)
    screen(chosen, card, photo, verdict, result)
    own_kernel.notice(model, chosen.stride)
    why.offer(model, photo.sha256, chosen.size, chosen.stride, result.scores, result.key)
    with place:
        downloads(photo, card, chosen)
    with layout.unseen("upload"):
        source.inputs()
    with st.container(key="truth"):
        labels = {name: segmentation.labels for name, segmentation in result.by_upsampling.items()}
        score_own.show(card, photo, labels, chosen.stride)
    keras_code.show(model, photo, chosen.stride, chosen.upsampling, chosen.size)


def choose_model(chosen: Choices, photo: SelectedPhoto, placeholder: DeltaGenerator) -> tuple[str, Verdict | None]:
    """The model to use and, for the visitor's own photo, how well the models recognise it."""
    if photo.data is None:
        return chosen.model or photo.model, None
    cards = {name: compute.card(name) for name in compute.names()}

    def look() -> Verdict:
        found = {name: compute.scores(name, photo.sha256, chosen.size, photo.read) for name in cards}
        return suits.judge({name: suits.features(found[name], card) for name, card in cards.items()}, cards)

    verdict = compute.compute_once(("suited", photo.sha256), look, placeholder)
    return chosen.model or verdict.model, verdict


def segment(chosen: Choices, model: str, photo: SelectedPhoto, placeholder: DeltaGenerator) -> Result:
    """Score maps once, then every upsampling of the chosen one; `placeholder` shows the place in line."""
    start = time.perf_counter()
    result = compute_result(chosen, model, photo, own_kernel.current(model, chosen.stride), placeholder)
    placeholder.empty()
    logs.line(
        "look",
        model=model,
        stride=chosen.stride,
        upsampling=chosen.upsampling,
        height=result.scores.height,
        width=result.scores.width,
        milliseconds=round(1000 * (time.perf_counter() - start), 1),
    )
    return result


def compute_result(
    chosen: Choices,
    model: str,
    photo: SelectedPhoto,
    kernel: OwnKernel | None,
    placeholder: DeltaGenerator | None = None,
) -> Result:
    """The same outside of a visit's run, from the shared store where it is there; `kernel` is the visitor's own."""
    key = (model, photo.sha256, chosen.size)
    scores = compute.scores(*key, photo.read, placeholder)
    by_upsampling = compute.segmentations(*key, chosen.stride, scores, placeholder, kernel)
    return Result(scores, by_upsampling, " ".join(map(str, (*key, kernel.sha256[:12]) if kernel else key)))


def screen(chosen: Choices, card: zoo.Card, photo: SelectedPhoto, verdict: Verdict | None, result: Result) -> None:
    """Draw the strip of photos, the switches and the three pictures."""
    scores, stride, sha = result.scores, chosen.stride, photo.sha256
    size = scores.height, scores.width
    picture = compute.picture((sha, chosen.size), lambda: render.jpeg(compute.pixels(sha, chosen.size, photo.read)))
    segmentations = {name: segmentation for name, segmentation in result.by_upsampling.items() if name != "nearest"}
    with layout.unseen("carriers"):
        photo_name = viewer.carry("photo", f"{sha} {size}", {"source": viewer.jpeg_address(picture)})
        maps_name = f"{result.key} {stride} {card.sha256[:8]}"
        maps = compute.compute_once(("maps", maps_name), lambda: viewer.maps(scores, segmentations, stride))
        viewer.carry("maps", maps_name, maps)
        strip_name = viewer.carry("strip", "samples", strip())
        own_name = carry_own()
    rows, columns = scores.coarse_labels(stride).shape
    height, width = photo.size
    now = flags.current()
    viewer.show(
        {
            "key": result.key,
            "turn": viewer.turn(),
            "choices": choices.plain(chosen),
            "photo": photo_name,
            "maps": maps_name,
            "strip": strip_name,
            "own": own_name,
            "shown": "" if photo.data is not None else photo.name,
            "upload": str(st.session_state.get(Session.SEEN, "")),
            "refused": bool(source.refusal()),
            "ownKernel": own_kernel.current(card.name, stride) is not None,
            "width": scores.width,
            "height": scores.height,
            "stride": stride,
            "rows": rows,
            "columns": columns,
            "classes": list(card.classes),
            "palette": [list(colour) for colour in card.palette],
            "background": card.classes.index("background") if "background" in card.classes else -1,
            "model": card.name,
            "models": [[name, compute.card(name).title] for name in compute.names()],
            "modelHint": "" if chosen.model or photo.data is None else "Chosen for your photo:",
            "note": note(card, verdict),
            "captions": {
                "photo": ["Photo", " ".join([f"{width} x {height} pixels.", *photo.notes, photo.credit]).strip()]
            },
            "alt": photo.alt,
            "sizes": list(choices.SIZES),
            "hide": list(now.hide),
            "lock": list(now.lock),
            "present": now.present,
            "hint": HINT,
        },
        take,
    )  # fmt: skip


def take(received: dict[str, Any]) -> None:
    """Take what the visitor has chosen in the browser; what the link locks stays."""
    st.session_state[Session.TURN] = int(received.get("turn", 0))
    locked = flags.current().lock
    choices.choose(**{name: value for name, value in received.items() if name != "turn" and name not in locked})


def strip() -> dict[str, Any]:
    """The samples of all models as small pictures."""
    return {
        "samples": [
            {
                "name": sample.name,
                "title": f"{sample.title} (drawn)" if sample.drawn else sample.title,
                "alt": sample.alt,
                "source": viewer.jpeg_address(thumbnail(sample.model, sample.name)),
            }
            for sample in every_sample(compute.names()).values()
        ]
    }


def carry_own() -> str:
    """Send the visitor's own photo for the strip; "" while there is none."""
    own: SelectedPhoto | None = st.session_state.get(Session.OWN)
    if own is None:
        return ""
    small = compute.picture((own.sha256, "small"), lambda: cut(compute.pixels(own.sha256, WORKING_SIDE, own.read)))
    return viewer.carry("own", own.sha256, {"source": viewer.jpeg_address(small)})


def note(card: zoo.Card, verdict: Verdict | None) -> dict[str, Any] | None:
    """Say which model was chosen for the visitor's photo, or that none recognises it, and offer the other."""
    if verdict is None:
        return None
    others = [[name, compute.card(name).title] for name in compute.names() if name != card.name]
    other = others[0] if others and "model" not in flags.current().lock else None
    classes = ", ".join(name for name in card.classes if name != "background")
    if not verdict.recognised:
        text = f"The models recognise little in this photo. {card.title} knows only: {classes}."
    elif card.name == verdict.model:
        text = f"Your photo suits {card.title} best ({classes})."
    else:
        text = f"You chose {card.title} ({classes}); {compute.card(verdict.model).title} suits your photo better."
    return {"text": text, "other": other}


def downloads(photo: SelectedPhoto, card: zoo.Card, chosen: Choices) -> None:
    """Offer files at the photo's own size, written on request.

    The server keeps the functions that write them until the visit's next run, so they hold no large results.
    """
    stem = photo.name.rsplit(".", 1)[0]
    kernel = own_kernel.current(card.name, chosen.stride)

    def write(make: Callable[[Export], bytes]) -> bytes:
        if photo.data is None:
            source_photo = photo.read()
        else:
            longest = export.longest_side(photo.size)
            source_photo = compute.decoder().decode_light(photo.data, photo.name, longest)
        against = (
            chosen.against if chosen.against not in ("", chosen.upsampling) else choices.AGAINST[chosen.upsampling]
        )
        result = compute_result(chosen, card.name, photo, kernel)
        by_upsampling = {name: segmentation.labels for name, segmentation in result.by_upsampling.items()}
        code = keras_code.write(card.name, photo, chosen.stride, chosen.upsampling, chosen.size)
        return make(
            Export(source_photo, card, result.scores, chosen.stride, chosen.upsampling, against, by_upsampling,
                   chosen.opacity / 100, code)
        )  # fmt: skip

    def offer(label: str, make: Callable[[Export], bytes], name: str, kind: Literal["secondary", "tertiary"]) -> None:
        data = partial(compute.export_file, partial(write, make))
        st.download_button(label, data, f"{stem}.{name}", on_click="ignore", type=kind, width="stretch")

    with st.container(width="content", key="actions"), st.popover("Download", icon=":material/download:"):
        if export.longest_side(photo.size) < max(photo.size):
            most = export.MOST_PIXELS // 10**6
            st.caption(f"Your photo has more than {most} megapixels: the files have half its width and height.")
        offer("All files (ZIP)", export.archive, "zip", "secondary")
        for name, make in export.FILES.items():
            offer(name, make, name, "tertiary")
