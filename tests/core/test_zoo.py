"""Models and their cards: what is written is read, and every contradiction is said plainly."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fcn.errors import ModelError
from fcn.model import zoo
from fcn.model.network import STRIDES
from fcn.model.upsampling import UPSAMPLINGS


@pytest.fixture
def folder(models: Path, tmp_path: Path) -> Path:
    """A copy of the models that a test may spoil."""
    return shutil.copytree(models, tmp_path / "models")


def spoil(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the fields of the card in the file."""
    path = folder / "small.json"
    fields = json.loads(path.read_text())
    change(fields)
    path.write_text(json.dumps(fields))


def test_a_card_that_is_written_reads_the_same(card: zoo.Card, tmp_path: Path) -> None:
    results = [{"stride": 32, "upsampling": "bilinear", "miou": 50.5, "iou": {"sky": None}}]
    rich = replace(card, title="Straße", recipe={"batch": 8, "rates": [0.1]}, validation={"results": results})
    zoo.write_card(rich, tmp_path)
    assert zoo.read_card("small", tmp_path) == rich


def test_the_model_of_a_card_loads(card: zoo.Card, models: Path) -> None:
    assert zoo.load(card, models).count_params() == card.parameters


def test_street_comes_first(tmp_path: Path) -> None:
    for name in ("zebra", "animals", "street"):
        (tmp_path / f"{name}.json").touch()
    assert zoo.names(tmp_path) == ["street", "animals", "zebra"]


def test_the_folder_is_looked_up_when_it_is_needed(installed: Path) -> None:
    assert zoo.names() == ["small"]
    assert zoo.read_card("small").name == "small"


def test_unknown_name_lists_the_known_ones(models: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model 'cars'. Choose one of: small"):
        zoo.read_card("cars", models)
    with pytest.raises(ModelError, match="none is installed"):
        zoo.read_card("cars", tmp_path)


def test_a_path_is_no_name(models: Path) -> None:
    with pytest.raises(ModelError, match="no model"):
        zoo.read_card(f"../{models.name}/small", models)


@pytest.mark.parametrize(
    "text, said",
    [
        ("{", "small.json cannot be read: Expecting"),
        ("[]", "small.json cannot be read"),
        ("{}", "'classes' is missing"),
        ("\x80", "small.json cannot be read"),
    ],
)
def test_a_card_that_is_no_card(folder: Path, text: str, said: str) -> None:
    (folder / "small.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError, match=said):
        zoo.read_card("small", folder)


def test_a_card_under_another_name(card: zoo.Card, folder: Path) -> None:
    (folder / "other.json").write_bytes((folder / "small.json").read_bytes())
    with pytest.raises(ModelError, match="other.json is named 'small' inside"):
        zoo.read_card("other", folder)
    (folder / "weights.litert.npz").write_bytes(b"")
    assert zoo.installed(folder) == ["other", "small", "weights"]


def test_a_card_with_a_field_missing_or_too_many(folder: Path) -> None:
    spoil(folder, lambda fields: fields.pop("title"))
    with pytest.raises(ModelError, match="title"):
        zoo.read_card("small", folder)
    spoil(folder, lambda fields: fields.update(title="Small", colour="red"))
    with pytest.raises(ModelError, match="colour"):
        zoo.read_card("small", folder)


def test_a_colour_too_few(folder: Path) -> None:
    spoil(folder, lambda fields: fields["palette"].pop())
    with pytest.raises(ModelError, match="11 classes and 10 colours"):
        zoo.read_card("small", folder)


def test_a_colour_of_two_parts(folder: Path) -> None:
    spoil(folder, lambda fields: fields["palette"][3].pop())
    with pytest.raises(ModelError, match="small.json cannot be read"):
        zoo.read_card("small", folder)


def test_a_changed_model_file(card: zoo.Card, folder: Path) -> None:
    with (folder / "small.keras").open("ab") as file:
        file.write(b"!")
    with pytest.raises(ModelError, match=f"small.keras has the SHA-256 .* its card says {card.sha256[:12]}"):
        zoo.load(card, folder)


def test_a_missing_model_file(card: zoo.Card, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="small.keras is missing"):
        zoo.load(card, tmp_path)


def test_a_card_of_other_classes_than_its_model(card: zoo.Card, models: Path) -> None:
    fewer = replace(card, classes=card.classes[:7], palette=card.palette[:7])
    with pytest.raises(ModelError, match="scores 11 classes, its card names 7"):
        zoo.load(fewer, models)


def test_scores_of_a_row_and_of_none(card: zoo.Card) -> None:
    row = {"stride": 16, "upsampling": "transposed", "miou": 60.0}
    measured = replace(card, validation={"results": [row]})
    assert measured.scores(16, "transposed") == row
    with pytest.raises(ModelError, match="no scores for stride 8, bilinear"):
        measured.scores(8, "bilinear")


@pytest.mark.parametrize("name", zoo.names())
def test_an_installed_model_has_an_honest_card(name: str) -> None:
    card = zoo.read_card(name)
    assert card.name == name
    assert zoo.file_hash(zoo.MODELS / f"{name}.keras") == card.sha256
    assert len(set(card.palette)) == len(card.classes) == len(set(card.classes))
    assert {part for colour in card.palette for part in colour} <= set(range(256))
    assert card.title and card.references and card.recipe
    rows = card.validation["results"]
    assert [(row["stride"], row["upsampling"]) for row in rows] == [(s, u) for s in STRIDES for u in UPSAMPLINGS]
    for row in rows:
        assert tuple(row["iou"]) == card.classes
        known = [iou for iou in row["iou"].values() if iou is not None]
        assert row["miou"] == pytest.approx(sum(known) / len(known), abs=0.02)
    assert card.validation["images"] > 0
