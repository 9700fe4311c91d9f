"""The only way from a photo to labels: the backbone runs once, and any upsampling is tried on what it gave."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fcn import zoo
from fcn.errors import ModelError
from fcn.images import Labels, Pixels, network_input
from fcn.network import STRIDES
from fcn.upsampling import UPSAMPLERS

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, eq=False)
class Scores:
    """What the network says of one photo: a score map for each stride.

    Attributes:
        maps: Stride -> (H32 / stride, W32 / stride, C) float32 logits, padding included.
        height: Rows of the photo at working size, pixels.
        width: Columns of the photo at working size, pixels.
        milliseconds: Time the network took.
    """

    maps: dict[int, np.ndarray]
    height: int
    width: int
    milliseconds: float

    def cells(self, stride: int) -> np.ndarray:
        """The score map without the cells that lie wholly in the padding: (ceil(h / s), ceil(w / s), C)."""
        return self.maps[stride][: -(-self.height // stride), : -(-self.width // stride)]

    def coarse_labels(self, stride: int) -> Labels:
        """The best class of each cell: (ceil(h / s), ceil(w / s)) uint8."""
        return self.cells(stride).argmax(-1).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Labels of every pixel of the photo at working size.

    Attributes:
        labels: (h, w) uint8 class indices.
        milliseconds: Time the upsampling took.
    """

    labels: Labels
    milliseconds: float


class Segmenter:
    """A loaded model. It keeps no state between photos, so threads may share it."""

    def __init__(self, model: keras.Model, card: zoo.Card):
        import keras

        self.card = card
        scores = {str(stride): model.output[f"scores_{stride}"] for stride in STRIDES}
        self._network = _compiled(keras.Model(model.input, scores))
        self._kernels = {stride: model.get_layer(f"upsample_{stride}").kernel for stride in STRIDES}

    @classmethod
    def load(cls, name: str) -> Segmenter:
        """Load a model of the zoo by name.

        Raises:
            ModelError: As for `zoo.read_card` and `zoo.load`.
        """
        card = zoo.read_card(name)
        return cls(zoo.load(card), card)

    def score(self, pixels: Pixels, longest: int = 480) -> Scores:
        """Run the network on a photo.

        Args:
            pixels: (H, W, 3) uint8 RGB.
            longest: Longest side of the working size, pixels. A smaller photo is not enlarged.
        """
        prepared = network_input(pixels, longest)
        start = time.perf_counter()
        outputs = self._network(prepared.array)
        maps = {stride: np.asarray(outputs[str(stride)])[0] for stride in STRIDES}
        return Scores(maps, prepared.height, prepared.width, 1000 * (time.perf_counter() - start))

    def upsample(self, scores: Scores, stride: int = 32, upsampling: str = "transposed") -> Segmentation:
        """Bring a score map to working size and choose the best class of each pixel.

        Args:
            scores: From `score` of the same model.
            stride: 32, 16 or 8.
            upsampling: "bilinear" or "transposed".

        Raises:
            ModelError: There is no such stride or upsampling.
        """
        from keras import ops

        if stride not in STRIDES or upsampling not in UPSAMPLERS:
            raise ModelError(
                f"Stride {stride} with {upsampling!r} upsampling is not to be had: "
                f"the strides are {STRIDES}, the ways {tuple(UPSAMPLERS)}."
            )
        start = time.perf_counter()
        coarse = ops.convert_to_tensor(scores.maps[stride][np.newaxis])  # (1, H32 / s, W32 / s, C)
        full = UPSAMPLERS[upsampling](coarse, stride, self._kernels[stride])  # (1, H32, W32, C)
        labels = ops.convert_to_numpy(ops.argmax(full, axis=-1))[0, : scores.height, : scores.width]
        return Segmentation(labels.astype(np.uint8), 1000 * (time.perf_counter() - start))


def _compiled(model: keras.Model) -> Callable[[np.ndarray], dict[str, Any]]:
    """On TensorFlow, one graph for photos of every size: a third of the time of calling the model as it is."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return lambda array: {name: keras.ops.convert_to_numpy(map_) for name, map_ in model(array).items()}
    import tensorflow as tf

    signature = [tf.TensorSpec((1, None, None, 3), tf.float32)]
    return tf.function(lambda array: model(array, training=False), input_signature=signature)
