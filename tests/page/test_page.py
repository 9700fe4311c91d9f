"""The page as a visitor uses it, run without a browser: what it shows, what it computes, what it refuses."""

import base64
import io
import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.testing.v1 import AppTest

from fcn.model import zoo
from fcn.model.segmenter import Segmenter
from fcn.ui import compute
from fcn.ui.photo.samples import every_sample, samples
from tests.support.pages import words

APP = Path(__file__).parents[2] / "app.py"
CARD = zoo.read_card("people_animals")  # the first sample is one of its


@dataclass
class LinkedPictures:
    """What the page sends to the three linked pictures."""

    photo: np.ndarray  # (h, w, 3)
    cells: np.ndarray  # (rows, columns) best class of each cell
    labels: np.ndarray  # (h, w)
    data: dict[str, Any]

    def __eq__(self, other: object) -> bool:
        assert isinstance(other, LinkedPictures)
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in ("photo", "cells", "labels"))


class Visit:
    """One visitor's session, with a count of how often the backbone ran and the files that the page offers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.app = AppTest.from_file(str(APP), default_timeout=120)
        self.backbone_runs = 0
        self.downloads: dict[str, Callable[[], bytes]] = {}  # file name -> what makes it
        score, offer = Segmenter.score, MediaFileManager.add_deferred

        def count_run(segmenter: Segmenter, *args: Any, **options: Any) -> Any:
            self.backbone_runs += 1
            return score(segmenter, *args, **options)

        def note_download(manager: MediaFileManager, make: Callable[[], bytes], *args: Any, **options: Any) -> str:
            self.downloads[options["file_name"]] = make
            return offer(manager, make, *args, **options)

        monkeypatch.setattr(Segmenter, "score", count_run)
        monkeypatch.setattr(MediaFileManager, "add_deferred", note_download)

    def run(self) -> None:
        self.app.run()
        assert not self.app.exception

    def choose(self, **parameters: Any) -> None:
        """Choose as the browser does when the visitor follows a link."""
        for name, value in parameters.items():
            self.app.query_params[name] = str(value)
        self.run()

    def upload(self, data: bytes, name: str = "photo.png") -> None:
        self.app.file_uploader(key="upload").set_value((name, data, "application/octet-stream"))
        self.run()

    def contents(self) -> dict[str, Any]:
        """What the page sends to the browser, by kind."""
        parts = [part.proto for part in self.app.get("bidi_component") if part.proto.component_name == "fcn_carrier"]
        found = [json.loads(part.json) for part in parts]
        return {part["kind"]: part["content"] for part in found}

    def pictures(self) -> LinkedPictures:
        carried = self.contents()
        data, maps = carried["state"], carried["maps"]
        photo = np.asarray(Image.open(io.BytesIO(base64.b64decode(carried["photo"]["source"].partition(",")[2]))))

        def unpack(name: str) -> np.ndarray:
            return np.frombuffer(zlib.decompress(base64.b64decode(maps[name])), np.uint8)

        cells = unpack("coarse").reshape(data["rows"], data["columns"])
        size, stride, upsampling = (data["height"], data["width"]), data["stride"], data["choices"]["upsampling"]
        if upsampling == "nearest":
            labels = cells.repeat(stride, 0).repeat(stride, 1)[: size[0], : size[1]]
        else:
            labels = unpack(upsampling).reshape(size)
        return LinkedPictures(photo, cells, labels, data)

    def words(self) -> str:
        """All running text of the page."""
        return words(self.app) + json.dumps(self.pictures().data["captions"])

    def errors(self) -> list[str]:
        return [error.value for error in self.app.error]


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Visit:
    """A visit that shows the first sample; runs of the backbone are counted from there."""
    opened = Visit(monkeypatch)
    opened.run()
    opened.backbone_runs = 0
    return opened


def encode(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def photo(width: int = 200, height: int = 150, mode: str = "RGB") -> Image.Image:
    """A picture with a different colour in every corner."""
    rows, columns = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    colours = np.stack([rows * 250, columns * 250, 60 + 0 * rows], -1)
    return Image.fromarray(colours.astype(np.uint8)).convert(mode)


def bomb(side: int = 13_000) -> bytes:
    """A PNG of 169 megapixels in about 20 kB."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(side * (1 + side // 8)), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


# What is shown


