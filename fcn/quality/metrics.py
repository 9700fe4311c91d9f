"""Scores against ground truth: everything but boundary F1 derives from one confusion matrix.

Labels are class indices; truth may hold IGNORE_LABEL, and such pixels count nowhere. Scores are fractions, 0-1.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fcn.errors import MaskError, ModelError
from fcn.photos.images import IGNORE_LABEL, Labels

Matrix = NDArray[np.int64]
TRIMAPS = (8, 16)  # pixels on either side of an edge
#: Below this share of labelled edges, a mask leaves its edges out: they lie in a ring that is not labelled.
LABELLED_EDGES = 0.1
NEIGHBOURS = ((np.s_[:-1, :], np.s_[1:, :]), (np.s_[:, :-1], np.s_[:, 1:]))  # each pixel with the one below, and beside


def confusion_matrix(truth: Labels, prediction: Labels, classes: int) -> Matrix:
    """Count the pixels of each pair of true and predicted class.

    Args:
        truth: (H, W) uint8 class indices or IGNORE_LABEL.
        prediction: (H, W) uint8 class indices; not looked at where truth is IGNORE_LABEL.
        classes: number of classes.

    Returns:
        (classes, classes) int64, one row a true class, one column a predicted class. Matrices of photos add up.

    Raises:
        MaskError: the shapes differ, or truth holds a value that is not a class.
        ModelError: prediction holds a value that is not a class.
    """
    if truth.shape != prediction.shape:
        raise MaskError(f"The mask has shape {truth.shape} and the labels {prediction.shape}. Use a mask of that size.")
    counted = truth != IGNORE_LABEL
    rows, columns = truth[counted].astype(np.int64), prediction[counted].astype(np.int64)
    if rows.size and not 0 <= rows.min() <= rows.max() < classes:
        received = f"{rows.min()} to {rows.max()}"
        raise MaskError(f"The mask holds values {received} for {classes} classes. Use class indices or {IGNORE_LABEL}.")
    if columns.size and not 0 <= columns.min() <= columns.max() < classes:
        received = f"{columns.min()} to {columns.max()}"
        raise ModelError(f"The model gave labels {received} for {classes} classes. Its card and file do not match.")
    return np.bincount(rows * classes + columns, minlength=classes**2).reshape(classes, classes).astype(np.int64)


def pixel_accuracy(matrix: Matrix) -> float:
    """Share of pixels labelled correctly.

    Args:
        matrix: (C, C) from `confusion_matrix`.

    Returns:
        Fraction 0-1; NaN if no pixel was counted.

    Source: Long, Shelhamer, Darrell 2015, "Fully Convolutional Networks for Semantic Segmentation".
    """
    total = matrix.sum()
    return float(np.trace(matrix) / total) if total else float("nan")


def class_iou(matrix: Matrix) -> NDArray[np.float64]:
    """Intersection over union of each class.

    Args:
        matrix: (C, C) from `confusion_matrix`, added up over all photos.

    Returns:
        (C,) float64, fractions 0-1. NaN for a class that never occurs in the truth: predicting it is punished where it
        stands, as a loss to the class that is there.

    Source: Everingham et al. 2015, "The Pascal Visual Object Classes Challenge: A Retrospective". There
        every class occurs in the truth, so the NaN convention is ours.
    """
    hits, present = np.diag(matrix), matrix.sum(axis=1)  # (C,), (C,)
    union = present + matrix.sum(axis=0) - hits
    iou: NDArray[np.float64] = np.divide(hits, union, out=np.full(len(matrix), np.nan), where=present > 0)
    return iou


def mean_iou(matrix: Matrix) -> float:
    """Mean IoU over the classes that occur in the truth.

    Args:
        matrix: (C, C) from `confusion_matrix`, added up over all photos.

    Returns:
        Fraction 0-1; NaN if no pixel was counted.

    Source: Long, Shelhamer, Darrell 2015, "Fully Convolutional Networks for Semantic Segmentation".
    """
    return _mean(class_iou(matrix))


def boundary_f1(truth: Labels, prediction: Labels, classes: int, tolerance: float = 0.0075) -> float:
    """F1 of class boundaries in one photo, averaged over its classes; average over photos yourself.

    A boundary pixel of a class has a 4-neighbour of another class; the photo's rim and ignored pixels make none. It is
    matched if the other labelling has a boundary pixel of the same class within the tolerance. A class that occurs in
    the truth but is not predicted has F1 0, as has any whose boundary is empty on one side only; a class without a
    boundary on both sides (it fills the photo) has nothing to measure and is left out.

    Args:
        truth: (H, W) uint8 class indices or IGNORE_LABEL.
        prediction: (H, W) uint8 class indices; not looked at where truth is IGNORE_LABEL.
        classes: number of classes.
        tolerance: radius of a match, Euclidean, as a fraction of the photo's diagonal.

    Returns:
        Mean F1 over the classes that occur in the truth, fraction 0-1; NaN if none has a boundary, or if the mask
        leaves its edges out, as those of PASCAL VOC do: then there is nothing to match.

    Source: Csurka et al. 2013, "What is a good evaluation measure for semantic segmentation?"
    """
    if not has_labelled_edges(truth):
        return float("nan")
    radius = tolerance * float(np.hypot(*truth.shape))
    present = np.bincount(truth[truth != IGNORE_LABEL], minlength=classes) > 0  # (C,)
    prediction = np.where(truth == IGNORE_LABEL, IGNORE_LABEL, prediction).astype(np.uint8)
    edges_truth, edges_prediction = _boundary(truth), _boundary(prediction)  # (H, W), (H, W)
    recalled, in_truth = _matched(edges_truth, edges_prediction, radius, classes)
    confirmed, in_prediction = _matched(edges_prediction, edges_truth, radius, classes)
    # 2PR / (P + R), with P = confirmed / in_prediction and R = recalled / in_truth
    above = 2.0 * confirmed * recalled
    below = confirmed * in_truth + recalled * in_prediction
    f1 = np.divide(above, below, out=np.zeros(classes), where=below > 0)  # (C,)
    return _mean(f1[present & (in_truth + in_prediction > 0)])


def has_labelled_edges(truth: Labels) -> bool:
    """Tell whether a mask labels both sides of its edges; a mask of one class does, having none to leave out.

    Args:
        truth: (H, W) uint8 class indices or IGNORE_LABEL.
    """
    labelled = int((_boundary(truth) != IGNORE_LABEL).sum())
    unlabelled = 0  # pixels beside an unlabelled one
    for first, second in NEIGHBOURS:
        unlabelled += int(((truth[first] == IGNORE_LABEL) != (truth[second] == IGNORE_LABEL)).sum())
    classes = np.unique(truth[truth != IGNORE_LABEL]).size
    return classes < 2 or labelled >= LABELLED_EDGES * (labelled + unlabelled)


def trimap(truth: Labels, radius: int) -> NDArray[np.bool_]:
    """Choose the labelled pixels near an edge, or near a ring that is not labelled.

    Args:
        truth: (H, W) uint8 class indices or IGNORE_LABEL.
        radius: distance from the edge, Euclidean, pixels.

    Returns:
        (H, W) bool.

    Source: Kohli et al. 2009; used by Chen et al. 2015 (DeepLab) and Long, Shelhamer, Darrell 2017.
    """
    edge = np.zeros(truth.shape, np.uint8)
    for first, second in NEIGHBOURS:
        differ = truth[first] != truth[second]
        edge[first] |= differ
        edge[second] |= differ
    return (_dilated(edge, radius) != 0) & (truth != IGNORE_LABEL)


def edges_are_labelled(truth: Labels) -> bool:
    """Whether boundary F1 can be measured: masks often leave out the pixels between two things.

    Args:
        truth: (H, W) uint8 class indices or IGNORE_LABEL.

    Returns:
        False where two classes or more hardly ever touch, since ignored pixels lie between them.
    """
    if len(np.unique(truth[truth != IGNORE_LABEL])) < 2:
        return True  # there is no edge to leave out
    touching = np.count_nonzero(_boundary(truth) != IGNORE_LABEL)
    left_out = sum(
        np.count_nonzero((first != second) & ((first == IGNORE_LABEL) | (second == IGNORE_LABEL)))
        for first, second in ((truth[:-1], truth[1:]), (truth[:, :-1], truth[:, 1:]))
    )
    return bool(touching > 0.05 * left_out)


@dataclass
class Scorer:
    """Running scores over photos: `add` each one, then read the properties.

    Attributes:
        classes: number of classes.
        matrices: (C, C) int64 confusion matrix of each photo so far.
        trimaps: radius of a trimap -> (C, C) int64 confusion matrix of each photo's pixels in it.
        boundary: boundary F1 of each photo so far, NaN where a photo has no boundary.
    """

    classes: int
    matrices: list[Matrix] = field(init=False, default_factory=list)
    trimaps: dict[int, list[Matrix]] = field(init=False)
    boundary: list[float] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.trimaps = {radius: [] for radius in TRIMAPS}

    def add(self, truth: Labels, prediction: Labels) -> None:
        """Count one photo; arguments and errors as for `confusion_matrix`."""
        self.matrices.append(confusion_matrix(truth, prediction, self.classes))
        self.boundary.append(boundary_f1(truth, prediction, self.classes))
        for radius, matrices in self.trimaps.items():
            near = trimap(truth, radius)
            matrices.append(confusion_matrix(truth[near], prediction[near], self.classes))

    @property
    def matrix(self) -> Matrix:
        """(C, C) int64 confusion matrix of all photos so far."""
        return sum(self.matrices, start=np.zeros((self.classes, self.classes), np.int64))

    def trimap_miou(self, radius: int) -> float:
        """Mean IoU of the pixels within `radius` of an edge, 0-1; NaN if no photo has any."""
        return mean_iou(sum(self.trimaps[radius], start=np.zeros((self.classes, self.classes), np.int64)))

    @property
    def pixel_accuracy(self) -> float:
        """Share of pixels labelled correctly, 0-1."""
        return pixel_accuracy(self.matrix)

    @property
    def iou(self) -> NDArray[np.float64]:
        """IoU of each class, (C,), 0-1; NaN for a class that never occurs in the truth."""
        return class_iou(self.matrix)

    @property
    def miou(self) -> float:
        """Mean IoU over the classes that occur in the truth, 0-1."""
        return mean_iou(self.matrix)

    @property
    def boundary_f1(self) -> float:
        """Mean boundary F1 over the photos that have a boundary, 0-1."""
        return _mean(np.array(self.boundary))


def _mean(values: NDArray[np.float64]) -> float:
    """Mean without NaN; NaN, and no warning, for nothing."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def _boundary(labels: Labels) -> Labels:
    """Keep the labels of boundary pixels, (H, W) to (H, W); everything else becomes IGNORE_LABEL."""
    on_boundary = np.zeros(labels.shape, bool)
    for first, second in NEIGHBOURS:
        one, other = labels[first], labels[second]
        differ = (one != other) & (one != IGNORE_LABEL) & (other != IGNORE_LABEL)
        on_boundary[first] |= differ
        on_boundary[second] |= differ
    return np.where(on_boundary, labels, np.uint8(IGNORE_LABEL))


