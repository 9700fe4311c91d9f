"""Free sample pictures of each model: photos with their credits, or synthetic street scenes with ground truth."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from fcn.model import cards, zoo
from fcn.photos.images import Labels, Photo, decode_light
from fcn.pictures import render
from fcn.scenes.scene import Street, render_scene
from fcn.ui import compute

THUMBNAIL = (112, 84)  # pixels, width and height
STREET = tuple(kind.name.lower() for kind in Street)  # the classes of the scenes
#: What a model without samples shows until a photo is uploaded.
STAND_IN = cards.Scene(seed=24, title="Test picture", alt="A drawn street: this model has no sample photos of its own")


@dataclass(frozen=True)
class Sample:
    """A picture of the gallery.

    Attributes:
        name: Name in links.
        title: Name on the page.
        alt: What the picture shows, for people who do not see it.
        credit: Author and licence.
        model: Name of the model whose sample it is.
        drawn: Whether it is drawn, not a photo.
        read: Returns the photo, and its ground truth (H, W) uint8 where there is one.
    """

    name: str
    title: str
    alt: str
    credit: str
    model: str
    drawn: bool
    read: Callable[[], tuple[Photo, Labels | None]]


def samples(model: str) -> dict[str, Sample]:
    """The gallery of a model, by name, in the order shown; never empty."""
    return _gallery(zoo.MODELS, model)


@compute.memoize
def _gallery(folder: Path, model: str) -> dict[str, Sample]:
    companion = zoo.read_companion(model, folder)
    is_street = zoo.read_card(model, folder).classes == STREET
    gallery = _photo_samples(model, folder / companion.photos) if companion.photos else []
    gallery += [_scene_sample(model, scene, is_street) for scene in companion.scenes]
    return {sample.name: sample for sample in gallery or [_scene_sample(model, STAND_IN, False)]}


def every_sample(models: Sequence[str]) -> dict[str, Sample]:
    """The samples of all models, by name; those of people and animals, which need no explanation, come first."""
    order = sorted(models, key=lambda name: (name != "people_animals", name))
    gallery: dict[str, Sample] = {}
    for model in order:
        for name, sample in samples(model).items():
            gallery.setdefault(name, sample)  # a stand-in may be the scene of another model
    return gallery


def _scene_sample(model: str, scene: cards.Scene, has_truth: bool) -> Sample:
    credit = "Synthetic, drawn by this project"
    read = partial(_scene, scene["seed"], has_truth)
    return Sample(f"scene-{scene['seed']}", scene["title"], scene["alt"], credit, model, True, read)


@compute.memoize
def _scene(seed: int, has_truth: bool) -> tuple[Photo, Labels | None]:
    scene = render_scene(seed)
    digest = hashlib.sha256(scene.photo.tobytes()).hexdigest()
    photo = Photo(scene.photo, (scene.labels.shape[0], scene.labels.shape[1]), digest, ())
    return photo, scene.labels if has_truth else None


def _photo_samples(model: str, folder: Path) -> list[Sample]:
    file = folder / "CREDITS.json"
    credits = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
    return [
        Sample(
            Path(entry["file"]).stem,
            entry.get("name", entry["title"]),
            entry["alt"],
            f"{entry['author']}, {entry['licence']}",
            model,
            False,
            partial(_photo, folder / entry["file"]),
        )
        for entry in credits
    ]


@compute.memoize
def _photo(path: Path) -> tuple[Photo, Labels | None]:
    return decode_light(path.read_bytes(), path.name), None


def thumbnail(model: str, name: str) -> bytes:
    """A small picture of a sample, from `cut`."""
    return _thumbnail(zoo.MODELS, model, name)


@compute.memoize
def _thumbnail(folder: Path, model: str, name: str) -> bytes:
    photo, _ = _gallery(folder, model)[name].read()
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
    return render.jpeg(np.asarray(small), quality=75)
