"""What is known about a model, as records: its card, and what else the pages show. Read with plain errors."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, NotRequired, TypedDict, TypeVar, Union, get_args, get_origin, get_type_hints, is_typeddict

from fcn.errors import ModelError

Record = TypeVar("Record")

#: Data folder -> what people call the photos in it.
DATA_TITLES = {"camvid": "CamVid", "people_animals": "PASCAL VOC"}


class ScoreRow(TypedDict):
    """Scores of one stride and upsampling, percent 0-100; None for what the photos do not contain."""

    stride: int
    upsampling: str  # "nearest", "bilinear", "transposed"; "mixed" for stride 32 of a model with shape channels
    miou: float | None
    pixel_accuracy: float | None
    boundary_f1: float | None
    iou: dict[str, float | None]  # by class
    trimap_8: NotRequired[float | None]
    trimap_16: NotRequired[float | None]


class UpperBoundRow(TypedDict):
    """MIoU of the ground truth itself, shrunk by a factor and enlarged again, percent."""

    factor: int
    nearest: float | None
    bilinear: float | None


class Limits(TypedDict, total=False):
    """Which photos suit a model; see `fcn.quality.suits.measure`. A card without weights was not measured."""

    weights: dict[str, float]  # of figures of the score map
    bias: float
    least: dict[str, float]  # of a figure; below it the model recognises nothing in the photo


class Gain(TypedDict):
    """Points by which transposed is ahead of bilinear."""

    miou: float | None
    boundary_f1: float | None


class KernelRow(TypedDict):
    """How smooth a trained kernel is; see `fcn.quality.comparison.inspect_kernels`."""

    stride: int
    high_frequency: float  # percent of its energy
    gain: Gain
    gain_smoothed: Gain


class Interval(TypedDict):
    """Points by which transposed is ahead, with the bounds of a 95 % interval."""

    mean: float
    low: float
    high: float


class Comparison(TypedDict):
    """The fair comparison at stride 32; see `fcn.quality.comparison.compare`."""

    images: int
    scores: dict[str, dict[str, float | None]]  # upsampling -> measure -> percent
    gains: dict[str, dict[str, Interval | None]]  # rival, or "best" -> measure -> points


class Validation(TypedDict):
    """How good a model is on photos that it was not trained on."""

    data: str
    images: int
    results: list[ScoreRow]
    upper_bound: NotRequired[list[UpperBoundRow]]
    suits: NotRequired[Limits]
    scenes: NotRequired[list[ScoreRow]]  # on synthetic street scenes of unseen seeds
    kernels: NotRequired[list[KernelRow]]
    compare: NotRequired[Comparison]


class PhaseRecord(TypedDict, total=False):
    """A stretch of training; see `fcn.training.recipes.Phase`."""

    epochs: int
    crop: list[int]
    rate: float
    scale: list[float]
    colour: float
    backbone: float
    trains: str
    average: float
    anew: bool


class RecipeRecord(TypedDict, total=False):
    """How a model was trained; see `fcn.training.recipes.Recipe`."""

    phases: list[PhaseRecord]
    scene_share: float
    batch: int
    decay: float
    paste_share: float
    pasted: list[int]
    start: str


@dataclass(frozen=True)
class Card:
    """What is known about a model. Every figure that the pages show about it comes from here.

    Attributes:
        name: Name on the command line and in links; the files are NAME.keras and NAME.json.
        title: Name on the page.
        classes: Class names in index order.
        palette: One RGB colour per class, 0-255.
        sha256: Hex digest of the model file.
        parameters: Number of weights.
        references: Data that the weights were trained on, with authors and year.
        recipe: How it was trained.
        notes: What was tried, with the results.
        validation: How good it is, as `fcn.training.command.validate_card` measures it.
        date: Day of training, YYYY-MM-DD.
        converted: Hex digest of NAME.litert.npz, the model converted for LiteRT; "" if there is none. Training makes a
            new card without it, so a conversion never outlives its model.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    sha256: str
    parameters: int
    references: tuple[str, ...]
    recipe: RecipeRecord
    notes: tuple[str, ...]
    validation: Validation
    date: str
    converted: str = ""

    @property
    def background(self) -> int | None:
        """Index of the class that is no thing; None for a model without it."""
        return self.classes.index("background") if "background" in self.classes else None

    @property
    def validation_data(self) -> str:
        """What the model was measured on, in words; older cards name the data folder instead."""
        folder, old, _ = self.validation["data"].partition(", validation photos")
        return describe_validation(folder) if old else folder

    def find_scores(self, stride: int, upsampling: str) -> ScoreRow | None:
        """Return the validation scores of one stride and upsampling; None if they were not measured."""
        for row in self.validation["results"]:
            if (row["stride"], row["upsampling"]) == (stride, upsampling):
                return row
        return None

    def scores(self, stride: int, upsampling: str) -> ScoreRow:
        """Return the validation scores of one stride and upsampling.

        Raises:
            ModelError: The card has no such row.
        """
        row = self.find_scores(stride, upsampling)
        if row is None:
            raise ModelError(
                f"The card of {self.name} has no scores for stride {stride}, {upsampling}. Measure it again."
            )
        return row


