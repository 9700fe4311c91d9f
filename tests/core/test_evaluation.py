"""Evaluation of a folder: what does not fit is said, and what fits is counted as by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcn.errors import DataError, MaskError, PhotoError
from fcn.model.network import STRIDES
from fcn.model.segmenter import Scores, Segmentation, Segmenter
from fcn.model.upsampling import UPSAMPLINGS
from fcn.photos.images import shrink
from fcn.quality.evaluation import evaluate, find_pairs, percent, read_pair
from tests.support.photos import smooth_photo


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder of two photos, 40 x 30 pixels, with masks of class 0."""
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
    for index, name in enumerate(("b", "a")):
        Image.fromarray(smooth_photo(30, 40, seed=index)).save(tmp_path / "images" / f"{name}.png")
        Image.fromarray(np.zeros((30, 40), np.uint8)).save(tmp_path / "labels" / f"{name}.png")
    return tmp_path


def replace_mask(folder: Path, mask: np.ndarray) -> tuple[Path, Path]:
    """Put another mask beside photo a."""
    Image.fromarray(mask).save(folder / "labels" / "a.png")
    return find_pairs(folder)[0]


def test_pairs_are_sorted_by_name(folder: Path) -> None:
    (folder / "images" / ".DS_Store").touch()
    assert find_pairs(folder) == [(folder / "images" / n, folder / "labels" / n) for n in ("a.png", "b.png")]


def test_a_missing_folder(folder: Path) -> None:
    (folder / "labels").rename(folder / "masks")
    with pytest.raises(DataError, match="no folder .*labels"):
        find_pairs(folder)
    with pytest.raises(DataError, match="no folder .*images"):
        find_pairs(folder / "nowhere")


def test_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    with pytest.raises(DataError, match="images is empty"):
        find_pairs(tmp_path)


def test_a_photo_without_a_mask(folder: Path) -> None:
    (folder / "labels" / "b.png").unlink()
    with pytest.raises(DataError, match="1 photos have no mask in .*labels; the first missing one is b.png"):
        find_pairs(folder)


def test_a_pair_is_read_as_it_is(folder: Path) -> None:
    mask = np.arange(1200, dtype=np.uint8).reshape(30, 40) % 11
    mask[0, 0] = 255
    photo, labels = read_pair(replace_mask(folder, mask), 11)
    np.testing.assert_array_equal(photo, smooth_photo(30, 40, seed=1))
    np.testing.assert_array_equal(labels, mask)
    assert labels.dtype == np.uint8


def test_a_photo_is_read_at_working_size_and_its_mask_at_its_own(folder: Path) -> None:
    mask = np.zeros((30, 40), np.uint8)
    photo, labels = read_pair(replace_mask(folder, mask), 11, max_side=20)
    np.testing.assert_array_equal(photo, shrink(smooth_photo(30, 40, seed=1), 20))
    assert photo.shape == (15, 20, 3) and labels.shape == (30, 40)


def test_a_mask_of_another_size(folder: Path) -> None:
    with pytest.raises(MaskError, match="a.png has 40 x 29 pixels, but its photo has 40 x 30"):
        read_pair(replace_mask(folder, np.zeros((29, 40), np.uint8)), 11)


def test_a_mask_in_colour(folder: Path) -> None:
    with pytest.raises(MaskError, match="a.png has 3 channels"):
        read_pair(replace_mask(folder, np.zeros((30, 40, 3), np.uint8)), 11)


def test_a_mask_with_an_unknown_class(folder: Path) -> None:
    mask = np.zeros((30, 40), np.uint8)
    mask[5, 5] = 11
    with pytest.raises(MaskError, match="a.png has values that are not classes: 11. .* 0 to 10"):
        read_pair(replace_mask(folder, mask), 11)


