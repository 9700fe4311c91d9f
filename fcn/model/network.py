"""The network: a fully convolutional EfficientNet-Lite0, with one score map for each of three strides.

Read `build` top to bottom: a photo goes in, the backbone shrinks it 32 times, 1x1 convolutions score the classes,
earlier features are added at strides 16 and 8, and one transposed convolution a stride brings the scores to full size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fcn.model.upsampling import bilinear_kernel

if TYPE_CHECKING:
    import keras

STRIDES = (32, 16, 8)

Tensor = Any  # a Keras tensor, symbolic


class Stage(NamedTuple):
    """A run of inverted-residual blocks of one width; only the first of them has the stride."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


#: EfficientNet-Lite0. Source: Tan and Le, EfficientNet, 2019; the "lite" variants drop squeeze-and-excitation.
STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),  # stride 8 ends here
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),  # stride 16 ends here
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
#: The layers whose outputs are scored, by stride.
FEATURE_LAYERS = {8: "block4_add", 16: "block10_add", 32: "top_relu"}
#: The last layers of the strides before; nothing is scored there, but a picture may show what they see.
EARLY_LAYERS = {2: "block0_project_bn", 4: "block2_add"}
STEM_CHANNELS = 32
TOP_CHANNELS = 1280
SHAPE_CHANNELS = 48


def build(classes: int, shape_channels: int = SHAPE_CHANNELS, dropout: float = 0.0) -> keras.Model:
    """Build the FCN with random weights and bilinear upsampling kernels.

    Args:
        classes: Number of classes C, at least 2.
        shape_channels: Number of shape channels E, at least 0.
        dropout: Rate before each 1x1 scoring convolution, 0 to 1. It acts in training only.

    Returns:
        A functional model. Input (N, H, W, 3) float, RGB 0-255, H and W multiples of 32. Output, a dictionary:
        "scores_S" (N, H/S, W/S, C) float, unbounded class scores (logits), and
        "upsampled_S" (N, H, W, C), the same scores brought to full size by the transposed convolution
        of stride S, for S in 32, 16, 8. With shape channels also
        "shape_32" (N, H/32, W/32, E) float, at least 0: what the transposed convolution of stride 32 sees besides the
        scores, and "mixed_32" (N, H/32, W/32, C), scores that a 1x1 convolution makes of both: enlarged bilinearly,
        they show what mixing channels is worth without a trained upsampling kernel.

    Raises:
        ValueError: There are fewer than two classes, or fewer than no shape channels.

    Source:
        Long, Shelhamer, Darrell: Fully convolutional networks for semantic segmentation, 2015, section 4.
    """
    import keras

    if classes < 2:
        raise ValueError(f"The network was asked for {classes} classes; segmentation needs at least 2.")
    if shape_channels < 0:
        raise ValueError(f"The network was asked for {shape_channels} shape channels; the minimum is 0.")
    photo = keras.Input((None, None, 3), name="photo")
    features = backbone(photo)

    top, extra = features[32], []
    if shape_channels:
        shape = keras.layers.Conv2D(shape_channels, 1, activation="relu", name="shape_32")(features[32])
        # The scores may use all that the shape channels know about classes, so that all these add in the transposed
        # convolution is where in a cell an edge lies.
        top = keras.layers.Concatenate(name="features_and_shape")([features[32], shape])
        extra = [shape]

    scores = {32: _score(top, classes, 32, dropout)}
    for stride in (16, 8):
        coarser = _transposed([scores[2 * stride]], classes, 2, f"enlarge_{2 * stride}")
        finer = _score(features[stride], classes, stride, dropout)
        scores[stride] = keras.layers.Add(name=f"scores_{stride}")([coarser, finer])

    outputs = {f"scores_{stride}": scores[stride] for stride in STRIDES}
    outputs["upsampled_32"] = _transposed([scores[32], *extra], classes, 32, "upsample_32")
    outputs |= {
        f"upsampled_{stride}": _transposed([scores[stride]], classes, stride, f"upsample_{stride}")
        for stride in (16, 8)
    }
    if shape_channels:
        outputs["shape_32"] = shape
        outputs["mixed_32"] = _mix(scores[32], shape, classes)
    return keras.Model(photo, outputs, name="fcn")