def describe_validation(folder: str) -> str:
    """What the validation photos of a data folder are called on a page, by the folder's name."""
    if title := DATA_TITLES.get(folder):
        return f"{title} validation photos"
    return f"validation photos ({folder.replace('_', ' ').replace('-', ' ')})"


class Scene(TypedDict):
    """A synthetic street scene of the gallery."""

    seed: int
    title: str
    alt: str


class Failure(TypedDict):
    """A sample on which the model fails, and why."""

    sample: str
    why: str


class PublishedRow(TypedDict):
    """A published figure of another network."""

    network: str
    backbone: str
    miou: float
    parameters: float | None  # million
    source: str


class Published(TypedDict):
    """Figures of other networks, and what they can be compared with."""

    comparable: str
    rows: list[PublishedRow]


@dataclass(frozen=True)
class Companion:
    """What the pages show besides a model's card, from NAME.page.json. Every field is optional.

    Attributes:
        scenes: Synthetic street scenes of the gallery; only for a model of their classes.
        photos: Folder of sample photos with their CREDITS.json, relative to the folder of the models; "" for none.
        failures: Samples on which the model fails.
        not_in_the_data: What the training photos do not show, as the end of a sentence.
        published: Published figures of other networks.
    """

    scenes: tuple[Scene, ...] = ()
    photos: str = ""
    failures: tuple[Failure, ...] = ()
    not_in_the_data: str = ""
    published: Published | None = None


def read_record(kind: type[Record], values: Any, file: str) -> Record:
    """Turn the content of a JSON file into a dataclass, after checking every value down to the leaves.

    A nested record may hold unknown fields, so that newer cards can be read.

    Raises:
        ModelError: A field is missing, unknown or of the wrong type. The message says which, and what was received.
    """
    hints = get_type_hints(kind)
    required = {field.name for field in fields(kind) if field.default is MISSING}  # type: ignore[arg-type]
    try:
        if not isinstance(values, dict):
            raise _Unfit("", f"is {_shorten(values)}, should be an object")
        if unknown := sorted(values.keys() - hints.keys()):
            raise _Unfit(unknown[0], "is not known")
        if missing := [name for name in hints if name in required and name not in values]:
            raise _Unfit(missing[0], "is missing")
        return kind(**{name: _fit(value, hints[name], name) for name, value in values.items()})
    except _Unfit as error:
        raise ModelError(f"The card {file} cannot be read: {error}. Repair or restore it.") from error


class _Unfit(ValueError):
    """A value that does not fit."""

    def __init__(self, place: str, why: str):
        super().__init__(f"{place} {why}".strip())


def _fit(value: Any, kind: Any, place: str) -> Any:
    """Check a JSON value against a type; lists become tuples where the type asks for one."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin is NotRequired:
        return _fit(value, arguments[0], place)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        return _fit(value, next(option for option in arguments if option is not type(None)), place)
    if is_typeddict(kind):
        return _fit_record(value, kind, place)
    if origin is dict:
        _expect(isinstance(value, dict), value, "an object", place)
        return {str(key): _fit(one, arguments[1], f"{place}.{key}") for key, one in value.items()}
    if origin in (list, tuple):
        _expect(isinstance(value, list), value, "a list", place)
        length = None if origin is list or arguments[-1] is ... else len(arguments)
        _expect(length in (None, len(value)), value, f"a list of {length}", place)
        kinds = arguments if length else [arguments[0]] * len(value)
        return origin(
            _fit(one, each, f"{place}[{index}]") for index, (one, each) in enumerate(zip(value, kinds, strict=True))
        )
    if kind is float:
        _expect(isinstance(value, int | float) and not isinstance(value, bool), value, "a number", place)
    elif kind is int:
        _expect(isinstance(value, int) and not isinstance(value, bool), value, "a whole number", place)
    else:
        _expect(isinstance(value, kind), value, "text", place)
    return value


def _fit_record(value: Any, kind: Any, place: str) -> Mapping[str, Any]:
    _expect(isinstance(value, dict), value, "an object", place)
    hints = get_type_hints(kind, include_extras=True)
    required = [name for name, hint in hints.items() if kind.__total__ and get_origin(hint) is not NotRequired]
    if missing := [name for name in required if name not in value]:
        raise _Unfit(f"{place}.{missing[0]}", "is missing")
    return {name: _fit(one, hints.get(name, Any), f"{place}.{name}") for name, one in value.items()}


def _expect(fits: bool, value: Any, expected: str, place: str) -> None:
    if not fits:
        raise _Unfit(place, f"is {_shorten(value)}, should be {expected}")


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