@pytest.mark.parametrize("keep", [0, 20, 60])
def test_a_mask_that_is_broken(folder: Path, keep: int) -> None:
    pair = replace_mask(folder, np.random.default_rng(0).integers(0, 11, (30, 40), dtype=np.uint8))
    pair[1].write_bytes(pair[1].read_bytes()[:keep])
    with pytest.raises(MaskError, match="a.png (is empty|.*not an image|is damaged)"):
        read_pair(pair, 11)


def test_a_photo_that_is_broken(folder: Path) -> None:
    pair = find_pairs(folder)[0]
    pair[0].write_text("no photo")
    with pytest.raises(PhotoError, match="a.png"):
        read_pair(pair, 11)


def fix_labels(monkeypatch: pytest.MonkeyPatch, *labels: np.ndarray) -> None:
    """Make the segmenter return these labels, one photo after the other."""
    turns = iter(np.repeat(np.arange(len(labels)), len(STRIDES) * len(UPSAMPLINGS) + 1))  # and "mixed"

    def upsample(self: Segmenter, scores: Scores, stride: int, upsampling: str) -> Segmentation:
        found = labels[next(turns)]
        return Segmentation(found, np.zeros_like(found), 0.0)

    monkeypatch.setattr(Segmenter, "upsample", upsample)


def test_every_stride_and_upsampling_has_a_row(segmenter: Segmenter) -> None:
    rows = evaluate(segmenter, [(smooth_photo(40, 50), np.zeros((40, 50), np.uint8))])
    expected = [(s, u) for s in STRIDES for u in (*UPSAMPLINGS, "mixed") if u != "mixed" or s == 32]
    assert [(row["stride"], row["upsampling"]) for row in rows] == expected


def test_perfect_labels_score_100_and_absent_classes_nothing(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = np.zeros((40, 50), np.uint8)
    truth[:, 20:] = 3
    fix_labels(monkeypatch, truth)
    for row in evaluate(segmenter, [(smooth_photo(40, 50), truth)]):
        assert (row["miou"], row["pixel_accuracy"], row["boundary_f1"]) == (100, 100, 100)
        assert row["iou"] == {name: 100 if name in ("class 0", "class 3") else None for name in segmenter.card.classes}


def test_constant_labels_score_as_counted_by_hand(segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = np.full((10, 10), 1, np.uint8), np.full((10, 20), 1, np.uint8)
    first[:3] = 0  # 30 pixels of class 0, 70 of class 1
    second[:, :4] = 2  # 40 of class 2, 160 of class 1, of which 60 are ignored
    second[:, 14:] = 255
    fix_labels(monkeypatch, np.ones((10, 10), np.uint8), np.ones((10, 20), np.uint8))
    samples = [(smooth_photo(10, 10), first), (smooth_photo(10, 20), second)]
    for row in evaluate(segmenter, samples):
        iou_1 = 100 * 170 / 240  # 70 + 100 of 100 + 140 pixels
        assert row["pixel_accuracy"] == pytest.approx(iou_1, abs=0.01)
        assert row["iou"]["class 1"] == pytest.approx(iou_1, abs=0.01)
        assert (row["iou"]["class 0"], row["iou"]["class 2"], row["iou"]["class 3"]) == (0, 0, None)
        assert row["miou"] == pytest.approx(iou_1 / 3, abs=0.01)
        assert row["boundary_f1"] == 0


def test_labels_are_compared_at_the_masks_own_size(segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = np.zeros((80, 120), np.uint8)
    truth[:, 60:] = 1
    fix_labels(monkeypatch, truth[::2, ::2])
    for row in evaluate(segmenter, [(smooth_photo(80, 120), truth)], max_side=60):
        assert row["pixel_accuracy"] == 100


def test_no_photo_scores_nothing(segmenter: Segmenter) -> None:
    for row in evaluate(segmenter, []):
        assert row["miou"] is row["pixel_accuracy"] is row["boundary_f1"] is None


def test_percent() -> None:
    assert percent(0.123456) == 12.35
    assert percent(math.nan) is None
