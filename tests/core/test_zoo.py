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
from fcn.model.cards import Gain, describe_validation
from fcn.model.network import STRIDES


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


GAIN: Gain = {"miou": 0.5, "boundary_f1": None}


def results(card: dict[str, Any]) -> list[dict[str, Any]]:
    return card["validation"]["results"]


def row(stride: int, upsampling: str) -> zoo.ScoreRow:
    return {
        "stride": stride,
        "upsampling": upsampling,
        "miou": 50.5,
        "pixel_accuracy": 80,
        "boundary_f1": None,
        "iou": {"sky": None},
    }


def test_a_card_that_is_written_reads_the_same(card: zoo.Card, tmp_path: Path) -> None:
    validation: zoo.Validation = {
        "data": "none",
        "images": 1,
        "results": [row(32, "bilinear") | {"trimap_8": 40.5, "trimap_16": None}, row(32, "mixed")],
        "kernels": [{"stride": 32, "high_frequency": 0.5, "gain": GAIN, "gain_smoothed": GAIN}],
        "compare": {
            "images": 1,
            "scores": {"mixed": {"miou": None}},
            "gains": {"best": {"miou": {"mean": 0.5, "low": 0.1, "high": 0.9}, "trimap_8": None}},
        },
    }
    rich = replace(card, title="Straße", recipe={"batch": 8, "phases": [{"rate": 1}]}, validation=validation)
    zoo.write_card(rich, tmp_path)
    assert zoo.read_card("small", tmp_path) == rich


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda card: card.update(parameters="many"), "parameters is 'many', should be a whole number"),
        (lambda card: card.update(palette={}), "palette is {}, should be a list"),
        (lambda card: card["validation"].pop("images"), "validation.images is missing"),
        (lambda card: results(card)[0].update(miou="50"), r"results\[0\].miou is '50', should be a number"),
        (lambda card: results(card)[0].update(iou=[1]), r"results\[0\].iou is \[1\], should be an object"),
        (lambda card: card["validation"].update(suits={"bias": "much"}), "suits.bias is 'much', should be a number"),
        (lambda card: card.update(recipe={"phases": [{"crop": [1, None]}]}), r"crop\[1\] is None, should be a whole"),
    ],
)
def test_a_value_that_does_not_fit_is_named(folder: Path, change: Callable[[dict[str, Any]], Any], said: str) -> None:
    spoil(folder, lambda fields: fields["validation"]["results"].append(row(8, "nearest")))
    spoil(folder, change)
    with pytest.raises(ModelError, match=said):
        zoo.read_card("small", folder)


def test_a_card_of_a_newer_version_still_loads(folder: Path) -> None:
    spoil(folder, lambda fields: fields["recipe"].update(temperature=3))
    assert zoo.read_card("small", folder).name == "small"


def test_the_model_of_a_card_loads(card: zoo.Card, models: Path) -> None:
    assert zoo.load(card, models).count_params() == card.parameters


def test_street_comes_first(tmp_path: Path) -> None:
    for name in ("zebra", "animals", "street"):
        (tmp_path / f"{name}.json").touch()
    assert zoo.names(tmp_path) == ["street", "animals", "zebra"]


def test_the_folder_is_looked_up_when_it_is_needed(installed_models: Path) -> None:
    assert zoo.names() == ["small"]
    assert zoo.read_card("small").name == "small"


def test_unknown_name_lists_the_known_ones(models: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model 'cars'. Choose one of: small"):
        zoo.read_card("cars", models)
    with pytest.raises(ModelError, match="None is installed"):
        zoo.read_card("cars", tmp_path)


def test_a_path_is_no_name(models: Path) -> None:
    with pytest.raises(ModelError, match="no model"):
        zoo.read_card(f"../{models.name}/small", models)


@pytest.mark.parametrize(
    "text, said",
    [
        ("{", "small.json cannot be read: Expecting"),
        ("[]", "small.json cannot be read"),
        ("{}", "name is missing"),
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
    with pytest.raises(ModelError, match="11 classes, but 10 colours"):
        zoo.read_card("small", folder)


def test_a_colour_of_two_parts(folder: Path) -> None:
    spoil(folder, lambda fields: fields["palette"][3].pop())
    with pytest.raises(ModelError, match=r"palette\[3\] is \[60, 195\], should be a list of 3"):
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
    with pytest.raises(ModelError, match="scores 11 classes, but its card names 7"):
        zoo.load(fewer, models)


def test_scores_of_a_row_and_of_none(card: zoo.Card) -> None:
    measured = replace(card, validation={"data": "none", "images": 1, "results": [row(16, "transposed")]})
    assert measured.scores(16, "transposed") == row(16, "transposed")
    assert measured.find_scores(8, "bilinear") is None
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
    assert {(stride, upsampling) for stride in STRIDES for upsampling in ("bilinear", "transposed")} <= {
        (row["stride"], row["upsampling"]) for row in rows
    }
    for row in rows:
        assert tuple(row["iou"]) == card.classes
        known = [iou for iou in row["iou"].values() if iou is not None]
        assert known and row["miou"] == pytest.approx(sum(known) / len(known), abs=0.02)
    assert card.validation["images"] > 0


@pytest.mark.parametrize(
    "data, words",
    [
        ("camvid, validation photos", "CamVid validation photos"),
        (describe_validation("people_animals"), "PASCAL VOC validation photos"),
        (describe_validation("my_photos"), "validation photos (my photos)"),
        ("unseen synthetic scenes", "unseen synthetic scenes"),
    ],
)
def test_the_validation_data_is_named_for_people(card: zoo.Card, data: str, words: str) -> None:
    assert replace(card, validation={**card.validation, "data": data}).validation_data == words
