"""The trained models: each has a file of weights, and a card that describes it and how good it is.

A third file, NAME.page.json, may hold what else the pages show: samples, failures, published figures.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fcn.errors import ModelError
from fcn.model.cards import Card, Companion, ScoreRow, Validation, read_record

if TYPE_CHECKING:
    import keras

__all__ = ["Card", "Companion", "ScoreRow", "Validation"]  # re-exported: callers import the records from here

CONVERTED = ".litert.npz"  # after the model's name
PAGE = ".page.json"  # likewise
#: Where the models are: the project's assets/models, unless FCN_MODELS names another folder. They are not part of the
#: installed package: a copy of it elsewhere needs FCN_MODELS.
MODELS = Path(os.environ.get("FCN_MODELS") or Path(__file__).parents[2] / "assets" / "models")


def names(folder: Path | None = None) -> list[str]:
    """Names of the models in a folder (default: MODELS); "street", which the page opens with, comes first."""
    cards = (path.stem for path in (folder or MODELS).glob("*.json") if not path.name.endswith(PAGE))
    return sorted(cards, key=lambda name: (name != "street", name))


def installed(folder: Path | None = None) -> list[str]:
    """Names of all models with any file in a folder (default: MODELS), in the order of `names`."""
    models = {
        path.name.removesuffix(ending)
        for ending in (".json", ".keras", CONVERTED)
        for path in (folder or MODELS).glob(f"*{ending}")
        if not path.name.endswith(PAGE)
    }
    return sorted(models, key=lambda name: (name != "street", name))


def read_card(name: str, folder: Path | None = None) -> Card:
    """Read a card.

    Args:
        name: A name of `names`.
        folder: Where cards and model files are; default: MODELS.

    Raises:
        ModelError: There is no such card, it is not JSON, or something in it is missing or of another type.
    """
    folder = folder or MODELS
    installed = names(folder)
    if name not in installed:
        advice = f"None is installed in {folder}. Set FCN_MODELS to the folder with the models."
        if installed:
            advice = f"Choose one of: {', '.join(installed)}."
        raise ModelError(f"There is no model {name!r}. {advice}")
    path = folder / f"{name}.json"
    card = read_record(Card, _read_json(path), path.name)
    if card.name != name:
        raise ModelError(
            f"The card {path.name} is named {card.name!r} inside. Give the file and the card the same name."
        )
    if len(card.palette) != len(card.classes):
        raise ModelError(
            f"The card {path.name} names {len(card.classes)} classes, but {len(card.palette)} colours. Give each one."
        )
    return card


def read_companion(name: str, folder: Path | None = None) -> Companion:
    """Read what the pages show besides a card. A model without such a file gets the samples of one with its classes.

    Args:
        name: A name of `names`.
        folder: Where the cards are; default: MODELS.

    Raises:
        ModelError: It is not JSON, or something in it is of another type.
    """
    folder = folder or MODELS
    if (path := folder / f"{name}{PAGE}").is_file():
        return read_record(Companion, _read_json(path), path.name)
    classes = read_card(name, folder).classes
    for other in names(folder):
        if other != name and (folder / f"{other}{PAGE}").is_file() and read_card(other, folder).classes == classes:
            return replace(read_companion(other, folder), failures=(), not_in_the_data="", published=None)
    return Companion()


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"The card {path.name} cannot be read: {error}. Repair or restore it.") from error


def write_card(card: Card, folder: Path) -> None:
    """Write a card next to its model file, as JSON that reads well in a diff."""
    text = json.dumps(asdict(card), indent=1, ensure_ascii=False)
    (folder / f"{card.name}.json").write_text(text + "\n", encoding="utf-8")


def load(card: Card, folder: Path | None = None) -> keras.Model:
    """Load a model after checking that its file is the one that the card describes.

    Raises:
        ModelError: The file is missing, was changed, or has another number of classes than the card.
    """
    path = (folder or MODELS) / f"{card.name}.keras"
    _read_checked(path, card.sha256)
    import keras

    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    classes = model.output["scores_32"].shape[-1]
    if classes != len(card.classes):
        raise ModelError(f"The model {card.name} scores {classes} classes, but its card names {len(card.classes)}.")
    return model


def converted(card: Card, folder: Path | None = None) -> bytes:
    """Read the file of a model that was converted for LiteRT, if it is the one that the card names.

    Raises:
        ModelError: There is none, or it was changed.
    """
    if not card.converted:
        raise ModelError(f"{card.name} is not converted. Run: python -m fcn convert --model {card.name}")
    return _read_checked((folder or MODELS) / f"{card.name}{CONVERTED}", card.converted)


def _read_checked(path: Path, sha256: str) -> bytes:
    """Return the content of a file after checking that it is the one that a card describes."""
    if not path.is_file():
        raise ModelError(f"The model file {path.name} is missing. Restore it from the project or train it.")
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != sha256:
        raise ModelError(
            f"The model file {path.name} has the SHA-256 {digest[:12]}..., but its card says {sha256[:12]}... "
            "One of the two was changed: restore both."
        )
    return data


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
