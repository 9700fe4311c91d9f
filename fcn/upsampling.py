"""The last step of an FCN: a coarse score map is enlarged by its stride, back to the size of the photo.

Two ways are compared. Bilinear interpolation has nothing to learn. A transposed convolution inserts rows and columns
of zeros between the cells and slides an ordinary convolution over the result; its kernel starts as bilinear
interpolation and is trained from there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Tensor = Any  # a tensor of whichever backend Keras runs on


def bilinear_kernel(stride: int, classes: int) -> np.ndarray:
    """Return the transposed-convolution kernel that interpolates each class map bilinearly.

    Its side is twice the stride, so that every output pixel is reached by exactly 2 x 2 cells: no checkerboard.

    Args:
        stride: Factor of enlargement, an even number >= 2.
        classes: Number of class maps. Each is interpolated on its own: the kernel is diagonal over classes.

    Returns:
        (2 stride, 2 stride, classes, classes) float32, in Keras' order (height, width, output, input).

    Raises:
        ValueError: The stride is odd or below 2.

    Source:
        Long, Shelhamer, Darrell: Fully convolutional networks for semantic segmentation, 2015, section 3.3.
    """
    if stride < 2 or stride % 2:
        raise ValueError(f"The stride is {stride}; a bilinear kernel needs an even stride of at least 2.")
    offsets = np.arange(2 * stride) - (stride - 0.5)  # pixels from the kernel's centre
    ramp = 1 - np.abs(offsets) / stride  # a tent: 1 at the centre, 0 one cell away
    return np.einsum("y,x,oi->yxoi", ramp, ramp, np.eye(classes)).astype("float32")


def bilinear(scores: Tensor, stride: int) -> Tensor:
    """Enlarge a score map by bilinear interpolation (half-pixel centres).

    Args:
        scores: (N, h, w, C) float.
        stride: Factor of enlargement.

    Returns:
        (N, h stride, w stride, C), of the input's dtype.
    """
    from keras import ops

    _, height, width, _ = scores.shape
    # The sizes are Python integers: inside a graph of open size Keras' UpSampling2D cannot do this.
    return ops.image.resize(scores, (height * stride, width * stride), interpolation="bilinear")


def transposed(scores: Tensor, stride: int, kernel: Tensor) -> Tensor:
    """Enlarge a score map by a transposed convolution.

    Args:
        scores: (N, h, w, C) float.
        stride: Factor of enlargement.
        kernel: (2 stride, 2 stride, C, C), in Keras' order (height, width, output, input).

    Returns:
        (N, h stride, w stride, C), of the input's dtype.
    """
    from keras import ops

    return ops.conv_transpose(scores, kernel, strides=stride, padding="same")


#: Names of the two ways, as they stand on the command line, in links and in cards. Bilinear ignores the kernel.
UPSAMPLERS: dict[str, Callable[[Tensor, int, Tensor], Tensor]] = {
    "bilinear": lambda scores, stride, kernel: bilinear(scores, stride),
    "transposed": transposed,
}
