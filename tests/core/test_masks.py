"""Ground-truth masks: indices, colours and colour tables, and every mask that does not fit."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fcn.errors import MaskError
from fcn.photos.images import IGNORE_LABEL
from fcn.photos.masks import fit, read_mask

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
CLASSES = ("sky", "road", "tree")
PALETTE = (RED, GREEN, BLUE)
TRUTH = np.array([[0, 1, 2, 2], [0, 0, 1, 1]], np.uint8)


def encode(image: Image.Image | np.ndarray, form: str = "PNG", **options: Any) -> bytes:
    """Encode an image or an array as a file's bytes."""
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def expect_refusal(data: bytes, size: tuple[int, int] = (2, 4)) -> str:
    """Check that the bytes give a MaskError; return its message."""
    with pytest.raises(MaskError) as caught:
        read_mask(data, size, len(CLASSES), PALETTE)
    return str(caught.value)


def test_mask_of_class_indices() -> None:
    truth = TRUTH.copy()
    truth[0, 0] = IGNORE_LABEL
    for stored in (truth, truth.astype(np.uint16)):
        labels = read_mask(encode(stored), (2, 4), len(CLASSES), PALETTE)
        assert labels.dtype == np.uint8
        np.testing.assert_array_equal(labels, truth)


def test_mask_of_colours() -> None:
    colours = np.array(PALETTE, np.uint8)[TRUTH]
    for image in (Image.fromarray(colours), Image.fromarray(colours).convert("RGBA")):
        np.testing.assert_array_equal(read_mask(encode(image), (2, 4), len(CLASSES), PALETTE), TRUTH)


def test_mask_with_a_colour_table() -> None:
    indices = Image.frombytes("P", (4, 2), TRUTH.tobytes())
    indices.putpalette([9, 9, 9, 8, 8, 8, 7, 7, 7])  # colours of no class: the indices count
    np.testing.assert_array_equal(read_mask(encode(indices), (2, 4), len(CLASSES), PALETTE), TRUTH)
    reordered = Image.frombytes("P", (4, 2), (2 - TRUTH).tobytes())
    reordered.putpalette([*BLUE, *GREEN, *RED])  # what an image program may make of an RGB mask
    np.testing.assert_array_equal(read_mask(encode(reordered), (2, 4), len(CLASSES), PALETTE), TRUTH)


def test_mask_with_a_colour_table_and_pixels_to_ignore() -> None:
    truth = TRUTH.copy()
    truth[1, 3] = IGNORE_LABEL
    image = Image.frombytes("P", (4, 2), truth.tobytes())
    image.putpalette([*RED, *GREEN, *BLUE, *(0, 0, 0) * 252, 224, 224, 192])  # as in Pascal VOC
    np.testing.assert_array_equal(read_mask(encode(image), (2, 4), len(CLASSES), PALETTE), truth)


def test_mask_that_does_not_fit() -> None:
    message = expect_refusal(encode(TRUTH), size=(4, 2))
    assert "4 x 2" in message and "2 x 4" in message
    message = expect_refusal(encode(np.arange(8, dtype=np.uint8).reshape(2, 4)))
    assert "3, 4, 5, 6, 7." in message and "0 to 2" in message
    message = expect_refusal(encode(np.arange(10, 18, dtype=np.uint8).reshape(2, 4)))
    assert "10, 11, 12, 13, 14, ..." in message
    message = expect_refusal(encode(np.full((2, 4, 3), 254, np.uint8)))
    assert "(254, 254, 254)" in message


def test_mask_that_is_no_mask() -> None:
    assert "PNG" in expect_refusal(encode(np.zeros((2, 4, 3), np.uint8), "JPEG"))
    assert "empty" in expect_refusal(b"")
    assert "megapixels" in expect_refusal(encode(Image.new("1", (10_000, 5_001))))
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    assert "damaged" in expect_refusal(encode(noise)[:3000], size=(60, 60))
    assert "2 channels" in expect_refusal(encode(Image.new("LA", (4, 2))))


def test_without_a_palette_only_indices_count() -> None:
    indices = Image.frombytes("P", (4, 2), TRUTH.tobytes())
    indices.putpalette([*BLUE, *GREEN, *RED])
    np.testing.assert_array_equal(read_mask(encode(indices), (2, 4), len(CLASSES)), TRUTH)
    with pytest.raises(MaskError, match="Mask 7 has 3 channels. Save it as greyscale: class indices"):
        read_mask(encode(np.array(PALETTE, np.uint8)[TRUTH]), (2, 4), len(CLASSES), name="Mask 7")


def test_a_large_mask_is_checked_whole_and_returned_smaller() -> None:
    large = TRUTH.repeat(100, 0).repeat(100, 1)  # 200 x 400
    labels = read_mask(encode(large), (200, 400), len(CLASSES), most=20_000)
    np.testing.assert_array_equal(labels, TRUTH.repeat(50, 0).repeat(50, 1))
    large[0, 0] = 77
    with pytest.raises(MaskError, match="77"):
        read_mask(encode(large), (200, 400), len(CLASSES), most=2)


@pytest.mark.parametrize("size", [(1, 1), (1, 50_000), (50_000, 1), (6000, 8000), (1413, 1414), (7, 900_001)])
def test_a_size_that_fits(size: tuple[int, int]) -> None:
    height, width = fit(size, 40_000)
    assert 1 <= height <= size[0] and 1 <= width <= size[1] and height * width <= 40_000
    assert size[0] * size[1] > 40_000 or (height, width) == size
    assert min(size) < 100 or height / width == pytest.approx(size[0] / size[1], rel=0.01)
