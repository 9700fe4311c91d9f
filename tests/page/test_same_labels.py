"""Page, command line and library give the same labels for the same file, bit for bit."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image
from streamlit.testing.v1 import AppTest

from fcn.__main__ import main
from fcn.model.segmenter import Segmenter
from fcn.photos.images import HEIF, decode, decode_light, labels_to_own_size
from fcn.quality.evaluation import read_pair
from fcn.scenes.scene import render_scene
from fcn.ui import compute
from tests.page.test_page import APP


def photo_file(width: int, height: int, form: str = "JPEG", orientation: int = 1) -> bytes:
    """A scene of any size with noise, as a camera writes it."""
    scene = np.asarray(Image.fromarray(render_scene(24).photo).resize((width, height), Image.Resampling.BICUBIC))
    noise = np.random.default_rng(0).integers(-9, 10, (height, width, 1), np.int16)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    file = io.BytesIO()
    Image.fromarray((scene + noise).clip(0, 255).astype(np.uint8)).save(file, form, exif=exif, quality=90)
    return file.getvalue()


FILES = {
    "12 megapixels, landscape": (4000, 3000, "JPEG", 1),
    "12 megapixels, portrait": (3024, 4032, "JPEG", 1),
    "12 megapixels, turned": (4032, 3024, "JPEG", 6),
    "3000 pixels, odd shape": (3000, 1999, "JPEG", 1),
    "3000 pixels, another odd shape": (2251, 3000, "PNG", 8),
} | ({"HEIC": (3000, 2001, "HEIF", 1)} if HEIF else {})


@pytest.mark.parametrize("file", FILES)
def test_page_command_line_and_library_agree(file: str, tmp_path: Path) -> None:
    data = photo_file(*FILES[file])
    (tmp_path / "photo.jpg").write_bytes(data)
    segmenter = Segmenter.load("street")

    photo = decode(data)
    library = segmenter.upsample(segmenter.score(photo)).labels
    np.testing.assert_array_equal(segmenter.upsample(segmenter.score(photo.pixels)).labels, library)
    np.testing.assert_array_equal(segmenter.upsample(segmenter.score(decode_light(data))).labels, library)

    assert main(["segment", str(tmp_path / "photo.jpg"), "--model", "street", "--out", str(tmp_path)]) == 0
    with Image.open(tmp_path / "photo.labels.png") as image:
        np.testing.assert_array_equal(np.asarray(image), labels_to_own_size(library, photo.size))

    app = AppTest.from_file(str(APP), default_timeout=120).run()
    app.file_uploader(key="upload").upload("photo.jpg", data, "image/jpeg").run()
    assert not app.exception and not app.error
    chosen = app.session_state["own"]
    key = ("street", photo.sha256, 480)
    page = compute.segmentations(*key, 32, compute.scores(*key, chosen.read))["transposed"].labels
    np.testing.assert_array_equal(page, library)

    Image.new("L", photo.size[::-1]).save(tmp_path / "mask.png")
    pixels, _ = read_pair((tmp_path / "photo.jpg", tmp_path / "mask.png"), 11, 480)
    np.testing.assert_array_equal(segmenter.upsample(segmenter.score(pixels)).labels, library)


@pytest.mark.parametrize("side", [320, 640, 800, 960])
def test_they_agree_at_every_size(side: int) -> None:
    data = photo_file(3000, 1999)
    segmenter, light, exact = Segmenter.load("street"), decode_light(data), decode(data, max_side=side)
    found = [segmenter.upsample(segmenter.score(photo, side)).labels for photo in (light, exact, exact.pixels)]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
