"""Scores against independent oracles: hand-made matrices, plain loops, SciPy's distance transform."""

import math
import time
import warnings

import numpy as np
import pytest
from scipy import ndimage

from fcn.errors import MaskError, ModelError
from fcn.photos.images import IGNORE_LABEL
from fcn.quality import metrics


def blobs(height: int, width: int, classes: int, seed: int) -> np.ndarray:
    """(H, W) uint8 labels in regions as large as those of photos."""
    values = np.random.default_rng(seed).normal(size=(classes, height, width))
    return ndimage.gaussian_filter(values, (0, 6, 6)).argmax(0).astype(np.uint8)


def ignore_spots(labels: np.ndarray, seed: int) -> np.ndarray:
    """Mark a tenth of the area as ignored, in spots."""
    spots = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=labels.shape), 3)
    return np.where(spots > np.quantile(spots, 0.9), IGNORE_LABEL, labels).astype(np.uint8)


def naive_boundary(labels: np.ndarray, label: int) -> np.ndarray:
    """(H, W) bool, pixel by pixel from the definition."""
    height, width = labels.shape
    result = np.zeros(labels.shape, bool)
    for y, x in np.argwhere(labels == label):
        around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
        inside = [labels[p] for p in around if 0 <= p[0] < height and 0 <= p[1] < width]
        result[y, x] = any(other not in (label, IGNORE_LABEL) for other in inside)
    return result


def naive_boundary_f1(truth: np.ndarray, prediction: np.ndarray, tolerance: float = 0.0075) -> float:
    """Boundary F1 by distance transforms, one class at a time."""
    radius = tolerance * math.sqrt(truth.shape[0] ** 2 + truth.shape[1] ** 2)
    prediction = np.where(truth == IGNORE_LABEL, IGNORE_LABEL, prediction)
    scores = []
    for label in set(np.unique(truth)) - {IGNORE_LABEL}:
        edges = [naive_boundary(labels, label) for labels in (truth, prediction)]
        if not edges[0].any() and not edges[1].any():
            continue
        if not edges[0].any() or not edges[1].any():
            scores.append(0.0)
            continue
        distances = [ndimage.distance_transform_edt(~edge) for edge in edges]
        precision = (distances[0][edges[1]] <= radius).mean()
        recall = (distances[1][edges[0]] <= radius).mean()
        scores.append(2 * precision * recall / (precision + recall) if precision + recall else 0.0)
    return float(np.mean(scores)) if scores else math.nan


# Confusion matrix and what derives from it


