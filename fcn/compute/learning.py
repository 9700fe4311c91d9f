"""Training the upsampling layer alone: what a run is, its data, its steps and its results.

The shipped network is not changed. Its score maps and shape channels of synthetic scenes are computed once; then Keras
trains one `keras.layers.Conv2DTranspose` on them, on every pixel. Unseen scenes show how good it has become.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from fcn.errors import ModelError
from fcn.model.segmenter import Scores, Segmenter
from fcn.model.upsampling import UPSAMPLINGS, bilinear_kernel, choose_classes, nearest_kernel
from fcn.photos.images import Labels
from fcn.quality.metrics import Scorer
from fcn.scenes.scene import render_scene

if TYPE_CHECKING:
    import keras

STARTS = ("zeros", "nearest", "bilinear", "random")
#: A learning rate that suits each start: a kernel that knows nothing may take large steps.
SUITABLE = {"zeros": 0.03, "nearest": 0.03, "bilinear": 0.003, "random": 0.01}
RATES = (0.001, 0.003, 0.01, 0.03, 0.1)
PICTURES = (1, 4, 16, 64)
STRIDES = (32, 8)
BATCH = 4
STEPS = 200  # of a run on the page
#: Steps after which a run on the page is measured: often at first, when most happens.
RESULTS = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 140, 160, 180, 200)
SHOWN = 24  # seed of the scene that is shown: "Sunny street" of the gallery, which nothing was trained on
#: First seeds of scenes that the network has not seen (it was trained and validated on others above a million).
TRAINING_SEED, UNSEEN_SEED = 3_000_000, 4_000_000
RANDOM = 0.05  # standard deviation of the random start


@dataclass(frozen=True)
class Settings:
    """What a run depends on: the same settings give the same run.

    Attributes:
        model: Whose score maps; one that synthetic scenes suit.
        start: What the kernel is before the first step, one of STARTS.
        rate: Learning rate of Adam at the first step; it falls along a cosine to zero at the last.
        pictures: Number of scenes trained on.
        shape: Whether the layer sees the shape channels as well as the scores.
        stride: Of the score map, and factor of the upsampling.
        draw: Which scenes are drawn: each number gives others.
    """

    model: str = "street"
    start: str = "zeros"
    rate: float = SUITABLE["zeros"]
    pictures: int = 64
    shape: bool = False
    stride: int = 32
    draw: int = 1


@dataclass(frozen=True, eq=False)
class Result:
    """What a run has reached after some steps.

    Attributes:
        step: Number of steps so far.
        figures: "seen", the loss on training pictures; on unseen ones "loss", and in percent with one decimal "miou"
            and "boundary_f1".
        labels: (h, w) uint8, of the scene that is shown.
        kernels: (P, k, k) int8, the kernels of the pairs of `shown_pairs`, from -127 to 127 for ...
        limits: ... minus to plus this weight, one a pair.
    """

    step: int
    figures: dict[str, float]
    labels: Labels
    kernels: np.ndarray
    limits: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Task:
    """What a run is measured against.

    Attributes:
        goals: Figures as in `Result`, without "seen", of "nearest" and "bilinear" upsampling and of the shipped kernel,
            "transposed", on the same unseen pictures.
        labels: (h, w) uint8 of the scene that is shown, by each of these, and "truth".
    """

    goals: dict[str, dict[str, float]]
    labels: dict[str, Labels]


@dataclass(frozen=True, eq=False)
class Picture:
    """A scene as the network sees it, with its true labels (h, w) uint8."""

    scores: Scores
    truth: Labels

    def maps(self, stride: int, shape: bool) -> np.ndarray:
        """What the layer sees: (rows, columns, C) float32, or C + E with shape channels."""
        maps = self.scores.maps[stride]
        return np.concatenate([maps, self.scores.shape], axis=-1) if shape else maps


class Learner:
    """A run: one layer, its optimizer and its pictures."""

    def __init__(self, settings: Settings, unseen: int = 8, seen: int = 4):
        """Draw the first scenes and build the layer.

        Args:
            settings: Of the run.
            unseen: Number of unseen scenes that results are measured on.
            seen: Number of training pictures whose loss is measured.

        Raises:
            ModelError: The settings ask for something that the model does not have, such as shape channels.
        """
        import keras

        check(settings)
        self.settings, self.step = settings, 0
        self._order = _order(settings.pictures, settings.draw)
        first = TRAINING_SEED + 1000 * settings.draw
        self._seeds = [first + index for index in range(settings.pictures)]
        self._seen = [self._seeds[index] for index in list(next(_order(settings.pictures, settings.draw)))[:seen]]
        self._unseen = [UNSEEN_SEED + index for index in range(unseen)]
        segmenter = network(settings.model)
        maps = self._maps(SHOWN)
        height, width = picture(settings.model, SHOWN).truth.shape
        kernel = start_kernel(settings, len(segmenter.card.classes), maps.shape[-1])
        self.layer = build_layer(kernel)
        padding = [maps.shape[0] * settings.stride - height, maps.shape[1] * settings.stride - width]
        self.network = keras.Sequential(
            [
                keras.Input((None, None, maps.shape[-1])),
                self.layer,
                keras.layers.Cropping2D([(0, more) for more in padding]),  # as with photos: the padding is cropped
            ]
        )
        self.layer.kernel.assign(kernel)
        self.loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        adam = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(settings.rate, STEPS))
        self.network.compile(adam, self.loss, jit_compile=False)  # XLA is 4 times slower
        self.pairs = shown_pairs(settings.model, settings.stride, settings.shape)

    @property
    def kernel(self) -> np.ndarray:
        """(2 stride, 2 stride, C, C) float32, or C + E input channels, in Keras' order."""
        return np.asarray(self.layer.kernel)

    def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Maps (n, rows, columns, K) float32 and labels (n, h, w) int32, endlessly, in the order of training."""
        for numbers in self._order:
            yield self._batch([self._seeds[number] for number in numbers])

    def train(self, steps: int) -> None:
        """Take some steps, each on BATCH pictures."""
        batches = self.batches()
        for _ in range(steps):
            self.network.train_on_batch(*next(batches))
            self.step += 1

    def measure(self) -> Result:
        """Measure how good it is now."""
        training_loss = float(np.mean([loss for loss, _ in self._look(self._seen)]))
        losses, scorer = [], Scorer(len(network(self.settings.model).card.classes))
        for seed, (loss, labels) in zip(self._unseen, self._look(self._unseen), strict=True):
            losses.append(loss)
            scorer.add(picture(self.settings.model, seed).truth, labels)
        [(_, labels)] = self._look([SHOWN])
        figures = {"seen": round(training_loss, 4)} | _figures(losses, scorer)
        kernels = np.stack([self.kernel[:, :, target, source] for source, target in self.pairs])
        return Result(self.step, figures, labels, *pack_kernels(kernels))

    def task(self) -> Task:
        """What to measure the run against."""
        goals = {
            upsampling: goal(self.settings.model, self.settings.stride, upsampling, len(self._unseen))
            for upsampling in UPSAMPLINGS
        }
        labels = {upsampling: label_map for upsampling, (_, label_map) in goals.items()}
        labels["truth"] = picture(self.settings.model, SHOWN).truth
        return Task({upsampling: figures for upsampling, (figures, _) in goals.items()}, labels)

    def _look(self, seeds: list[int]) -> Iterator[tuple[float, Labels]]:
        """Loss and labels of pictures with the present kernel."""
        import keras

        for start in range(0, len(seeds), BATCH):
            maps, truth = self._batch(seeds[start : start + BATCH])
            scores = self.network(maps, training=False)
            labels = keras.ops.convert_to_numpy(keras.ops.argmax(scores, -1)).astype(np.uint8)
            for index in range(len(maps)):
                yield float(self.loss(truth[index], scores[index])), labels[index]

    def _batch(self, seeds: list[int]) -> tuple[np.ndarray, np.ndarray]:
        truth = [picture(self.settings.model, seed).truth for seed in seeds]
        return np.stack([self._maps(seed) for seed in seeds]), np.stack(truth).astype(np.int32)

    def _maps(self, seed: int) -> np.ndarray:
        return picture(self.settings.model, seed).maps(self.settings.stride, self.settings.shape)


def check(settings: Settings) -> None:
    """Check that a run is possible.

    Raises:
        ModelError: It is not; the message explains why.
    """
    allowed = {"start": STARTS, "pictures": PICTURES, "stride": STRIDES, "model": ("street",)}
    for name, values in allowed.items():
        if getattr(settings, name) not in values:
            raise ModelError(f"A run with {name} {getattr(settings, name)!r} is not available. Choose one of {values}.")
    if not 0 < settings.rate <= 1:
        raise ModelError(f"The learning rate is {settings.rate}; it must be above 0 and at most 1.")
    if settings.shape and (settings.stride != 32 or not shape_channels(settings.model)):
        raise ModelError("Shape channels exist only at stride 32 of a model that has them. Train without them.")


def shape_channels(model: str) -> int:
    """Number of shape channels of a model."""
    kernel = network(model).kernel(32)
    return int(kernel.shape[3] - kernel.shape[2])


def start_kernel(settings: Settings, classes: int, channels: int) -> np.ndarray:
    """The kernel before the first step: (2 stride, 2 stride, classes, channels) float32."""
    extra = channels - classes
    if settings.start == "bilinear":
        return bilinear_kernel(settings.stride, classes, extra)
    if settings.start == "nearest":
        return nearest_kernel(settings.stride, classes, extra)
    shape = (2 * settings.stride, 2 * settings.stride, classes, channels)
    if settings.start == "zeros":
        return np.zeros(shape, np.float32)
    return np.random.default_rng(settings.draw).normal(0, RANDOM, shape).astype(np.float32)


def build_layer(kernel: np.ndarray) -> keras.layers.Conv2DTranspose:
    """The layer that a kernel (k, k, C, K) belongs to; its weights are assigned once it is built."""
    import keras

    return keras.layers.Conv2DTranspose(
        kernel.shape[2],
        kernel.shape[0],
        kernel.shape[0] // 2,
        padding="same",
        use_bias=False,
        kernel_initializer="zeros",
        name=f"upsample_{kernel.shape[0] // 2}",
    )


def shown_pairs(model: str, stride: int, shape: bool) -> tuple[tuple[int, int], ...]:
    """Pairs of channels worth showing, source and target.

    The two classes that cover most of the scene, each to itself; and from the shipped kernel the two pairs of different
    classes with the most weight and, if the layer sees them, the shape channel with the most weight.
    """
    kernel = network(model).kernel(stride)  # (k, k, C, K)
    weight = np.linalg.norm(kernel, axis=(0, 1)).T  # (K, C): of source and target
    classes = weight.shape[1]
    by_weight = [(int(flat) // classes, int(flat) % classes) for flat in np.argsort(-weight, axis=None, kind="stable")]
    covered = np.bincount(picture(model, SHOWN).truth.ravel(), minlength=classes)
    own = [(int(index), int(index)) for index in np.argsort(-covered, kind="stable")[:2]]
    other = [pair for pair in by_weight if pair[0] != pair[1] and pair[0] < classes][:2]
    extra = [pair for pair in by_weight if pair[0] >= classes][: int(shape)]
    return (*own, *other, *extra)


def pack_kernels(kernels: np.ndarray, limits: tuple[float, ...] | None = None) -> tuple[np.ndarray, tuple[float, ...]]:
    """Round kernels (P, k, k) float to int8; return them with the weight that 127 stands for, one per pair."""
    bounds = limits or tuple(float(limit) for limit in np.abs(kernels).max((1, 2)))
    scale = np.maximum(np.array(bounds), 1e-9)[:, np.newaxis, np.newaxis]
    return np.rint(127 * kernels / scale).astype(np.int8), tuple(float(f"{limit:.4g}") for limit in bounds)


def save_layer(kernel: np.ndarray) -> bytes:
    """A .keras file of a network that is this layer alone: (N, h, w, K) -> (N, h stride, w stride, C)."""
    import tempfile
    from pathlib import Path

    import keras

    layer = build_layer(kernel)
    model = keras.Sequential([keras.Input((None, None, kernel.shape[3]), name="scores"), layer], name="upsampling")
    layer.kernel.assign(kernel)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upsampling.keras"
        model.save(path)
        return path.read_bytes()


@lru_cache(2)
def network(model: str) -> Segmenter:
    """The shipped network."""
    return Segmenter.load(model)


@lru_cache(256)
def picture(model: str, seed: int) -> Picture:
    """Draw a scene and look at it with the network."""
    scene = render_scene(seed)
    return Picture(network(model).score(scene.photo), scene.labels)


@lru_cache(32)
def goal(model: str, stride: int, upsampling: str, unseen: int) -> tuple[dict[str, float], Labels]:
    """Figures of an upsampling on unseen scenes, and labels of the scene that is shown."""
    segmenter, losses = network(model), []
    scorer = Scorer(len(segmenter.card.classes))
    for seed in range(UNSEEN_SEED, UNSEEN_SEED + unseen):
        one = picture(model, seed)
        full = segmenter.enlarge(one.scores, stride, upsampling)
        losses.append(_cross_entropy(full, one.truth))
        scorer.add(one.truth, choose_classes(full))
    return _figures(losses, scorer), segmenter.upsample(picture(model, SHOWN).scores, stride, upsampling).labels


def _order(pictures: int, draw: int) -> Iterator[np.ndarray]:
    """Numbers of the pictures of each step, endlessly: all of them in turn, reshuffled each time."""
    rng = np.random.default_rng(draw)
    while True:
        order = rng.permutation(pictures)
        for start in range(0, pictures, BATCH):
            yield order[start : start + BATCH]


def _cross_entropy(scores: np.ndarray, truth: Labels) -> float:
    """Mean over all pixels, in NumPy: scores (h, w, C), truth (h, w)."""
    least = scores - scores.max(-1, keepdims=True)
    right = np.take_along_axis(least, truth[..., np.newaxis].astype(np.int64), -1)[..., 0]
    return float((np.log(np.exp(least).sum(-1)) - right).mean())


def _figures(losses: list[float], scorer: Scorer) -> dict[str, float]:
    return {
        "loss": round(float(np.mean(losses)), 4),
        "miou": round(100 * scorer.miou, 1),
        "boundary_f1": round(100 * scorer.boundary_f1, 1),
    }
