"""The only path from a photo to labels: the backbone runs once, and any upsampling can be applied to its output."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fcn.errors import ModelError
from fcn.model import engines, zoo
from fcn.model.engines import Engine
from fcn.model.network import STRIDES
from fcn.model.upsampling import (
    UPSAMPLINGS,
    arrange_weights,
    bilinear,
    choose_classes,
    compute_blocks,
    join_blocks,
    nearest,
)
from fcn.photos.images import WORKING_SIDE, Labels, Photo, Pixels, network_input

#: Confidence is computed for one pixel in each block of this side: all of them would take longer than the network.
BLOCK = 4
Placing = Callable[[np.ndarray, int], np.ndarray]


@dataclass(frozen=True, eq=False)
class Scores:
    """The network's output for one photo: a score map for each stride.

    Attributes:
        maps: Stride -> (H32 / stride, W32 / stride, C) float32 logits, padding included.
        shape: (H32 / 32, W32 / 32, E) float32, the shape channels; E is 0 for a model without.
        features: Stride -> (H32 / stride, W32 / stride, K) uint8, the K backbone channels that are strongest on
            average, strongest first, each from its lowest (0) to its highest value (255).
        channels: Stride -> (K,) the numbers of those channels in the backbone.
        height: Rows of the photo at working size, pixels.
        width: Columns of the photo at working size, pixels.
        milliseconds: Time the network took.
    """

    maps: dict[int, np.ndarray]
    shape: np.ndarray
    features: dict[int, np.ndarray]
    channels: dict[int, np.ndarray]
    height: int
    width: int
    milliseconds: float

    def cells(self, stride: int) -> np.ndarray:
        """The score map without the cells that lie wholly in the padding: (ceil(h / s), ceil(w / s), C)."""
        return self.maps[stride][: -(-self.height // stride), : -(-self.width // stride)]

    def coarse_labels(self, stride: int) -> Labels:
        """The best class of each cell: (ceil(h / s), ceil(w / s)) uint8."""
        return choose_classes(self.cells(stride))

    def probabilities(self, stride: int) -> np.ndarray:
        """Softmax of each cell's scores: (ceil(h / s), ceil(w / s), C) float32, 0 to 1."""
        cells = self.cells(stride)
        odds = np.exp(cells - cells.max(-1, keepdims=True))
        return odds / odds.sum(-1, keepdims=True)

    def strongest_shapes(self) -> tuple[np.ndarray, np.ndarray]:
        """The shape channels that are strongest in this photo, as `features` and `channels` hold those of the backbone.

        Returns:
            (K,) numbers of the channels, and (ceil(h / 32), ceil(w / 32), K) uint8; K is 0 for a model without.
        """
        rows, columns, _ = self.cells(STRIDES[0]).shape
        return _strongest(self.shape[:rows, :columns])

    def confidence(self, stride: int) -> float:
        """Mean probability of the best class over the cells, 0 to 1."""
        return float(self.probabilities(stride).max(-1).mean())


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Labels of every pixel of the photo at working size.

    Attributes:
        labels: (h, w) uint8 class indices.
        confidence: (ceil(h / 4), ceil(w / 4)) uint8, probability of the best class (softmax of the upsampled scores),
            0 to 255 for 0 to 1, of one pixel in each block of 4 x 4; None if it was not requested.
        milliseconds: Time the upsampling and the choice of classes took.
    """

    labels: Labels
    confidence: np.ndarray | None
    milliseconds: float


class Segmenter:
    """A loaded model. It keeps no state between photos, so threads may share it."""

    def __init__(self, engine: Engine, card: zoo.Card, kernels: dict[int, np.ndarray] | None = None):
        """Wrap an engine.

        Args:
            engine: Runs the network.
            card: Of the model.
            kernels: Stride -> kernel of a transposed convolution, instead of the engine's own.
        """
        self.card = card
        self.engine = engine
        self._kernels = engine.kernels | (kernels or {})
        self._weights = {stride: arrange_weights(kernel) for stride, kernel in self._kernels.items()}

    def with_kernels(self, kernels: dict[int, np.ndarray]) -> Segmenter:
        """The same network with other transposed convolutions.

        Args:
            kernels: Stride -> (2 stride, 2 stride, C, C + E) float32; one with C input channels sees no shape channels.
        """
        filled = {}
        for stride, kernel in kernels.items():
            lacking = self.kernel(stride).shape[3] - kernel.shape[3]
            filled[stride] = np.pad(kernel, ((0, 0), (0, 0), (0, 0), (0, lacking)))
        return Segmenter(self.engine, self.card, filled)

    @classmethod
    def load(cls, name: str, engine: str | None = None) -> Segmenter:
        """Load a model of the zoo by name, ready to run.

        Args:
            name: Of the model.
            engine: "litert" or "keras"; default: LiteRT where it is available.

        Raises:
            ModelError: As for `zoo.read_card` and `engines.load`.
        """
        card = zoo.read_card(name)
        return cls(engines.load(card, engine), card)

    def upsamplings(self, stride: int) -> tuple[str, ...]:
        """Names of the upsamplings that `upsample` knows at a stride; "mixed" comes last, if at all."""
        mixed = stride == STRIDES[0] and self.engine.mix is not None
        return (*UPSAMPLINGS, "mixed") if mixed else UPSAMPLINGS

    def score(self, photo: Photo | Pixels, max_side: int = WORKING_SIDE) -> Scores:
        """Run the network on a photo.

        Args:
            photo: A photo from `decode` or `decode_light`; or all its pixels, (H, W, 3) uint8 RGB.
            max_side: Longest side of the working size, pixels. A smaller photo is not enlarged.
        """
        prepared = network_input(photo, max_side)
        start = time.perf_counter()
        outputs = self.engine.run(prepared.array)
        milliseconds = 1000 * (time.perf_counter() - start)
        maps = {stride: outputs[f"scores_{stride}"] for stride in STRIDES}
        strongest = {stride: _strongest(outputs[f"features_{stride}"]) for stride in STRIDES}
        features = {stride: maps_ for stride, (_, maps_) in strongest.items()}
        channels = {stride: numbers for stride, (numbers, _) in strongest.items()}
        return Scores(maps, outputs["shape_32"], features, channels, prepared.height, prepared.width, milliseconds)

    def early_features(self, pixels: Pixels, max_side: int = 480) -> dict[int, np.ndarray]:
        """Feature maps of strides 2 and 4, for a picture of what the first layers see; slow, and nothing needs them.

        Args:
            pixels: (H, W, 3) uint8 RGB.
            max_side: As for `score`.

        Returns:
            Stride -> (H32 / stride, W32 / stride, K) uint8, as `Scores.features`.
        """
        maps = self.engine.early(network_input(pixels, max_side).array)
        return {stride: _strongest(map_)[1] for stride, map_ in maps.items()}

    def upsample(
        self, scores: Scores, stride: int = 32, upsampling: str = "transposed", confidence: bool = False
    ) -> Segmentation:
        """Bring a score map to working size and choose the best class of each pixel.

        Args:
            scores: From `score` of the same model.
            stride: 32, 16 or 8.
            upsampling: "nearest", "bilinear" or "transposed"; "mixed", for stride 32 of a model with shape channels,
                is bilinear on scores with these mixed in.
            confidence: Compute the probability of the best class, too.

        Raises:
            ModelError: There is no such stride or upsampling.
        """
        start = time.perf_counter()
        full, place = self._enlarge(scores, stride, upsampling)
        labels = place(choose_classes(full), stride)[: scores.height, : scores.width]
        milliseconds = 1000 * (time.perf_counter() - start)
        if not confidence:
            return Segmentation(labels, None, milliseconds)
        some = full if upsampling == "nearest" else full[..., BLOCK // 2 :: BLOCK, BLOCK // 2 :: BLOCK, :]
        chances = place(_best_probability(some), stride // BLOCK)
        rows, columns = -(-scores.height // BLOCK), -(-scores.width // BLOCK)
        return Segmentation(labels, chances[:rows, :columns], milliseconds)

    def enlarge(self, scores: Scores, stride: int, upsampling: str) -> np.ndarray:
        """Scores of every pixel of the photo at working size, (h, w, C) float32; arguments as for `upsample`."""
        full, place = self._enlarge(scores, stride, upsampling)
        return place(full, stride)[: scores.height, : scores.width]

    def _enlarge(self, scores: Scores, stride: int, upsampling: str) -> tuple[np.ndarray, Placing]:
        """Scores of every pixel, (..., C) float32, and what brings an array of their shape to (H32, W32).

        What is needed of every pixel, such as its class, is smaller than its scores, and so is placed more quickly.
        """
        if stride not in STRIDES or upsampling not in self.upsamplings(stride):
            raise ModelError(
                f"Stride {stride} with {upsampling!r} upsampling is not available: "
                f"the strides are {STRIDES}, the upsamplings {UPSAMPLINGS}."
            )
        maps = scores.maps[stride]
        if upsampling == "nearest":
            return maps, nearest
        if upsampling == "bilinear":
            return bilinear(maps, stride), _keep
        if stride == 32:
            maps = np.concatenate([maps, scores.shape], axis=-1)
        if upsampling == "mixed":
            return bilinear(maps @ self.engine.mix, stride), _keep
        return compute_blocks(maps, stride, self._weights[stride]), join_blocks

    def kernel(self, stride: int) -> np.ndarray:
        """Return the trained kernel of a transposed convolution.

        Args:
            stride: 32, 16 or 8.

        Returns:
            (2 stride, 2 stride, C, C + E) float32, in Keras' order (height, width, output, input).

        Raises:
            ModelError: There is no such stride.
        """
        if stride not in STRIDES:
            raise ModelError(f"There is no kernel of stride {stride}: the strides are {STRIDES}.")
        return self._kernels[stride]


def _keep(array: np.ndarray, stride: int) -> np.ndarray:
    """Place nothing: every pixel is where it belongs."""
    return array


def _best_probability(scores: np.ndarray) -> np.ndarray:
    """Softmax of the best class: (..., C) float32 -> (...) uint8, 0 to 255 for 0 to 1."""
    odds = np.exp(scores - scores.max(-1, keepdims=True))  # of each class against the best
    return (255 / odds.sum(-1)).astype(np.uint8)


def _strongest(features: np.ndarray, count: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Choose the channels of a feature map (h, w, K) with the greatest mean size; return numbers and maps as uint8."""
    numbers = np.argsort(-np.abs(features).mean((0, 1)), kind="stable")[:count]
    chosen = features[..., numbers]
    low, high = chosen.min((0, 1)), chosen.max((0, 1))
    return numbers, (255 * (chosen - low) / np.maximum(high - low, 1e-6)).astype(np.uint8)
