"""Exported files: each holds what its name says, at the size that the README tells."""

import csv
import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fcn.model.segmenter import Segmenter
from fcn.model.upsampling import UPSAMPLINGS
from fcn.photos.images import Photo, labels_to_own_size
from fcn.pictures.export import FILES, MOST_PIXELS, Export, archive, longest_side
from tests.support.photos import smooth_photo

STRIDE = 8


@pytest.fixture(scope="module")
def export(segmenter: Segmenter) -> Export:
    photo = Photo(smooth_photo(150, 201), (150, 201), "", ())
    scores = segmenter.score(photo, 100)
    by_upsampling = {upsampling: segmenter.upsample(scores, STRIDE, upsampling).labels for upsampling in UPSAMPLINGS}
    by_upsampling["bilinear"] = np.roll(by_upsampling["bilinear"], 3, 1)  # untrained, the two would be alike
    return Export(photo, segmenter.card, scores, STRIDE, "transposed", "bilinear", by_upsampling, 0.5, "import keras\n")


def image(export: Export, name: str) -> Image.Image:
    return Image.open(io.BytesIO(FILES[name](export)))


def test_labels_are_class_indices_at_the_photos_size(export: Export) -> None:
    picture = image(export, "labels.png")
    expected = labels_to_own_size(export.by_upsampling["transposed"], (150, 201))
    np.testing.assert_array_equal(np.asarray(picture), expected)
    palette = np.reshape(picture.getpalette() or [], (-1, 3))[: len(export.card.palette)]
    np.testing.assert_array_equal(palette, export.card.palette)


def test_overlay_mixes_photo_and_colours(export: Export) -> None:
    colours = np.asarray(export.card.palette)[export.labels]
    expected = (export.photo.pixels.astype(float) + colours) / 2
    assert np.abs(np.asarray(image(export, "overlay.png")) - expected).max() <= 1


def test_coarse_map_shows_each_cell(export: Export) -> None:
    found = np.asarray(image(export, "coarse.png"))
    assert found.shape == (export.scores.height, export.scores.width)
    middles = found[STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]  # a last cell may be cut before its middle
    cells = export.scores.coarse_labels(STRIDE)[: middles.shape[0], : middles.shape[1]]
    assert cells.size > 50
    np.testing.assert_array_equal(middles, cells)


def test_difference_is_orange_where_the_two_differ(export: Export) -> None:
    differ = labels_to_own_size(export.by_upsampling["bilinear"], (150, 201)) != export.labels
    assert 0 < differ.mean() < 1
    found = np.asarray(image(export, "difference.png").convert("RGB"))
    np.testing.assert_array_equal((found == (213, 94, 0)).all(-1), differ)


def test_shares_add_up(export: Export) -> None:
    rows = list(csv.DictReader(io.StringIO(FILES["shares.csv"](export).decode())))
    assert [row["class"] for row in rows] == list(export.card.classes)
    assert sum(int(row["pixels"]) for row in rows) == 150 * 201
    assert sum(float(row["percent"]) for row in rows) == pytest.approx(100, abs=0.01)
    assert int(rows[3]["pixels"]) == (export.labels == 3).sum()


def test_scores_are_the_score_map(export: Export) -> None:
    found = np.load(io.BytesIO(FILES["scores.npy"](export)), allow_pickle=False)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, export.scores.cells(STRIDE))


def test_archive_holds_every_file_and_the_readme_tells_of_each(export: Export) -> None:
    with zipfile.ZipFile(io.BytesIO(archive(export))) as found:
        assert found.testzip() is None
        assert found.namelist() == list(FILES)
        readme = found.read("README.txt").decode()
        for name in FILES:
            assert found.read(name) == FILES[name](export)
            assert name == "README.txt" or f"\n{name} " in readme
    assert "201 x 150" in readme and "FCN-8s" in readme and export.card.sha256 in readme
    assert "transposed, x8" in readme


@pytest.mark.parametrize("size", [(4000, 4000), (3000, 4000), (1, 65_535), (8000, 6000), (6103, 8192), (4001, 4001)])
def test_files_are_smaller_only_where_the_photo_is_very_large(size: tuple[int, int]) -> None:
    side = longest_side(size)
    assert side == max(size) if size[0] * size[1] <= MOST_PIXELS else side == max(size) // 2
    factor = max(size) // side  # as `decode_light` has it
    assert -(-size[0] // factor) * -(-size[1] // factor) <= MOST_PIXELS


def test_a_very_large_photo_has_files_of_half_its_size(export: Export) -> None:
    small = replace(export, photo=Photo(export.photo.pixels[:75, :101], (150, 201), "", ()))
    assert image(small, "labels.png").size == image(small, "overlay.png").size == (101, 75)
    readme = FILES["README.txt"](small).decode()
    assert "a photo of 201 x 150 pixels" in readme and "Files are 101 x 75, since it has over 16 megapixels" in readme
