"""The arithmetic of a transposed convolution, one visible step after another, on score maps of one class.

A transposed convolution puts rows and columns of zeros between the cells and slides an ordinary convolution over the
result. Nothing here is fast: it is written to be read, and its tests hold it against Keras.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fcn.model.upsampling import apply_weights, arrange_weights, choose_classes

Map = np.ndarray  # (h, w) float: scores of one class
KERNELS = ("nearest", "bilinear")


class Change(NamedTuple):
    """How far training moved the kernel that leads from one class to another."""

    source: int
    target: int
    amount: float


def kernel(kind: str, stride: int) -> np.ndarray:
    """Return the kernel that enlarges a score map by a well-known interpolation.

    Args:
        kind: "nearest" repeats each score, "bilinear" blends neighbours.
        stride: Factor of enlargement, at least 1.

    Returns:
        (k, k) float64, 0 to 1. For nearest k is the stride; for bilinear it is twice the stride, minus one if the
        stride is odd, since the kernel then has a middle pixel.

    Raises:
        ValueError: There is no such kind, or the stride is below 1.

    Source:
        Long, Shelhamer, Darrell: Fully convolutional networks for semantic segmentation, 2015, section 3.3.
    """
    if kind not in KERNELS or stride < 1:
        raise ValueError(f"There is no kernel {kind!r} of stride {stride}. Choose one of {KERNELS}, stride 1 or more.")
    if kind == "nearest":
        return np.ones((stride, stride))
    size = 2 * stride - stride % 2
    ramp = 1 - np.abs(np.arange(size) - (size - 1) / 2) / stride  # a tent: 0 one cell away from the middle
    return np.outer(ramp, ramp)


def insert_zeros(scores: Map, stride: int) -> Map:
    """Put rows and columns of zeros between the cells.

    Args:
        scores: (h, w) float.
        stride: Distance of two neighbours afterwards, at least 1: stride - 1 zeros between them.

    Returns:
        ((h - 1) stride + 1, (w - 1) stride + 1) float64.
    """
    height, width = scores.shape
    wide = np.zeros(((height - 1) * stride + 1, (width - 1) * stride + 1))
    wide[::stride, ::stride] = scores
    return wide


def border(stride: int, size: int) -> tuple[int, int]:
    """Rows of zeros that go before and after the stretched map; the same for columns.

    They are what padding "same" means in Keras: with them every position of the window gives one output pixel, and
    there are exactly h stride of them. Of the max(size - stride, 0) surplus pixels the smaller half is cut off first.

    Args:
        stride: Factor of enlargement, at least 1.
        size: Side of the kernel, at least 1.

    Returns:
        Rows before and rows after; together size + stride - 2.
    """
    cropped = max(size - stride, 0) // 2
    return size - 1 - cropped, stride - 1 + cropped


def pad(scores: Map, stride: int, size: int) -> Map:
    """Stretch a score map and put the zeros around it.

    Args:
        scores: (h, w) float.
        stride: Factor of enlargement, at least 1.
        size: Side of the kernel, at least 1.

    Returns:
        (h stride + size - 1, w stride + size - 1) float64: the window whose first corner lies at (y, x) belongs to the
        output pixel (y, x).
    """
    return np.pad(insert_zeros(scores, stride), border(stride, size))


def products(scores: Map, stride: int, kernel: np.ndarray, row: int, column: int) -> np.ndarray:
    """Multiply one window of the stretched map by the kernel, number by number.

    Args:
        scores: (h, w) float.
        stride: Factor of enlargement, at least 1.
        kernel: (k, k) float, as the layer holds it. It is rotated by 180 degrees to match the window.
        row: Row of the output pixel, 0 to h stride - 1.
        column: Column of the output pixel, 0 to w stride - 1.

    Returns:
        (k, k) float64; their sum is the output pixel.
    """
    size = len(kernel)
    window = pad(scores, stride, size)[row : row + size, column : column + size]
    return window * kernel[::-1, ::-1]


def transposed(scores: Map, stride: int, kernel: np.ndarray) -> Map:
    """Enlarge a score map: stretch it, then slide an ordinary convolution over it.

    Args:
        scores: (h, w) float.
        stride: Factor of enlargement, at least 1.
        kernel: (k, k) float, as the layer holds it.

    Returns:
        (h stride, w stride) float64, what Keras' Conv2DTranspose gives with padding "same".

    Source:
        Dumoulin, Visin: A guide to convolution arithmetic for deep learning, 2016, chapter 4.
    """
    size = len(kernel)
    windows = np.lib.stride_tricks.sliding_window_view(pad(scores, stride, size), (size, size))
    return np.einsum("yxij,ij->yx", windows, kernel[::-1, ::-1])


def overlap(cells: int, stride: int, size: int) -> np.ndarray:
    """Count for each output pixel the cells whose kernels reach it.

    Args:
        cells: Side of the score map.
        stride: Factor of enlargement, at least 1.
        size: Side of the kernel, at least 1.

    Returns:
        (cells stride, cells stride) int64.

    Source:
        Odena, Dumoulin, Olah: Deconvolution and checkerboard artifacts, 2016.
    """
    return np.rint(transposed(np.ones((cells, cells)), stride, np.ones((size, size)))).astype(np.int64)


def inner(full: np.ndarray, stride: int, size: int) -> np.ndarray:
    """Cut off the rim of an enlarged map, where kernels hang over the edge: (H, W) -> a smaller view of it.

    Args:
        full: (h stride, w stride).
        stride: Factor of enlargement, at least 1.
        size: Side of the kernel, at least 1.

    Returns:
        The pixels that no cell beyond the edge would reach; they may be none.
    """
    cropped = max(size - stride, 0) // 2
    before = max(size - cropped - stride, 0)  # the kernel of the cell beyond the first edge ends here
    after = cropped  # and that of the cell beyond the last edge begins here
    return full[before : full.shape[0] - after, before : full.shape[1] - after]


def rank_changes(before: np.ndarray, after: np.ndarray) -> list[Change]:
    """Order the pairs of classes by how far training moved their kernels.

    Args:
        before: (k, k, C, C) float in Keras' order (height, width, output, input).
        after: (k, k, C, C) float.

    Returns:
        A change for each of the C x C pairs, the largest first; `amount` is the Euclidean length of the difference.
    """
    amounts = np.linalg.norm(after.astype(np.float64) - before, axis=(0, 1))  # (output, input)
    order = np.argsort(-amounts, axis=None, kind="stable")
    return [
        Change(int(source), int(target), float(amounts[target, source]))
        for target, source in zip(*np.unravel_index(order, amounts.shape), strict=True)
    ]


def positions(cells: int, factor: int, align_corners: bool) -> np.ndarray:
    """Where each pixel of an enlarged row looks in the small row.

    Args:
        cells: Numbers in the small row, at least 1; number i stands at place i.
        factor: Factor of enlargement, at least 1.
        align_corners: True lays the first and the last number on the first and the last pixel. False gives each number
            `factor` pixels and puts it in their middle (half-pixel centres).

    Returns:
        (cells factor,) float64 places, 0 to cells - 1.
    """
    pixels = np.arange(cells * factor)
    places = pixels * (cells - 1) / max(cells * factor - 1, 1) if align_corners else (pixels + 0.5) / factor - 0.5
    return places.clip(0, cells - 1)


def enlarged_row(row: np.ndarray, factor: int, align_corners: bool) -> np.ndarray:
    """Enlarge a row of numbers by linear interpolation: (n,) -> (n factor,); arguments as for `positions`."""
    return np.interp(positions(len(row), factor, align_corners), np.arange(len(row)), row)


def regions(mask: np.ndarray) -> int:
    """Count the patches of a mask, pixels that touch at a side belonging together.

    Args:
        mask: (H, W) bool.

    Returns:
        Number of patches, 0 for an empty mask.
    """
    left = set(zip(*(axis.tolist() for axis in np.nonzero(mask)), strict=True))
    count = 0
    while left:
        count += 1
        edge = [left.pop()]
        while edge:
            row, column = edge.pop()
            near = {(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)} & left
            left -= near
            edge += near
    return count


def partial_labels(maps: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The best class of every pixel after one, two, three and all four of the cells that reach it.

    The cells stamp their kernels row by row, so a pixel is reached from its upper left, upper right, lower left and
    lower right cell, in this order. Beyond the edge of the map there are no cells; zeros stand for them.

    Args:
        maps: (h, w, K) float32, what the transposed convolution takes.
        kernel: (2 stride, 2 stride, C, K) float32, in Keras' order (height, width, output, input).

    Returns:
        (4, h stride, w stride) uint8 class indices; the last are the labels that the network gives.
    """
    weights = arrange_weights(kernel)  # a quarter of the rows for each of the four cells
    quarter, stride = len(weights) // 4, len(kernel) // 2
    labels = []
    for cells in (1, 2, 3, 4):
        arrived = weights.copy()
        arrived[cells * quarter :] = 0
        labels.append(choose_classes(apply_weights(maps, stride, arrived)))
    return np.stack(labels)