def test_confusion_matrix_by_hand() -> None:
    truth = np.array([[0, 0, 1], [1, 2, 255]], np.uint8)
    prediction = np.array([[0, 1, 1], [1, 0, 2]], np.uint8)
    matrix = metrics.confusion_matrix(truth, prediction, 4)
    assert matrix.dtype == np.int64
    assert matrix.tolist() == [[1, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert metrics.pixel_accuracy(matrix) == pytest.approx(3 / 5)
    np.testing.assert_allclose(metrics.class_iou(matrix), [1 / 3, 2 / 3, 0, np.nan])
    assert metrics.mean_iou(matrix) == pytest.approx(1 / 3)


@pytest.mark.parametrize("classes", [2, 11, 21, 255])
def test_scores_agree_with_sets_of_pixels(classes: int) -> None:
    random = np.random.default_rng(classes)
    truth = ignore_spots(random.integers(0, classes, (50, 70), dtype=np.uint8), 3)
    prediction = np.where(random.random(truth.shape) < 0.5, truth, random.integers(0, classes, truth.shape))
    prediction = np.where(truth == IGNORE_LABEL, 0, prediction).astype(np.uint8)
    matrix = metrics.confusion_matrix(truth, prediction, classes)
    seen = truth != IGNORE_LABEL
    assert matrix.sum() == seen.sum()
    assert metrics.pixel_accuracy(matrix) == pytest.approx((truth == prediction)[seen].mean())
    iou = []
    for label in range(classes):
        here, there = (truth == label), (prediction == label) & seen
        iou.append((here & there).sum() / (here | there).sum() if here.any() else np.nan)
    np.testing.assert_allclose(metrics.class_iou(matrix), iou)
    assert metrics.mean_iou(matrix) == pytest.approx(np.nanmean(iou))


def test_a_class_absent_from_the_truth_is_no_class_of_the_mean() -> None:
    matrix = np.array([[6, 2, 0], [0, 0, 0], [0, 0, 2]])
    np.testing.assert_allclose(metrics.class_iou(matrix), [6 / 8, np.nan, 1.0])
    assert metrics.mean_iou(matrix) == pytest.approx((6 / 8 + 1) / 2)


def test_nothing_counted_is_nan_without_a_warning() -> None:
    nothing = np.full((4, 5), IGNORE_LABEL, np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        matrix = metrics.confusion_matrix(nothing, np.zeros((4, 5), np.uint8), 3)
        assert math.isnan(metrics.pixel_accuracy(matrix)) and math.isnan(metrics.mean_iou(matrix))
        assert math.isnan(metrics.boundary_f1(nothing, np.zeros((4, 5), np.uint8), 3))
        assert math.isnan(metrics.Scorer(3).boundary_f1) and math.isnan(metrics.Scorer(3).miou)


def test_prediction_is_not_looked_at_where_truth_is_ignored() -> None:
    truth = np.array([[0, 255]], np.uint8)
    assert metrics.confusion_matrix(truth, np.array([[0, 99]], np.uint8), 2).tolist() == [[1, 0], [0, 0]]


def test_errors_tell_the_values_received() -> None:
    zeros = np.zeros((4, 5), np.uint8)
    with pytest.raises(MaskError, match=r"\(4, 5\).*\(5, 4\)"):
        metrics.confusion_matrix(zeros, zeros.T, 3)
    with pytest.raises(MaskError, match="3 to 3 for 3 classes"):
        metrics.confusion_matrix(zeros + 3, zeros, 3)
    with pytest.raises(ModelError, match="7 to 7 for 3 classes"):
        metrics.confusion_matrix(zeros, zeros + 7, 3)


# Boundary F1


@pytest.mark.parametrize("shape", [(60, 80), (150, 110), (1, 200), (300, 2)])
@pytest.mark.parametrize("tolerance", [0.0, 0.0075, 0.03])
def test_boundary_f1_agrees_with_distance_transforms(shape: tuple[int, int], tolerance: float) -> None:
    for seed in range(3):
        truth = ignore_spots(blobs(*shape, 6, seed), seed)
        for prediction in (np.roll(truth, 2, axis=seed % 2), blobs(*shape, 6, seed + 10), truth[::-1, ::-1]):
            prediction = np.where(prediction == IGNORE_LABEL, 0, prediction).astype(np.uint8)
            expected = naive_boundary_f1(truth, prediction, tolerance)
            assert metrics.boundary_f1(truth, prediction, 6, tolerance) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("classes", [64, 65, 150, 255])
def test_boundary_f1_of_many_classes(classes: int) -> None:
    random = np.random.default_rng(classes)
    truth, prediction = random.integers(0, classes, (2, 40, 50), dtype=np.uint8)
    expected = naive_boundary_f1(truth, prediction, 0.02)
    assert metrics.boundary_f1(truth, prediction, classes, 0.02) == pytest.approx(expected)


@pytest.mark.parametrize("shift", [0, 2, 3, 4, 5])
def test_tolerance_is_a_radius_in_pixels(shift: int) -> None:
    truth, prediction = np.zeros((2, 300, 400), np.uint8)  # diagonal 500: 0.0075 of it is 3.75 pixels
    truth[:, 200:], prediction[:, 200 + shift :] = 1, 1
    assert metrics.boundary_f1(truth, prediction, 2) == float(shift <= 3)


def test_tolerance_is_euclidean_not_square() -> None:
    truth, prediction = np.zeros((2, 300, 400), np.uint8)
    truth[100, 100] = 1
    for (dy, dx), matched in {(3, 2): True, (2, 3): True, (3, 3): False, (0, 4): False}.items():
        prediction[:] = 0
        prediction[100 + dy, 100 + dx] = 1
        edge = metrics.boundary_f1(truth, prediction, 2)  # class 1 is one pixel: its F1 is 1 or 0
        assert (edge > 0.5) == matched


def test_boundary_f1_by_convention() -> None:
    half = np.zeros((20, 20), np.uint8)
    half[:, 10:] = 1
    whole = np.zeros((20, 20), np.uint8)
    assert metrics.boundary_f1(half, half, 3) == 1
    assert metrics.boundary_f1(half, whole, 3) == 0  # class 1 is missing, class 0 has lost its boundary
    assert metrics.boundary_f1(whole, half, 3) == 0  # a boundary where there is none
    assert math.isnan(metrics.boundary_f1(whole, whole, 3))  # no boundary to measure
    assert metrics.boundary_f1(half, np.where(half == 1, 2, 0).astype(np.uint8), 3) == 0.5  # class 1 missed
    ignored = half.copy()
    ignored[:, 9:11] = IGNORE_LABEL
    assert math.isnan(metrics.boundary_f1(ignored, half, 3))  # ignored pixels make no boundary


def test_boundary_f1_is_fast_enough_for_a_validation_set() -> None:
    truth, prediction = blobs(360, 480, 11, 0), blobs(360, 480, 11, 1)
    metrics.boundary_f1(truth, prediction, 11)
    start = time.perf_counter()
    for _ in range(5):
        metrics.boundary_f1(truth, prediction, 11)
    assert (time.perf_counter() - start) / 5 < 0.2  # about 0.01 s; a slip into quadratic work shows


# Scorer


def test_tally_is_one_matrix_over_all_photos() -> None:
    photos = [(ignore_spots(blobs(40, 60, 4, seed), seed), blobs(40, 60, 4, seed + 5)) for seed in range(3)]
    photos.append((np.ones((30, 30), np.uint8), np.ones((30, 30), np.uint8)))  # no boundary: not in its mean
    scorer = metrics.Scorer(5)
    for truth, prediction in photos:
        scorer.add(truth, prediction)
    truths, predictions = (np.concatenate([pair[i].ravel() for pair in photos]) for i in (0, 1))
    matrix = metrics.confusion_matrix(truths, predictions, 5)
    np.testing.assert_array_equal(scorer.matrix, matrix)
    assert scorer.pixel_accuracy == metrics.pixel_accuracy(matrix) and scorer.miou == metrics.mean_iou(matrix)
    np.testing.assert_array_equal(scorer.iou, metrics.class_iou(matrix))
    assert scorer.boundary_f1 == pytest.approx(np.mean([naive_boundary_f1(*pair) for pair in photos[:3]]))
    assert len(scorer.boundary) == 4 and math.isnan(scorer.boundary[3])


# Near the edges


@pytest.mark.parametrize("radius", [1, 8])
def test_a_trimap_is_what_lies_near_an_edge_by_scipys_distances(radius: int) -> None:
    truth = ignore_spots(blobs(60, 80, 4, 1), 2)
    edge = np.zeros(truth.shape, bool)
    for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        edge |= np.roll(np.pad(truth, 1, mode="edge"), (dy, dx), (0, 1))[1:-1, 1:-1] != truth
    expected = (ndimage.distance_transform_edt(~edge) <= radius) & (truth != IGNORE_LABEL)
    np.testing.assert_array_equal(metrics.trimap(truth, radius), expected)


def test_trimap_miou_does_not_see_what_is_far_from_edges() -> None:
    truth = np.zeros((100, 100), np.uint8)
    truth[:, 50:] = 1
    wrong_far, wrong_near = truth.copy(), truth.copy()
    wrong_far[:, :20] = 1
    wrong_near[:, 45:50] = 1
    scorers = [metrics.Scorer(2), metrics.Scorer(2)]
    for scorer, labels in zip(scorers, (wrong_far, wrong_near), strict=True):
        scorer.add(truth, labels)
    assert scorers[0].trimap_miou(8) == 1 > scorers[0].miou
    assert scorers[1].trimap_miou(8) < scorers[1].trimap_miou(16) < scorers[1].miou < 1


def test_boundary_f1_of_a_mask_that_leaves_its_edges_out_cannot_be_measured() -> None:
    truth = np.zeros((100, 100), np.uint8)
    truth[30:70, 30:70] = 1
    ringed = truth.copy()
    ringed[26:74, 26:74] = IGNORE_LABEL
    ringed[32:68, 32:68] = 1
    assert not metrics.has_labelled_edges(ringed)
    assert metrics.has_labelled_edges(truth) and metrics.has_labelled_edges(np.zeros_like(truth))
    assert math.isnan(metrics.boundary_f1(ringed, truth, 2))
    assert metrics.boundary_f1(truth, truth, 2) == 1
    scorer = metrics.Scorer(2)
    scorer.add(ringed, truth)
    assert scorer.trimap_miou(16) == 1 and math.isnan(scorer.boundary_f1)
