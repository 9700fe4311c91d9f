"""`python -m fcn train`: from a recipe and a data folder to a model file and its card."""

from __future__ import annotations

import datetime
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

from fcn.errors import DataError
from fcn.model import cards, zoo
from fcn.training.packing import save_packed
from fcn.training.recipes import RECIPES, Recipe


def train_to_file(name: str, data: str, out: Path, quick: bool = False, earlier: Path | None = None) -> None:
    """Train a model and write it with its card.

    Args:
        name: A recipe's name.
        data: Folder with train/ and val/, or "synthetic".
        out: The model file, *.keras. What is needed to resume is kept in a folder next to it.
        quick: One short epoch per phase.
        earlier: A trained .keras file to start from; default: ImageNet's weights for the backbone.

    Raises:
        DataError: The recipe, the folder or the file name is not usable.
        ModelError: A package needed for training is missing.
    """
    if name not in RECIPES:
        raise DataError(f"There is no recipe {name!r}. Choose one of: {', '.join(RECIPES)}.")
    if out.suffix != ".keras":
        raise DataError(f"--out is {str(out)!r}; give a file name that ends in .keras.")
    folder = None if data == "synthetic" else Path(data)
    if folder is not None and not folder.is_dir():
        raise DataError(f"There is no folder {folder}. Give one with train/ and val/, or the word synthetic.")
    recipe = RECIPES[name]
    if folder is None and "road" not in recipe.classes:
        raise DataError(f"Synthetic scenes show streets; the model {name} needs photos. Give a folder.")

    from fcn.training.loop import train

    out.parent.mkdir(parents=True, exist_ok=True)
    # A run of another recipe, data or length must not resume from this one's half-trained weights.
    run = f"{name}-{Path(data).name}{'-quick' if quick else ''}"
    work = out.with_suffix(f".{run}.training")
    model = train(recipe, folder, work, say=lambda line: print(line, flush=True), quick=quick, earlier=earlier)
    save(model, recipe, out)
    print(f"Measuring {out.name} on the validation photos")
    card = zoo.read_card(out.stem, out.parent)
    zoo.write_card(replace(card, validation=validate_card(model, card, folder, quick)), out.parent)
    print(f"Wrote {out} and {out.with_suffix('.json')}")


def save(model: Any, recipe: Recipe, out: Path) -> None:
    """Write a model, packed, and a card that has no scores yet."""
    save_packed(model, out)
    described = ("title", "classes", "palette", "references", "notes")
    card = zoo.Card(
        name=out.stem,
        title=recipe.title,
        classes=recipe.classes,
        palette=recipe.palette,
        sha256=zoo.file_hash(out),
        parameters=model.count_params(),
        references=recipe.references,
        recipe=cast(cards.RecipeRecord, {key: value for key, value in asdict(recipe).items() if key not in described}),
        notes=recipe.notes,
        validation={"data": "not measured", "images": 0, "results": []},
        date=datetime.date.today().isoformat(),
    )
    zoo.write_card(card, out.parent)


def validate_card(model: Any, card: zoo.Card, folder: Path | None, quick: bool = False) -> cards.Validation:
    """Everything that a card records about a model's quality, on its validation photos.

    Args:
        model: The network.
        card: Its card, for the classes.
        folder: The data folder; None measures on synthetic scenes.
        quick: Use two photos only.

    Returns:
        "data" and "images", what was measured on; "results", as `evaluate` returns them; "upper_bound", as
        `upper_bound` returns it; "compare" and "kernels", as `compare` and `inspect_kernels` return them; and
        for models that were trained on synthetic scenes too, "scenes", the results on scenes of unseen seeds. Which
        photos suit the model is measured later, by `python -m fcn suits`.
    """
    from fcn.model.engines import KerasEngine
    from fcn.model.segmenter import Segmenter
    from fcn.quality.comparison import compare, inspect_kernels
    from fcn.quality.evaluation import evaluate, upper_bound

    segmenter = Segmenter(KerasEngine(model), card)
    samples = _validation(folder, len(card.classes), quick)
    scenes = _validation(None, len(card.classes), quick) if folder and card.recipe["scene_share"] else []
    figures: dict[str, Any] = {
        "data": "unseen synthetic scenes" if folder is None else cards.describe_validation(folder.resolve().name),
        "images": len(samples),
        "results": evaluate(segmenter, samples),
        "upper_bound": upper_bound((labels for _, labels in samples), len(card.classes)),
        "compare": compare(segmenter, samples),
        "kernels": inspect_kernels(segmenter, samples),
    }
    if scenes:
        figures["scenes"] = evaluate(segmenter, scenes)
    return cast(cards.Validation, figures)


def _validation(folder: Path | None, classes: int, quick: bool) -> Any:
    """Validation photos, read when they are needed; synthetic scenes where there is no folder."""
    from fcn.photos.images import WORKING_SIDE
    from fcn.quality.evaluation import find_pairs, read_pair
    from fcn.training.dataset import VALIDATION_SEED, SceneFolder

    if folder is None:
        return SceneFolder(VALIDATION_SEED, 2 if quick else 50)
    return [read_pair(pair, classes, WORKING_SIDE) for pair in find_pairs(folder / "val")[: 2 if quick else None]]
