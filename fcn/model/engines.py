"""What runs the network: LiteRT on the converted file, or Keras, which is the reference and the fallback.

Both give the same arrays under the same names. The converted file holds the network up to its score maps, plus the
trained upsampling kernels: a server that runs on LiteRT never imports TensorFlow.
"""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from fcn import internals
from fcn.errors import ModelError
from fcn.machine import processors
from fcn.model import zoo
from fcn.model.network import EARLY_LAYERS, FEATURE_LAYERS, STRIDES

if TYPE_CHECKING:
    import keras

log = logging.getLogger("fcn")

#: Names of the arrays that a run gives, in the order of the converted file.
OUTPUTS = (*(f"{kind}_{stride}" for kind in ("scores", "features") for stride in STRIDES), "shape_32")
TOLERANCE = 1e-3  # of a score, between the engines


class Engine(Protocol):
    """What a segmenter needs of an engine.

    Attributes:
        name: "litert" or "keras".
        kernels: Stride -> (2 stride, 2 stride, C, C + E) float32, the trained kernels of the transposed convolutions;
            E is 0 but for stride 32 of a model with shape channels.
        mix: (C + E, C) float32, the 1x1 convolution that mixes scores and shape channels; None for a model without.
    """

    name: str
    kernels: dict[int, np.ndarray]
    mix: np.ndarray | None

    def run(self, photo: np.ndarray) -> dict[str, np.ndarray]:
        """(1, H, W, 3) float32, H and W multiples of 32 -> OUTPUTS, each (H / stride, W / stride, channels) float32.

        "shape_32" has no channels for a model without them.
        """

    def early(self, photo: np.ndarray) -> dict[int, np.ndarray]:
        """Feature maps before those that are scored: as for `run` -> stride 2 and 4, (H / stride, W / stride, K).

        The network runs a second time for them, slowly, so that `run` need not carry them out.
        """


class KerasEngine:
    """The model as it was trained, on the backend that Keras runs on."""

    name = "keras"

    def __init__(self, model: keras.Model):
        self._model = model
        self._network = _compiled(scoring(model))
        self.kernels = {stride: np.asarray(model.get_layer(f"upsample_{stride}").kernel) for stride in STRIDES}
        self.mix = np.asarray(model.get_layer("mix_32").kernel)[0, 0] if "shape_32" in model.output else None
        self.run(np.zeros((1, STRIDES[0], STRIDES[0], 3), np.float32))  # the graph is traced now, not with a photo

    def run(self, photo: np.ndarray) -> dict[str, np.ndarray]:
        """As for `Engine`; threads may run it at once."""
        return named([np.asarray(array)[0] for array in self._network(photo)])

    def early(self, photo: np.ndarray) -> dict[int, np.ndarray]:
        """As for `Engine`."""
        import keras

        layers = [self._model.get_layer(name).output for name in EARLY_LAYERS.values()]
        maps = keras.Model(self._model.input, layers)(photo, training=False)
        return {
            stride: np.asarray(keras.ops.convert_to_numpy(map_))[0]
            for stride, map_ in zip(EARLY_LAYERS, maps, strict=True)
        }