def _matched(edges: Labels, others: Labels, radius: float, classes: int) -> tuple[Matrix, Matrix]:
    """Count each class's boundary pixels in `edges`: those with its like in `others` within `radius`, and all."""
    matched = np.zeros(edges.shape, bool)
    for first in range(0, classes, 64):  # one bit a class, so that one dilation serves up to 64 of them
        count = min(64, classes - first)
        bits = np.min_scalar_type((1 << count) - 1)
        table = np.zeros(256, bits)  # label to its bit; no bit for IGNORE_LABEL and the classes of another round
        table[first : first + count] = 1 << np.arange(count, dtype=bits)
        matched |= (_dilated(table[others], radius) & table[edges]) != 0
    total = np.bincount(edges[edges != IGNORE_LABEL], minlength=classes)  # (C,)
    return np.bincount(edges[matched], minlength=classes), total


def _dilated(bits: NDArray[np.unsignedinteger], radius: float) -> NDArray[np.unsignedinteger]:
    """Spread the bits of each pixel, (H, W), over the Euclidean disc around it.

    The disc is a stack of rows, short at its poles and long at its equator: from pole to equator one row of bits only
    ever grows, so the work is linear in the radius.
    """
    spread, row, half = np.zeros_like(bits), bits.copy(), 0
    for dy in range(int(radius), -1, -1):
        while (half + 1) ** 2 + dy**2 <= radius**2:
            half += 1
            row[:, half:] |= bits[:, :-half]
            row[:, :-half] |= bits[:, half:]
        if dy:
            spread[dy:] |= row[:-dy]
            spread[:-dy] |= row[dy:]
    spread |= row
    return spread
