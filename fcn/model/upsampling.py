"""The last step of an FCN: a coarse score map is enlarged by its stride, back to the size of the photo.

Three methods are compared. Nearest repeats each cell. Bilinear interpolation blends neighbours and has nothing to
learn. A transposed convolution inserts rows and columns of zeros between the cells and slides an ordinary convolution
over the result; its kernel starts as bilinear interpolation and is trained from there. All three are plain NumPy here;
the layers that are trained are Keras' (network.py).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from fcn.machine import processors

#: Names of the methods on the command line, in links and in cards; plainest first.
UPSAMPLINGS = ("nearest", "bilinear", "transposed")
#: The four cells around a block of pixels: rows down and columns to the right.
CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))
BAND = 1 << 15  # pixels whose class is chosen at a time

_threads = ThreadPoolExecutor(processors(), "multiply")


def bilinear_kernel(stride: int, classes: int, extra: int = 0) -> np.ndarray:
    """Return the transposed-convolution kernel that interpolates each class map bilinearly.

    Its side is twice the stride, so that every output pixel is reached by exactly 2 x 2 cells: no checkerboard.

    Args:
        stride: Factor of enlargement, an even number >= 2.
        classes: Number of class maps. Each is interpolated on its own: the kernel is diagonal over classes.
        extra: Number of input channels after the class maps, such as shape channels. Their weights are zero.

    Returns:
        (2 stride, 2 stride, classes, classes + extra) float32, in Keras' order (height, width, output, input).

    Raises:
        ValueError: The stride is odd or below 2.

    Source:
        Long, Shelhamer, Darrell: Fully convolutional networks for semantic segmentation, 2015, section 3.3.
    """
    if stride < 2 or stride % 2:
        raise ValueError(f"The stride is {stride}; a bilinear kernel needs an even stride of at least 2.")
    offsets = np.arange(2 * stride) - (stride - 0.5)  # pixels from the kernel's centre
    ramp = 1 - np.abs(offsets) / stride  # a tent: 1 at the centre, 0 one cell away
    return np.einsum("y,x,oi->yxoi", ramp, ramp, np.eye(classes, classes + extra)).astype("float32")


def nearest_kernel(stride: int, classes: int, extra: int = 0) -> np.ndarray:
    """Return the transposed-convolution kernel that repeats each cell; arguments and result as for `bilinear_kernel`.

    Of the kernel's two strides only the middle one is used, so that all kernels to compare have one size.
    """
    box = (np.abs(np.arange(2 * stride) - (stride - 0.5)) < stride / 2).astype(np.float32)
    return np.einsum("y,x,oi->yxoi", box, box, np.eye(classes, classes + extra)).astype("float32")


def bilinear(scores: np.ndarray, stride: int) -> np.ndarray:
    """Enlarge a score map by bilinear interpolation (half-pixel centres, edges repeated).

    Args:
        scores: (h, w, C) float32.
        stride: Factor of enlargement.

    Returns:
        (h stride, w stride, C) float32.
    """
    rows, columns = (_shares(cells, stride) for cells in scores.shape[:2])
    tall = rows @ np.moveaxis(scores, -1, 0)  # (C, h stride, w)
    full = (tall.reshape(-1, tall.shape[-1]) @ columns.T).reshape(*tall.shape[:2], -1)  # in one large product
    return np.moveaxis(full, 0, -1)


def nearest(maps: np.ndarray, stride: int) -> np.ndarray:
    """Enlarge maps by repeating each cell: (h, w, ...) -> (h stride, w stride, ...)."""
    return maps.repeat(stride, 0).repeat(stride, 1)


def transposed(maps: np.ndarray, stride: int, kernel: np.ndarray) -> np.ndarray:
    """Enlarge a score map by a transposed convolution: what `keras.layers.Conv2DTranspose` ("same") gives.

    Args:
        maps: (h, w, C + E) float32: scores of C classes, then E shape channels, which may be none.
        stride: Factor of enlargement, even.
        kernel: (2 stride, 2 stride, C, C + E), in Keras' order (height, width, output, input).

    Returns:
        (h stride, w stride, C) float32.
    """
    return apply_weights(maps, stride, arrange_weights(kernel))


def arrange_weights(kernel: np.ndarray) -> np.ndarray:
    """Arrange the kernel of a transposed convolution as a matrix; done once per model.

    The output falls into blocks of stride x stride pixels, each between four cell centres. A kernel twice as wide as
    the stride reaches a block from just those four cells, with another quarter of it from each: a matrix product.

    Args:
        kernel: (2 stride, 2 stride, C, K).

    Returns:
        (4 K, C stride stride) float32.
    """
    stride = kernel.shape[0] // 2
    quarters = [kernel[(1 - down) * stride :, (1 - right) * stride :][:stride, :stride] for down, right in CORNERS]
    return np.concatenate([np.transpose(quarter, (3, 2, 0, 1)).reshape(kernel.shape[3], -1) for quarter in quarters])


def apply_weights(maps: np.ndarray, stride: int, weights: np.ndarray) -> np.ndarray:
    """Apply a transposed convolution: `maps` (h, w, K), `weights` of `arrange_weights` -> (h stride, w stride, C)."""
    return join_blocks(compute_blocks(maps, stride, weights), stride)


def compute_blocks(maps: np.ndarray, stride: int, weights: np.ndarray) -> np.ndarray:
    """Apply a transposed convolution and leave its output in blocks, as `arrange_weights` explains.

    Who needs only the best class of each pixel chooses it here and joins blocks of labels, which are much smaller.

    Args:
        maps: (h, w, K) float32.
        stride: Factor of enlargement, even.
        weights: Of `arrange_weights`.

    Returns:
        (h + 1, w + 1, stride, stride, C) float32; the outer half of the outer blocks lies beyond the picture.
    """
    height, width, channels = maps.shape
    padded = np.pad(maps, ((1, 1), (1, 1), (0, 0)))  # zeros lie around the map
    cells = [padded[down : down + height + 1, right : right + width + 1] for down, right in CORNERS]
    blocks = np.concatenate(cells, axis=-1).reshape(-1, 4 * channels)
    blocks = _multiply(blocks, weights)  # (blocks, C stride stride)
    return np.moveaxis(blocks.reshape(height + 1, width + 1, -1, stride, stride), 2, -1)


def join_blocks(blocks: np.ndarray, stride: int) -> np.ndarray:
    """Put the blocks of `compute_blocks` in their places and cut off what lies beyond the picture.

    Args:
        blocks: (h + 1, w + 1, stride, stride, ...).
        stride: Side of a block, even.

    Returns:
        (h stride, w stride, ...).
    """
    rows, columns, _, _, *rest = blocks.shape
    sorted_ = np.moveaxis(blocks, (0, 2, 1, 3), (-4, -3, -2, -1))  # (..., h + 1, stride, w + 1, stride)
    joined = np.moveaxis(sorted_.reshape(*rest, rows * stride, columns * stride), (-2, -1), (0, 1))
    rim = stride // 2
    return joined[rim:-rim, rim:-rim]


def choose_classes(scores: np.ndarray) -> np.ndarray:
    """Choose the best class of each pixel.

    Args:
        scores: (..., C) float32. Quickest if the memory is laid out class by class, as all functions here give it.

    Returns:
        (...) uint8: what `scores.argmax(-1)` gives, in a third of the time.
    """
    labels = np.zeros(scores.shape[:-1], np.uint8)
    rows = max(1, BAND // max(1, labels[0].size))
    for top in range(0, len(labels), rows):  # bands that fit into the processor's cache
        band, chosen = scores[top : top + rows], labels[top : top + rows]
        best = band[..., 0].copy()
        for index in range(1, scores.shape[-1]):
            better = band[..., index] > best
            np.maximum(best, band[..., index], out=best)
            np.maximum(chosen, better * np.uint8(index), out=chosen)  # later ones have the greater index
    return labels


def _multiply(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The matrix product, on all processors.

    BLAS has threads too, but they keep spinning after a product: the network's next photo then takes twice as long.
    """
    product = np.empty((len(left), right.shape[1]), np.result_type(left, right))
    ends = np.linspace(0, right.shape[1], processors() + 1).astype(int)
    parts = [slice(start, end) for start, end in zip(ends[:-1], ends[1:], strict=True)]
    list(_threads.map(lambda part: np.matmul(left, right[:, part], out=product[:, part]), parts))
    return product


def _shares(cells: int, stride: int) -> np.ndarray:
    """How much of each cell is in each pixel along one side: (cells stride, cells) float32, rows sum to 1."""
    centres = (np.arange(cells * stride) + 0.5) / stride - 0.5  # of the pixels, counted in cells
    distance = np.abs(centres.clip(0, cells - 1)[:, np.newaxis] - np.arange(cells))
    return np.maximum(0, 1 - distance).astype(np.float32)
