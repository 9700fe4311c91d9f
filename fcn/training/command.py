"""`python -m fcn train`: from a recipe and a data folder to a model file and its card."""

from __future__ import annotations

import datetime
import zipfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from fcn import zoo
from fcn.errors import DataError
from fcn.training.recipes import RECIPES, Recipe


def train_to_file(name: str, data: str, out: Path, quick: bool = False) -> None:
    """Train a model and write it with its card.

    Args:
        name: A recipe's name.
        data: Folder with train/ and val/, or "synthetic".
        out: The model file, *.keras. What is needed to go on after a stop is kept in a folder beside it.
        quick: One short epoch a phase.

    Raises:
        DataError: The recipe, the folder or the file name will not do.
        ModelError: A package needed for training is missing.
    """
    if name not in RECIPES:
        raise DataError(f"There is no recipe {name!r}. Choose one of: {', '.join(RECIPES)}.")
    if out.suffix != ".keras":
        raise DataError(f"The model is written as FILE.keras; --out is {str(out)!r}.")
    folder = None if data == "synthetic" else Path(data)
    if folder is not None and not folder.is_dir():
        raise DataError(f"There is no folder {folder}. Give one with train/ and val/, or: synthetic.")
    recipe = RECIPES[name]
    if folder is None and "road" not in recipe.classes:
        raise DataError(f"Synthetic scenes show streets; the model {name} needs photos. Give a folder.")

    from fcn.training.loop import train

    out.parent.mkdir(parents=True, exist_ok=True)
    model = train(recipe, folder, out.with_suffix(".training"), say=lambda line: print(line, flush=True), quick=quick)
    save(model, recipe, out)
    print(f"Measuring {out.name} on the validation photos")
    card = zoo.read_card(out.stem, out.parent)
    zoo.write_card(replace(card, validation=measured(model, card, folder, quick)), out.parent)
    print(f"Wrote {out} and {out.with_suffix('.json')}")


def save(model: Any, recipe: Recipe, out: Path) -> None:
    """Write a model and a card that has no scores yet.

    Kernels are rounded to half precision: deflated, the file is half as large, and it loads like any other.
    """
    for variable in model.variables:
        if len(variable.shape) > 1:
            variable.assign(np.asarray(variable).astype("float16").astype("float32"))
    loose = out.with_suffix(".loose.keras")
    model.save(loose)
    with zipfile.ZipFile(loose) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target:
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry), zipfile.ZIP_DEFLATED)
    loose.unlink()
    described = ("title", "classes", "palette", "references", "notes")
    card = zoo.Card(
        name=out.stem,
        title=recipe.title,
        classes=recipe.classes,
        palette=recipe.palette,
        sha256=zoo.file_hash(out),
        parameters=model.count_params(),
        references=recipe.references,
        recipe={key: value for key, value in asdict(recipe).items() if key not in described},
        notes=recipe.notes,
        validation={"data": "not measured", "images": 0, "results": []},
        date=datetime.date.today().isoformat(),
    )
    zoo.write_card(card, out.parent)


def measured(model: Any, card: zoo.Card, folder: Path | None, quick: bool = False) -> dict[str, Any]:
    """The model's scores on all validation photos, or on synthetic scenes where there is no folder."""
    from fcn.evaluation import evaluate, find_pairs, read_pair
    from fcn.segmenter import Segmenter
    from fcn.training.dataset import VALIDATION_SEED, SceneFolder

    if folder is None:
        samples: Any = SceneFolder(VALIDATION_SEED, 2 if quick else 50)
        data, images = "synthetic scenes", len(samples)
    else:
        pairs = find_pairs(folder / "val")[: 2 if quick else None]
        samples = (read_pair(pair, len(card.classes)) for pair in pairs)
        data, images = f"{folder.name}, validation photos", len(pairs)
    return {"data": data, "images": images, "results": evaluate(Segmenter(model, card), samples)}
