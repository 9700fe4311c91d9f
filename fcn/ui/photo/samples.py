"""Free sample pictures: photos of people and animals from assets/, and synthetic street scenes with ground truth."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from fcn.photos.images import Labels, Photo, decode
from fcn.pictures import render
from fcn.scenes.scene import render_scene
from fcn.ui import compute

PHOTOS = Path(__file__).parents[3] / "assets" / "samples" / "people_animals"
THUMBNAIL = (124, 93)  # pixels, width and height: as large as it is shown, so that Streamlit sends it as it is

#: Seeds of the street scenes in the gallery, chosen by eye. Training draws its scenes from seeds above a million.
SCENES = {
    24: ("Sunny street", "A sunny street with a traffic light, two bicyclists and a red car"),
    26: ("Wet evening", "A wet street at dusk, lamps and tail lights reflected, two cars at a crossing"),
    30: ("Clear morning", "A clear street with blue direction boards, white fences and people crossing"),
    19: ("Rain", "A rainy street with two bicyclists in front and a yellow van"),
    3: ("Dusk", "A street under a pink sky with lit windows and a bicyclist seen from behind"),
    17: ("Zebra crossing", "An overcast street with two bicyclists and a blue car at a zebra crossing"),
}


@dataclass(frozen=True)
class Sample:
    """A picture of the gallery.

    Attributes:
        name: Name in links.
        title: Name on the page.
        alt: What the picture shows, for people who do not see it.
        credit: Author and licence.
        read: Returns the photo, and its ground truth (H, W) uint8 where there is one.
    """

    name: str
    title: str
    alt: str
    credit: str
    read: Callable[[], tuple[Photo, Labels | None]]


def samples(model: str) -> dict[str, Sample]:
    """The gallery of a model, by name, in the order shown."""
    found = _scenes() if model == "street" else _photos()
    return {sample.name: sample for sample in found}


def _scenes() -> list[Sample]:
    credit = "Synthetic, drawn by this project"
    return [Sample(f"scene-{seed}", title, alt, credit, partial(_scene, seed)) for seed, (title, alt) in SCENES.items()]


@compute.kept
def _scene(seed: int) -> tuple[Photo, Labels | None]:
    scene = render_scene(seed)
    digest = hashlib.sha256(scene.photo.tobytes()).hexdigest()
    return Photo(scene.photo, (scene.labels.shape[0], scene.labels.shape[1]), digest, ()), scene.labels


@compute.kept
def _photos() -> list[Sample]:
    credits = json.loads((PHOTOS / "CREDITS.json").read_text(encoding="utf-8"))
    return [
        Sample(
            Path(entry["file"]).stem,
            entry["title"],
            entry["alt"],
            f"{entry['author']}, {entry['licence']}",
            partial(_photo, entry["file"]),
        )
        for entry in credits
    ]


@compute.kept
def _photo(file: str) -> tuple[Photo, Labels | None]:
    return decode((PHOTOS / file).read_bytes(), file), None


@compute.kept
def thumbnail(model: str, name: str) -> bytes:
    """A small picture of a sample, as `cut` makes it."""
    photo, _ = samples(model)[name].read()
    return cut(photo.pixels)


def cut(pixels: np.ndarray) -> bytes:
    """A small picture of a photo of any shape: (H, W, 3) uint8 -> JPEG of THUMBNAIL, from its middle."""
    image = Image.fromarray(pixels)
    side = min(image.width / 4, image.height / 3)
    box = [
        (image.width - 4 * side) / 2,
        (image.height - 3 * side) / 2,
        (image.width + 4 * side) / 2,
        (image.height + 3 * side) / 2,
    ]
    small = image.resize(THUMBNAIL, Image.Resampling.LANCZOS, box=tuple(box))  # type: ignore[arg-type]
    return render.jpeg(np.asarray(small))