def test_first_run_shows_photo_score_map_and_labels_of_one_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    st.cache_resource.clear()
    visit = Visit(monkeypatch)
    visit.run()
    shown = visit.pictures()
    height, width = shown.labels.shape
    assert shown.photo.shape == (height, width, 3)
    assert shown.cells.shape == (-(-height // 32), -(-width // 32))
    assert visit.backbone_runs == 1 and not visit.errors()


def test_every_label_and_cell_has_a_class_with_a_colour(visit: Visit) -> None:
    shown = visit.pictures()
    assert max(shown.labels.max(), shown.cells.max()) < len(CARD.classes)
    assert shown.data["classes"] == list(CARD.classes)
    assert [tuple(colour) for colour in shown.data["palette"]] == list(CARD.palette)


def test_pictures_are_described_for_people_who_do_not_see_them(visit: Visit) -> None:
    assert visit.pictures().data["alt"]


# The switch


def test_switch_changes_the_segmentation_alone_and_never_runs_the_backbone(visit: Visit) -> None:
    transposed = visit.pictures()
    visit.choose(upsampling="bilinear")
    bilinear = visit.pictures()
    assert np.array_equal(transposed.photo, bilinear.photo) and np.array_equal(transposed.cells, bilinear.cells)
    assert not np.array_equal(transposed.labels, bilinear.labels)
    visit.choose(upsampling="nearest")
    assert len({labels.tobytes() for labels in (visit.pictures().labels, bilinear.labels, transposed.labels)}) == 3
    visit.choose(upsampling="transposed")
    assert visit.pictures() == transposed
    assert visit.backbone_runs == 0


@pytest.mark.parametrize("stride", [16, 8])
def test_stride_gives_a_finer_score_map_without_running_the_backbone(visit: Visit, stride: int) -> None:
    coarse = visit.pictures()
    visit.choose(stride=stride)
    fine = visit.pictures()
    height, width = fine.labels.shape
    assert fine.cells.shape == (-(-height // stride), -(-width // stride))
    assert np.array_equal(coarse.photo, fine.photo) and coarse.labels.shape == fine.labels.shape
    assert visit.backbone_runs == 0


@pytest.mark.parametrize(
    "cells, view", [("class", "overlay"), ("score", "compare"), ("channel", "difference"), ("features", "overlay")]
)
def test_every_view_opens_without_running_the_backbone(visit: Visit, cells: str, view: str) -> None:
    visit.choose(cells=cells, view=view)
    found = visit.pictures().data["choices"]
    assert (found["cells"], found["view"]) == (cells, view)
    assert visit.backbone_runs == 0


def test_working_size_is_the_longest_side_of_the_segmentation(visit: Visit) -> None:
    visit.choose(size=320)
    assert max(visit.pictures().labels.shape) == 320


def test_choosing_a_sample_shows_it_with_its_model(visit: Visit) -> None:
    before = visit.pictures()
    visit.choose(sample="scene-17")
    assert not np.array_equal(before.photo, visit.pictures().photo)
    assert (visit.pictures().data["shown"], visit.pictures().data["model"]) == ("scene-17", "street")


# Uploads


def test_uploaded_jpeg_is_shown_with_its_size(visit: Visit) -> None:
    own = photo(200, 150)
    visit.upload(encode(own, "JPEG", quality=95), "holiday.jpg")
    shown = visit.pictures()
    assert shown.photo.shape == (150, 200, 3) and shown.labels.shape == (150, 200)
    assert np.abs(shown.photo.astype(int) - np.asarray(own)).mean() < 4
    assert "200 x 150" in visit.words() and not visit.errors()


def test_a_photo_is_decoded_and_shrunk_once(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    visit.run()
    made: list[str] = []
    for name in ("decode", "shrink"):
        make = getattr(compute, name)
        monkeypatch.setattr(compute, name, lambda *a, name=name, make=make: (made.append(name), make(*a))[1])
    visit.upload(encode(photo(1700, 900), "JPEG"), "large.jpg")
    assert sorted(made) == ["decode", "shrink"] and visit.backbone_runs >= len(zoo.names())
    visit.choose(stride=8)
    assert sorted(made) == ["decode", "shrink"]


def test_own_photo_and_its_name_stay_out_of_the_link(visit: Visit) -> None:
    visit.choose(sample="scene-17")
    visit.upload(encode(photo()), "private.png")
    assert "sample" not in visit.app.query_params and "private" not in str(visit.app.query_params)


def test_own_photo_is_still_there_after_a_look_at_a_sample(visit: Visit) -> None:
    visit.upload(encode(photo()))
    own = visit.pictures()
    visit.choose(sample="scene-26")
    assert visit.pictures().photo.shape != own.photo.shape
    del visit.app.query_params["sample"]
    visit.run()
    assert visit.pictures() == own


BAD = {
    "text": (b"Dear sir, please find my photo attached." * 20, "street.jpg"),
    "truncated": (encode(photo(400, 300), "JPEG")[:2000], "cut.jpg"),
    "bomb": (bomb(), "wall.png"),
    "large": (b"\xff\xd8\xff" + bytes(20 * 1024**2 + 1), "large.jpg"),
    "empty": (b"", "nothing.jpg"),
}


@pytest.mark.parametrize("data, name", BAD.values(), ids=BAD.keys())
def test_bad_upload_is_refused_in_words_and_the_last_photo_stays(visit: Visit, data: bytes, name: str) -> None:
    visit.upload(encode(photo(), "JPEG"), "good.jpg")
    before, visit.backbone_runs = visit.pictures(), 0
    visit.upload(data, name)
    [message] = visit.errors()
    assert message.startswith(name) and message.endswith(".") and "Traceback" not in message and "0x" not in message
    assert visit.pictures() == before and visit.backbone_runs == 0


def test_good_upload_takes_the_error_away(visit: Visit) -> None:
    visit.upload(*BAD["text"])
    assert visit.errors()
    visit.upload(encode(photo()))
    assert not visit.errors()


def test_removing_a_refused_file_takes_the_error_away(visit: Visit) -> None:
    visit.upload(*BAD["text"])
    visit.app.file_uploader(key="upload").clear()
    visit.run()
    assert not visit.errors()


def animated_gif() -> bytes:
    return encode(photo(), "GIF", save_all=True, append_images=[Image.new("RGB", (200, 150), "red")], duration=100)


def sixteen_bit_png() -> bytes:
    grey = np.asarray(photo(mode="L")).astype(np.uint16) * 257
    return encode(Image.fromarray(grey))


def transparent_png() -> bytes:
    image = photo(mode="RGBA")
    image.putalpha(Image.new("L", image.size, 100))
    return encode(image)


UNUSUAL: dict[str, tuple[bytes, tuple[int, int], str]] = {
    "animated": (animated_gif(), (200, 150), "first frame"),
    "16 bits": (sixteen_bit_png(), (200, 150), "16-bit"),
    "CMYK": (encode(photo(mode="CMYK"), "JPEG"), (200, 150), "CMYK"),
    "transparent": (transparent_png(), (200, 150), "white"),
    "tiny": (encode(photo(20, 20)), (20, 20), "edges were repeated"),
    "thin": (encode(photo(300, 1)), (300, 1), "narrow"),
    "one pixel": (encode(photo(1, 1)), (1, 1), "edges were repeated"),
}


@pytest.mark.parametrize("data, size, note", UNUSUAL.values(), ids=UNUSUAL.keys())
def test_unusual_photo_works_and_the_page_says_what_was_done(
    visit: Visit, data: bytes, size: tuple[int, int], note: str
) -> None:
    visit.upload(data)
    assert not visit.errors() and note in visit.words()
    assert visit.pictures().labels.shape == visit.pictures().photo.shape[:2] == size[::-1]


def test_turned_photo_is_shown_upright(visit: Visit) -> None:
    upright, exif = photo(150, 200), Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    visit.upload(encode(upright.rotate(90, expand=True), "JPEG", exif=exif, quality=95), "phone.jpg")
    shown = visit.pictures().photo.astype(int)
    assert shown.shape == (200, 150, 3) and np.abs(shown - np.asarray(upright)).mean() < 4


# Hostile names and links


@pytest.mark.parametrize("data", [encode(photo()), b"no image"], ids=["good", "bad"])
def test_markup_in_a_file_name_is_never_markup_on_the_page(visit: Visit, data: bytes) -> None:
    name = "<img src=x onerror=alert(1)>.png"
    visit.upload(data, name)
    allowed = [element.value for element in visit.app.markdown if element.allow_html]
    raw = [element.proto.body for element in visit.app.get("html")]
    assert not any("onerror" in text for text in allowed + raw)


@pytest.mark.parametrize(
    "link",
    [
        {"stride": "abc", "upsampling": "<script>", "sample": "../../etc", "size": "1", "opacity": "999"},
        dict.fromkeys(("model", "stride", "upsampling", "sample", "size", "opacity", "cells", "view"), ""),
        {"model": "../street", "cells": "score", "class": "<b>", "view": "__class__", "channel": "-1"},
        {"stride": "32.5", "opacity": "-5", "size": "1e9", "sample": "\0", "model": "\N{GRINNING FACE}" * 999},
        {"stride": ["8", "16"], "upsampling": ["bilinear", "x"], "sample": ["scene-3", "scene-17"]},
    ],
)
def test_any_link_opens_the_page(monkeypatch: pytest.MonkeyPatch, link: dict[str, str | list[str]]) -> None:
    visit = Visit(monkeypatch)
    visit.app.query_params.update(link)
    visit.run()
    assert visit.pictures().labels.size and not visit.errors()


def test_link_opens_what_it_names(monkeypatch: pytest.MonkeyPatch, visit: Visit) -> None:
    shared = Visit(monkeypatch)
    shared.app.query_params.update({"stride": "FCN-8s", "upsampling": "Bilinear", "sample": "scene-17"})
    shared.run()
    visit.choose(sample="scene-17")
    visit.choose(stride=8, upsampling="bilinear")
    assert shared.pictures() == visit.pictures()
    assert shared.pictures().data["choices"]["stride"] == 8


# Downloads


def test_downloads_have_the_photos_own_size_and_class_indices(visit: Visit) -> None:
    visit.upload(encode(photo(1300, 700), "JPEG"), "wide.view.jpg")
    labels = Image.open(io.BytesIO(visit.downloads["wide.view.labels.png"]()))
    assert labels.mode == "P" and labels.size == (1300, 700)
    card = zoo.read_card(visit.pictures().data["model"])
    assert np.asarray(labels).max() < len(card.classes)
    palette = labels.getpalette()
    assert palette is not None
    assert palette[: 3 * len(card.classes)] == [part for colour in card.palette for part in colour]
    overlay = Image.open(io.BytesIO(visit.downloads["wide.view.overlay.png"]()))
    assert overlay.mode == "RGB" and overlay.size == (1300, 700)


def test_downloaded_labels_are_those_of_the_picture(visit: Visit) -> None:
    visit.upload(encode(photo(200, 150)), "own.png")
    labels = np.asarray(Image.open(io.BytesIO(visit.downloads["own.labels.png"]())))
    assert np.array_equal(labels, visit.pictures().labels)


def test_a_file_name_that_looks_like_markdown_is_shown_as_it_is(visit: Visit) -> None:
    visit.upload(b"no image", "[here](http://a.b) *x*.png")
    assert "\\[here\\]\\(http\\:\u2060//a.b\\) \\*x\\*.png" in visit.errors()[0]


def test_the_strip_shows_the_samples_of_every_model_and_a_model_keeps_the_photo(visit: Visit) -> None:
    names = [sample["name"] for sample in visit.contents()["strip"]["samples"]]
    assert names == list(every_sample(zoo.names())) and len(set(names)) == len(names)
    before = visit.pictures()
    visit.choose(model=zoo.read_card("street").title)
    assert np.array_equal(visit.pictures().photo, before.photo)
    assert visit.pictures().data["classes"] == list(zoo.read_card("street").classes)


@pytest.mark.parametrize("model", ["street", "people_animals"])
def test_the_model_that_suits_an_own_photo_is_chosen_and_the_other_is_offered(visit: Visit, model: str) -> None:
    photo = next(iter(samples(model).values())).read()[0].pixels
    visit.upload(encode(Image.fromarray(photo)))
    data = visit.pictures().data
    assert data["model"] == model and zoo.read_card(model).title in data["note"]["text"]
    other = data["note"]["other"][0]
    visit.choose(model=zoo.read_card(other).title)
    assert visit.pictures().data["model"] == other and visit.pictures().data["note"]["other"][0] == model


def test_a_photo_of_nothing_that_the_models_know_is_told(visit: Visit) -> None:
    visit.upload(encode(Image.new("RGB", (300, 200))))
    assert "recognise little in this photo" in visit.pictures().data["note"]["text"]