class LiteRTEngine:
    """The converted model on LiteRT's XNNPACK kernels: half the time of TensorFlow's on a CPU."""

    name = "litert"

    def __init__(self, data: bytes):
        """Open a converted model, as `convert` returns it.

        Raises:
            ImportError: LiteRT is not installed.
        """
        from ai_edge_litert.interpreter import Interpreter

        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            self.kernels = {stride: join_bytes(arrays[f"kernel_{stride}"]) for stride in STRIDES}
            self.mix = join_bytes(arrays["mix"]) if "mix" in arrays else None
            self._graph = join_bytes(arrays["graph"]).tobytes()  # the interpreter reads from it as long as it exists
        self._interpreter = Interpreter(model_content=self._graph, num_threads=processors())
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [detail["index"] for detail in self._interpreter.get_output_details()]
        self._lock = threading.Lock()

    def run(self, photo: np.ndarray) -> dict[str, np.ndarray]:
        """As for `Engine`; an interpreter has one set of buffers, so threads take turns."""
        with self._lock:
            if tuple(self._interpreter.get_input_details()[0]["shape"]) != photo.shape:
                self._interpreter.resize_tensor_input(self._input, photo.shape)
                self._interpreter.allocate_tensors()
            self._interpreter.set_tensor(self._input, photo)
            self._interpreter.invoke()
            arrays = [self._interpreter.get_tensor(index)[0] for index in self._outputs]  # copies
        return named(arrays)

    def early(self, photo: np.ndarray) -> dict[int, np.ndarray]:
        """As for `Engine`. A separate interpreter keeps every tensor, which the fast one would overwrite."""
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        interpreter = Interpreter(
            model_content=self._graph,
            num_threads=processors(),
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        interpreter.resize_tensor_input(self._input, photo.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(self._input, photo)
        interpreter.invoke()
        maps = {}
        for stride, layer in EARLY_LAYERS.items():
            side = photo.shape[1] // stride, photo.shape[2] // stride
            for detail in interpreter.get_tensor_details():
                if f"/{layer}" in detail["name"] and len(detail["shape"]) == 4:
                    tensor = interpreter.get_tensor(detail["index"])
                    if tensor.shape[1:3] == side:
                        maps[stride] = tensor[0]
        return maps


def named(arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Name the outputs of a network; one without shape channels gives none of them."""
    if len(arrays) < len(OUTPUTS):
        arrays = [*arrays, np.zeros((*arrays[0].shape[:2], 0), np.float32)]
    return dict(zip(OUTPUTS, arrays, strict=True))


def load(card: zoo.Card, engine: str | None = None, folder: Path | None = None) -> Engine:
    """Load a model on an engine.

    Args:
        card: The model's card.
        engine: "litert" or "keras"; default: LiteRT where it is installed and the converted file is the card's.
        folder: Where the files are; default: `zoo.MODELS`.

    Raises:
        ModelError: As for `zoo.load` and `zoo.converted`; or LiteRT was asked for and is not installed.
    """
    if engine != "keras":
        try:
            return LiteRTEngine(zoo.converted(card, folder))
        except (ImportError, ModelError) as error:
            if engine == "litert":
                raise ModelError(f"{card.name} cannot run on LiteRT: {error}") from error
            log.warning("%s runs on Keras, more slowly: %s", card.name, error)
    return KerasEngine(zoo.load(card, folder))


def scoring(model: keras.Model) -> keras.Model:
    """The part of a model that an engine runs: photo -> a list of arrays, named by OUTPUTS."""
    import keras

    scores = [model.output[f"scores_{stride}"] for stride in STRIDES]
    features = [model.get_layer(FEATURE_LAYERS[stride]).output for stride in STRIDES]
    shape = [model.output["shape_32"]] if "shape_32" in model.output else []
    return keras.Model(model.input, scores + features + shape)


def convert(model: keras.Model) -> bytes:
    """Convert a model for LiteRT and check the result against Keras. Needs TensorFlow as Keras' backend.

    Returns:
        A compressed .npz file of float32 values as `split_bytes` arranges them: "graph", the LiteRT model, padded to
        whole values, "kernel_S" for each stride, and "mix" if there are shape channels.

    Raises:
        ModelError: The converted model scores differently.
    """
    import tensorflow as tf

    signature = [tf.TensorSpec((1, None, None, 3), tf.float32)]
    network = scoring(model)
    traced = tf.function(lambda photo: network(photo, training=False), input_signature=signature)
    frozen = internals.freeze(traced.get_concrete_function())
    graph = tf.lite.TFLiteConverter.from_concrete_functions([frozen]).convert()
    graph += bytes(-len(graph) % 4)
    reference = KerasEngine(model)
    weights = {"graph": np.frombuffer(graph, np.float32)}
    weights |= {f"kernel_{stride}": kernel for stride, kernel in reference.kernels.items()}
    if reference.mix is not None:
        weights["mix"] = reference.mix
    file = io.BytesIO()
    packed = {name: split_bytes(values) for name, values in weights.items()}
    np.savez_compressed(file, allow_pickle=False, **packed)
    _check(LiteRTEngine(file.getvalue()), reference)
    return file.getvalue()


def split_bytes(values: np.ndarray) -> np.ndarray:
    """Lay the first bytes of all values together, then the second and so on, which compresses by a fifth more.

    Args:
        values: (...) float32.

    Returns:
        (4, ...) uint8.
    """
    return np.ascontiguousarray(np.moveaxis(values[..., np.newaxis].view(np.uint8), -1, 0))


def join_bytes(split: np.ndarray) -> np.ndarray:
    """Undo `split_bytes`."""
    joined = np.empty((*split.shape[1:], 4), np.uint8)
    for place in range(4):
        joined[..., place] = split[place]  # four times as quick as a copy of the transposed array
    values: np.ndarray = joined.view(np.float32)[..., 0]
    return values


def _check(converted: Engine, reference: Engine) -> None:
    photo = np.random.default_rng(0).uniform(0, 255, (1, 96, 128, 3)).astype(np.float32)
    received, expected = converted.run(photo), reference.run(photo)
    for name in OUTPUTS:
        difference = float(np.abs(received[name] - expected[name]).max(initial=0))
        if not name.startswith("features") and difference > TOLERANCE:
            raise ModelError(f"The converted model's {name} differ by {difference:.2g} from those of Keras.")


def _compiled(network: keras.Model) -> Callable[[np.ndarray], list[Any]]:
    """On TensorFlow, one graph for photos of every size: a third of the time of calling the model as it is."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return lambda photo: [keras.ops.convert_to_numpy(array) for array in network(photo, training=False)]
    import tensorflow as tf

    signature = [tf.TensorSpec((1, None, None, 3), tf.float32)]
    return tf.function(lambda photo: network(photo, training=False), input_signature=signature)
