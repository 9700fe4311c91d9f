"""Pictures of labels: colours, overlay, cells over the photo, and shares."""

import io

import numpy as np
import pytest
from PIL import Image

from fcn.pictures import render
from tests.support.photos import smooth_photo

PALETTE = [(10, 20, 30), (200, 0, 100), (0, 255, 1)]


def open_png(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    assert image.format == "PNG"
    return image


def some_labels(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 3, (height, width), dtype=np.uint8)


def colours(labels: np.ndarray) -> np.ndarray:
    return np.asarray(PALETTE, np.uint8)[labels]


def test_overlay_of_opacity_0_is_the_photo_and_of_1_the_colours() -> None:
    photo, labels = smooth_photo(20, 31), some_labels(20, 31)
    np.testing.assert_array_equal(render.overlay(photo, labels, PALETTE, 0), photo)
    np.testing.assert_array_equal(render.overlay(photo, labels, PALETTE, 1), colours(labels))


def test_overlay_between_is_the_weighted_mean() -> None:
    photo, labels = smooth_photo(20, 31), some_labels(20, 31)
    expected = 0.75 * photo + 0.25 * colours(labels)
    assert np.abs(render.overlay(photo, labels, PALETTE, 0.25) - expected).max() <= 1


def test_overlay_takes_a_photo_that_is_read_only() -> None:
    photo = smooth_photo(4, 4)
    photo.setflags(write=False)
    assert render.overlay(photo, some_labels(4, 4), PALETTE, 0.5).shape == (4, 4, 3)


def test_png_loses_nothing() -> None:
    photo = smooth_photo(17, 23)
    np.testing.assert_array_equal(np.asarray(open_png(render.png(photo))), photo)


def test_labels_png_holds_indices_and_colours() -> None:
    labels = some_labels(17, 23)
    image = open_png(render.labels_png(labels, PALETTE))
    assert image.mode == "P"
    np.testing.assert_array_equal(np.asarray(image), labels)
    np.testing.assert_array_equal(np.asarray(image.convert("RGB")), colours(labels))


def test_labels_png_takes_a_view_with_gaps() -> None:
    labels = some_labels(20, 30)[::2, ::3]
    np.testing.assert_array_equal(np.asarray(open_png(render.labels_png(labels, PALETTE))), labels)


@pytest.mark.parametrize("height, width, stride", [(32, 32, 32), (33, 65, 32), (31, 1, 32), (50, 41, 8)])
def test_each_pixel_shows_its_cell(height: int, width: int, stride: int) -> None:
    cells = some_labels(-(-height // stride), -(-width // stride))
    found = np.asarray(open_png(render.cells_png(cells, PALETTE, stride, height, width)))
    rows, columns = np.indices((height, width)) // stride
    np.testing.assert_array_equal(found, cells[rows, columns])


def test_grid_lines_lie_between_cells_and_nowhere_else() -> None:
    cells = some_labels(3, 2)
    image = open_png(render.cells_png(cells, PALETTE, 8, 21, 13, grid=True))
    assert image.size == (26, 42)
    found, colours = np.asarray(image), np.asarray(image.convert("RGB"))
    lines = np.zeros((42, 26), bool)
    lines[[16, 32]] = lines[:, 16] = True
    assert (colours[lines] == render.GRID).all()
    rows, columns = np.indices((42, 26)) // 16
    np.testing.assert_array_equal(found[~lines], cells[rows, columns][~lines])


def test_right_wrong_and_unknown_pixels_look_different() -> None:
    wrong, unknown = np.array([[False, True, True, False]]), np.array([[False, False, True, True]])
    right, orange, *grey = np.asarray(open_png(render.errors_png(wrong, unknown)).convert("RGB"))[0].tolist()
    assert min(right) > 230 and orange == [213, 94, 0] and grey == [[150, 150, 150]] * 2


def test_shares_are_largest_first_and_sum_to_one() -> None:
    labels = np.array([[0, 2, 2, 2], [0, 2, 2, 3]], np.uint8)
    found = render.class_shares(labels, ["sky", "car", "road", "tree"])
    assert list(found.items()) == [("road", 0.625), ("sky", 0.25), ("tree", 0.125)]
    assert sum(found.values()) == 1
