"""The trained models: a file of weights each, and beside it a card that says what it is and how good it is."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fcn.errors import ModelError

if TYPE_CHECKING:
    import keras

CONVERTED = ".litert.npz"  # after the model's name
MODELS = Path(__file__).parents[2] / "assets" / "models"


@dataclass(frozen=True)
class Card:
    """What is known of a model. Every figure that the pages show about a model comes from here.

    Attributes:
        name: Name on the command line and in links; the files are NAME.keras and NAME.json.
        title: Name on the page.
        classes: Class names in index order.
        palette: An RGB colour a class, 0-255.
        sha256: Hex digest of the model file.
        parameters: Number of weights.
        references: Data the weights have seen, with authors and year.
        recipe: How it was trained: phases and settings, as plain values.
        notes: What was tried, and what it gave.
        validation: {"data", "images", "results"}, the results as `fcn.quality.evaluation.evaluate` returns them.
        date: Day of training, YYYY-MM-DD.
        converted: Hex digest of NAME.litert.npz, the model converted for LiteRT; "" if there is none. Training makes a
            new card without it, so a conversion never outlives the model that it was made from.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    sha256: str
    parameters: int
    references: tuple[str, ...]
    recipe: dict[str, Any]
    notes: tuple[str, ...]
    validation: dict[str, Any]
    date: str
    converted: str = ""

    def scores(self, stride: int, upsampling: str) -> dict[str, Any]:
        """Return the validation scores of one stride and upsampling, percent 0-100.

        Raises:
            ModelError: The card holds no such row.
        """
        for row in self.validation["results"]:
            if (row["stride"], row["upsampling"]) == (stride, upsampling):
                return dict(row)
        raise ModelError(f"The card of {self.name} has no scores for stride {stride}, {upsampling}. Measure it again.")


def names(folder: Path | None = None) -> list[str]:
    """Names of the models in a folder (default: MODELS); "street", which the page opens with, comes first."""
    found = (path.stem for path in (folder or MODELS).glob("*.json"))
    return sorted(found, key=lambda name: (name != "street", name))


def installed(folder: Path | None = None) -> list[str]:
    """Names of all models of which a folder (default: MODELS) holds any file, the first of `names` first."""
    found = {
        path.name.removesuffix(ending)
        for ending in (".json", ".keras", CONVERTED)
        for path in (folder or MODELS).glob(f"*{ending}")
    }
    return sorted(found, key=lambda name: (name != "street", name))


def read_card(name: str, folder: Path | None = None) -> Card:
    """Read a card.

    Args:
        name: A name of `names`.
        folder: Where cards and model files lie; default: MODELS.

    Raises:
        ModelError: There is no such card, it is not JSON, or it lacks something.
    """
    installed = names(folder)
    if name not in installed:
        raise ModelError(f"There is no model {name!r}. Choose one of: {', '.join(installed) or 'none is installed'}.")
    path = (folder or MODELS) / f"{name}.json"
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        lists = {key: tuple(fields[key]) for key in ("classes", "references", "notes")}
        palette = tuple((int(red), int(green), int(blue)) for red, green, blue in fields["palette"])
        card = Card(**{**fields, **lists, "palette": palette})
    except (ValueError, KeyError, TypeError) as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else error
        raise ModelError(f"The card {path.name} cannot be read: {why}. Restore it from the project.") from error
    if card.name != name:
        raise ModelError(f"The card {path.name} is named {card.name!r} inside. Give the file and the card one name.")
    if len(card.palette) != len(card.classes):
        raise ModelError(
            f"The card {path.name} names {len(card.classes)} classes and {len(card.palette)} colours. Give one a class."
        )
    return card


def write_card(card: Card, folder: Path) -> None:
    """Write a card beside its model file, as JSON that reads well in a diff."""
    text = json.dumps(asdict(card), indent=1, ensure_ascii=False)
    (folder / f"{card.name}.json").write_text(text + "\n", encoding="utf-8")


def load(card: Card, folder: Path | None = None) -> keras.Model:
    """Load a model after checking that its file is the one that the card describes.

    Raises:
        ModelError: The file is missing, was changed, or has another number of classes than the card.
    """
    path = (folder or MODELS) / f"{card.name}.keras"
    _known(path, card.sha256)
    import keras

    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    classes = model.output["scores_32"].shape[-1]
    if classes != len(card.classes):
        raise ModelError(f"The model {card.name} scores {classes} classes, its card names {len(card.classes)}.")
    return model


def converted(card: Card, folder: Path | None = None) -> bytes:
    """Read the file of a model that was converted for LiteRT, if it is the one that the card names.

    Raises:
        ModelError: There is none, or it was changed.
    """
    if not card.converted:
        raise ModelError(f"{card.name} is not converted. Run: python -m fcn convert --model {card.name}")
    return _known((folder or MODELS) / f"{card.name}{CONVERTED}", card.converted)


def _known(path: Path, sha256: str) -> bytes:
    """Return the content of a file after checking that it is the one that a card describes."""
    if not path.is_file():
        raise ModelError(f"The model file {path.name} is missing. Restore it from the project or train it.")
    data = path.read_bytes()
    received = hashlib.sha256(data).hexdigest()
    if received != sha256:
        raise ModelError(
            f"The model file {path.name} has the SHA-256 {received[:12]}..., its card says {sha256[:12]}... "
            "One of the two was changed: restore both."
        )
    return data


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