def backbone(photo: Tensor) -> dict[int, Tensor]:
    """Apply EfficientNet-Lite0 without its classifier.

    Args:
        photo: (N, H, W, 3) RGB 0-255.

    Returns:
        Feature maps by stride: 8 -> (N, H/8, W/8, 40), 16 -> (N, H/16, W/16, 112), 32 -> (N, H/32, W/32, 1280).
    """
    import keras

    x = keras.layers.Rescaling(1 / 128, offset=-127 / 128, name="rescale")(photo)
    x = _convolution(x, STEM_CHANNELS, 3, 2, "stem")
    features, stride, index = {}, 2, 0
    for stage in STAGES:
        stride *= stage.stride
        for position in range(stage.blocks):
            x = _block(x, stage, stage.stride if position == 0 else 1, f"block{index}")
            index += 1
        features[stride] = x
    features[32] = _convolution(x, TOP_CHANNELS, 1, 1, "top")
    return {stride: features[stride] for stride in STRIDES}


def _block(x: Tensor, stage: Stage, stride: int, name: str) -> Tensor:
    """Inverted residual: widen, filter each channel on its own, narrow; add the input where the shape is kept."""
    import keras

    inputs, channels = x, x.shape[-1]
    if stage.expansion > 1:
        x = _convolution(x, channels * stage.expansion, 1, 1, f"{name}_expand")
    x = keras.layers.DepthwiseConv2D(stage.kernel, stride, "same", use_bias=False, name=f"{name}_depthwise")(x)
    x = _normalise(x, f"{name}_depthwise")
    x = _convolution(x, stage.channels, 1, 1, f"{name}_project", activate=False)
    if stride == 1 and channels == stage.channels:
        x = keras.layers.Add(name=f"{name}_add")([inputs, x])
    return x


def _convolution(x: Tensor, channels: int, kernel: int, stride: int, name: str, activate: bool = True) -> Tensor:
    import keras

    x = keras.layers.Conv2D(channels, kernel, stride, "same", use_bias=False, name=name)(x)
    return _normalise(x, name, activate)


def _normalise(x: Tensor, name: str, activate: bool = True) -> Tensor:
    import keras

    x = keras.layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=f"{name}_bn")(x)
    return keras.layers.ReLU(6.0, name=f"{name}_relu")(x) if activate else x


def _score(features: Tensor, classes: int, stride: int, dropout: float) -> Tensor:
    """Score the classes in every cell: the fully connected classifier, slid over the map as a 1x1 convolution."""
    import keras

    features = keras.layers.Dropout(dropout, name=f"dropout_{stride}")(features)
    # Zeros at the start, as in the paper: no opinion before anything is learned.
    return keras.layers.Conv2D(classes, 1, kernel_initializer="zeros", name=f"score_{stride}")(features)


def _mix(scores: Tensor, shape: Tensor, classes: int) -> Tensor:
    """A 1x1 convolution of scores and shape channels that starts by passing the scores through."""
    import keras

    layer = keras.layers.Conv2D(classes, 1, use_bias=False, kernel_initializer="zeros", name="mix_32")
    mixed = layer(keras.layers.Concatenate(name="mix_32_input")([scores, shape]))
    layer.kernel.assign(np.eye(classes + shape.shape[-1], classes)[np.newaxis, np.newaxis])
    return mixed


def _transposed(maps: list[Tensor], classes: int, factor: int, name: str) -> Tensor:
    """Enlarge class scores, the first of `maps`; the kernel starts bilinear on them and zero on the rest."""
    import keras

    joined = maps[0] if len(maps) == 1 else keras.layers.Concatenate(name=f"{name}_input")(maps)
    start = keras.initializers.Constant(0)  # replaced below: a saved file must not hold the whole kernel as a config
    layer = keras.layers.Conv2DTranspose(
        classes, 2 * factor, factor, "same", use_bias=False, kernel_initializer=start, name=name
    )
    enlarged = layer(joined)
    layer.kernel.assign(bilinear_kernel(factor, classes, joined.shape[-1] - classes))
    return enlarged
