"""Ground-truth masks: indices, colours and colour tables, and every mask that does not fit."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fcn.errors import MaskError
from fcn.photos.images import IGNORE_LABEL
from fcn.photos.masks import read_mask

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


def refused(data: bytes, size: tuple[int, int] = (2, 4)) -> str:
    """The message of the MaskError that the bytes must give."""
    with pytest.raises(MaskError) as caught:
        read_mask(data, CLASSES, PALETTE, size)
    return str(caught.value)


def test_mask_of_class_indices() -> None:
    truth = TRUTH.copy()
    truth[0, 0] = IGNORE_LABEL
    for stored in (truth, truth.astype(np.uint16)):
        labels = read_mask(encode(stored), CLASSES, PALETTE, (2, 4))
        assert labels.dtype == np.uint8
        np.testing.assert_array_equal(labels, truth)


def test_mask_of_colours() -> None:
    colours = np.array(PALETTE, np.uint8)[TRUTH]
    for image in (Image.fromarray(colours), Image.fromarray(colours).convert("RGBA")):
        np.testing.assert_array_equal(read_mask(encode(image), CLASSES, PALETTE, (2, 4)), TRUTH)


def test_mask_with_a_colour_table() -> None:
    indices = Image.frombytes("P", (4, 2), TRUTH.tobytes())
    indices.putpalette([9, 9, 9, 8, 8, 8, 7, 7, 7])  # colours of no class: the indices count
    np.testing.assert_array_equal(read_mask(encode(indices), CLASSES, PALETTE, (2, 4)), TRUTH)
    reordered = Image.frombytes("P", (4, 2), (2 - TRUTH).tobytes())
    reordered.putpalette([*BLUE, *GREEN, *RED])  # what an image program may make of an RGB mask
    np.testing.assert_array_equal(read_mask(encode(reordered), CLASSES, PALETTE, (2, 4)), TRUTH)


def test_mask_with_a_colour_table_and_pixels_to_ignore() -> None:
    truth = TRUTH.copy()
    truth[1, 3] = IGNORE_LABEL
    image = Image.frombytes("P", (4, 2), truth.tobytes())
    image.putpalette([*RED, *GREEN, *BLUE, *(0, 0, 0) * 252, 224, 224, 192])  # as in Pascal VOC
    np.testing.assert_array_equal(read_mask(encode(image), CLASSES, PALETTE, (2, 4)), truth)


def test_mask_that_does_not_fit() -> None:
    message = refused(encode(TRUTH), size=(4, 2))
    assert "4 x 2" in message and "2 x 4" in message
    message = refused(encode(np.arange(8, dtype=np.uint8).reshape(2, 4)))
    assert "3, 4, 5, 6, 7." in message and "0 to 2" in message
    message = refused(encode(np.arange(10, 18, dtype=np.uint8).reshape(2, 4)))
    assert "10, 11, 12, 13, 14, ..." in message
    message = refused(encode(np.full((2, 4, 3), 254, np.uint8)))
    assert "(254, 254, 254)" in message


def test_mask_that_is_no_mask() -> None:
    assert "PNG" in refused(encode(np.zeros((2, 4, 3), np.uint8), "JPEG"))
    assert "empty" in refused(b"")
    assert "megapixels" in refused(encode(Image.new("1", (10_000, 5_001))))
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    assert "damaged" in refused(encode(noise)[:3000], size=(60, 60))
    assert "mode LA" in refused(encode(Image.new("LA", (4, 2))))
