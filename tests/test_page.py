"""The page as a visitor uses it, run without a browser: what it shows, what it computes, what it refuses."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
from streamlit.testing.v1 import AppTest

from fcn import zoo
from fcn.segmenter import Segmenter

APP = Path(__file__).parents[1] / "app.py"
PHOTO, SCORE_MAP, SEGMENTATION = range(3)
CARD = zoo.read_card(zoo.names()[0])


class Visit:
    """One visitor's session, with a count of how often the backbone ran and the files that the page offers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.app = AppTest.from_file(str(APP), default_timeout=120)
        self.backbone_runs = 0
        self.files: dict[str, bytes] = {}  # id in the picture's address -> content
        self.downloads: dict[str, Callable[[], bytes]] = {}  # file name -> what makes it
        score, keep, offer = Segmenter.score, MemoryMediaFileStorage.load_and_get_id, MediaFileManager.add_deferred

        def counted(segmenter: Segmenter, *args: Any, **options: Any) -> Any:
            self.backbone_runs += 1
            return score(segmenter, *args, **options)

        def kept(storage: MemoryMediaFileStorage, data: bytes, *args: Any, **options: Any) -> str:
            name = keep(storage, data, *args, **options)
            self.files[name] = data
            return name

        def offered(manager: MediaFileManager, make: Callable[[], bytes], *args: Any, **options: Any) -> str:
            self.downloads[options["file_name"]] = make
            return offer(manager, make, *args, **options)

        monkeypatch.setattr(Segmenter, "score", counted)
        monkeypatch.setattr(MemoryMediaFileStorage, "load_and_get_id", kept)
        monkeypatch.setattr(MediaFileManager, "add_deferred", offered)

    def run(self) -> None:
        self.app.run()
        assert not self.app.exception

    def choose(self, control: str, value: Any) -> None:
        self.app.button_group(key=control).set_value(value)
        self.run()

    def upload(self, data: bytes, name: str = "photo.png") -> None:
        self.app.file_uploader(key="upload").set_value((name, data, "application/octet-stream"))
        self.run()

    def pictures(self) -> list[Image.Image]:
        """The first three pictures with a description; the thumbnails of the gallery have none."""
        shown = [element.proto.imgs[0] for element in self.app.image if element.proto.imgs[0].alt][:3]
        return [Image.open(io.BytesIO(self.files[Path(picture.url).stem])) for picture in shown]

    def pixels(self) -> list[np.ndarray]:
        return [np.asarray(picture.convert("RGB")) for picture in self.pictures()]

    def words(self) -> str:
        """All running text of the page."""
        return "\n".join(element.value for kind in ("markdown", "caption", "error") for element in self.app.get(kind))

    def errors(self) -> list[str]:
        return [error.value for error in self.app.error]


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Visit:
    """A visit that shows the first sample; runs of the backbone are counted from there."""
    opened = Visit(monkeypatch)
    opened.run()
    opened.backbone_runs = 0
    return opened


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
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


def test_first_run_shows_three_pictures_of_one_size_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    st.cache_data.clear()
    visit = Visit(monkeypatch)
    visit.run()
    shown = visit.pictures()
    assert len(shown) == 3 and not visit.errors()
    assert shown[PHOTO].size == shown[SEGMENTATION].size
    assert np.isclose(shown[SCORE_MAP].width / shown[SCORE_MAP].height, shown[PHOTO].width / shown[PHOTO].height)
    assert visit.backbone_runs == 1


def test_score_map_has_one_colour_a_cell(visit: Visit) -> None:
    width, height = visit.pictures()[PHOTO].size
    cells = visit.pixels()[SCORE_MAP]
    scale = cells.shape[0] // height
    rows, columns = -(-height // 32), -(-width // 32)
    for row, column in [(0, 0), (rows // 2, columns // 2), (rows - 1, columns - 1)]:
        top, left = row * 32 * scale, column * 32 * scale
        inside = cells[top + 2 : top + 32 * scale - 2, left + 2 : left + 32 * scale - 2].reshape(-1, 3)
        assert len(np.unique(inside, axis=0)) == 1


def test_segmentation_at_full_opacity_holds_no_colour_but_the_classes_own(visit: Visit) -> None:
    visit.app.slider(key="opacity").set_value(100)
    visit.run()
    colours = np.unique(visit.pixels()[SEGMENTATION].reshape(-1, 3), axis=0)
    assert {tuple(colour) for colour in colours.tolist()} <= set(CARD.palette)


def test_opacity_zero_shows_the_photo(visit: Visit) -> None:
    visit.app.slider(key="opacity").set_value(0)
    visit.run()
    before, after = visit.pixels()[PHOTO].astype(int), visit.pixels()[SEGMENTATION].astype(int)
    assert np.abs(before - after).mean() < 4  # the photo is sent as JPEG


# The switch


def test_switch_changes_the_segmentation_alone_and_never_runs_the_backbone(visit: Visit) -> None:
    transposed = visit.pixels()
    visit.choose("upsampling", "bilinear")
    bilinear = visit.pixels()
    assert np.array_equal(transposed[PHOTO], bilinear[PHOTO])
    assert np.array_equal(transposed[SCORE_MAP], bilinear[SCORE_MAP])
    assert not np.array_equal(transposed[SEGMENTATION], bilinear[SEGMENTATION])
    visit.choose("upsampling", "transposed")
    assert np.array_equal(transposed[SEGMENTATION], visit.pixels()[SEGMENTATION])
    assert visit.backbone_runs == 0


@pytest.mark.parametrize("stride", [16, 8])
def test_stride_gives_a_finer_score_map_without_running_the_backbone(visit: Visit, stride: int) -> None:
    coarse = visit.pixels()
    visit.choose("stride", stride)
    fine = visit.pixels()
    assert np.array_equal(coarse[PHOTO], fine[PHOTO])
    assert not np.array_equal(coarse[SCORE_MAP], fine[SCORE_MAP])
    width, height = visit.pictures()[PHOTO].size
    assert f"{-(-height // stride)} x {-(-width // stride)} cells" in visit.words()
    assert visit.backbone_runs == 0


def test_working_size_is_the_longest_side_of_the_segmentation(visit: Visit) -> None:
    visit.app.select_slider(key="size").set_value(320)
    visit.run()
    assert max(visit.pictures()[SEGMENTATION].size) == 320 and visit.backbone_runs == 1


def test_choosing_a_sample_shows_it_and_puts_it_into_the_link(visit: Visit) -> None:
    before = visit.pixels()
    others = [button for button in visit.app.button if (button.key or "").startswith("choose-")]
    others[-1].click()
    visit.run()
    assert not np.array_equal(before[PHOTO], visit.pixels()[PHOTO])
    assert visit.app.query_params["sample"] == (others[-1].key or "").removeprefix("choose-")


# Uploads


def test_uploaded_jpeg_is_shown_with_its_size(visit: Visit) -> None:
    own = photo(200, 150)
    visit.upload(encoded(own, "JPEG", quality=95), "holiday.jpg")
    shown = visit.pixels()[PHOTO].astype(int)
    assert shown.shape == (150, 200, 3) and np.abs(shown - np.asarray(own)).mean() < 4
    assert "200 x 150" in visit.words() and not visit.errors()


def test_own_photo_and_its_name_stay_out_of_the_link(visit: Visit) -> None:
    [*_, last] = [button for button in visit.app.button if (button.key or "").startswith("choose-")]
    last.click()
    visit.run()
    visit.upload(encoded(photo()), "private.png")
    assert "sample" not in visit.app.query_params and "private" not in str(visit.app.query_params)


def test_own_photo_is_still_there_after_a_look_at_a_sample(visit: Visit) -> None:
    visit.upload(encoded(photo()))
    own = visit.pixels()
    visit.app.button(key="choose-scene-26").click()
    visit.run()
    assert visit.pixels()[PHOTO].shape != own[PHOTO].shape
    visit.app.button(key="choose-None").click()
    visit.run()
    assert all(np.array_equal(before, after) for before, after in zip(own, visit.pixels(), strict=True))


def test_camera_photo_is_shown(visit: Visit) -> None:
    visit.app.camera_input(key="camera").set_value(("shot.jpg", encoded(photo(), "JPEG"), "image/jpeg"))
    visit.run()
    assert visit.pictures()[PHOTO].size == (200, 150) and not visit.errors()


BAD = {
    "text": (b"Dear sir, please find my photo attached." * 20, "street.jpg"),
    "truncated": (encoded(photo(400, 300), "JPEG")[:2000], "cut.jpg"),
    "bomb": (bomb(), "wall.png"),
    "large": (b"\xff\xd8\xff" + bytes(20 * 1024**2 + 1), "large.jpg"),
    "empty": (b"", "nothing.jpg"),
}


@pytest.mark.parametrize("data, name", BAD.values(), ids=BAD.keys())
def test_bad_upload_is_refused_in_words_and_the_last_photo_stays(visit: Visit, data: bytes, name: str) -> None:
    visit.upload(encoded(photo(), "JPEG"), "good.jpg")
    before, visit.backbone_runs = visit.pixels(), 0
    visit.upload(data, name)
    [message] = visit.errors()
    assert message.startswith(name) and message.endswith(".") and "Traceback" not in message and "0x" not in message
    assert all(np.array_equal(old, new) for old, new in zip(before, visit.pixels(), strict=True))
    assert visit.backbone_runs == 0


def test_good_upload_takes_the_error_away(visit: Visit) -> None:
    visit.upload(*BAD["text"])
    assert visit.errors()
    visit.upload(encoded(photo()))
    assert not visit.errors()


def test_removing_a_refused_file_takes_the_error_away(visit: Visit) -> None:
    visit.upload(*BAD["text"])
    visit.app.file_uploader(key="upload").clear()
    visit.run()
    assert not visit.errors() and len(visit.pictures()) == 3


def animated() -> bytes:
    return encoded(photo(), "GIF", save_all=True, append_images=[Image.new("RGB", (200, 150), "red")], duration=100)


def sixteen_bits() -> bytes:
    grey = np.asarray(photo(mode="L")).astype(np.uint16) * 257
    return encoded(Image.fromarray(grey))


def transparent() -> bytes:
    image = photo(mode="RGBA")
    image.putalpha(Image.new("L", image.size, 100))
    return encoded(image)


UNUSUAL: dict[str, tuple[bytes, tuple[int, int], str]] = {
    "animated": (animated(), (200, 150), "first frame"),
    "16 bits": (sixteen_bits(), (200, 150), "16-bit"),
    "CMYK": (encoded(photo(mode="CMYK"), "JPEG"), (200, 150), "CMYK"),
    "transparent": (transparent(), (200, 150), "white"),
    "tiny": (encoded(photo(20, 20)), (20, 20), "edges were repeated"),
    "thin": (encoded(photo(300, 1)), (300, 1), "narrow"),
    "one pixel": (encoded(photo(1, 1)), (1, 1), "edges were repeated"),
}


@pytest.mark.parametrize("data, size, note", UNUSUAL.values(), ids=UNUSUAL.keys())
def test_unusual_photo_works_and_the_page_says_what_was_done(
    visit: Visit, data: bytes, size: tuple[int, int], note: str
) -> None:
    visit.upload(data)
    assert not visit.errors() and note in visit.words()
    assert visit.pictures()[PHOTO].size == visit.pictures()[SEGMENTATION].size == size


def test_turned_photo_is_shown_upright(visit: Visit) -> None:
    upright, exif = photo(150, 200), Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    visit.upload(encoded(upright.rotate(90, expand=True), "JPEG", exif=exif, quality=95), "phone.jpg")
    shown = visit.pixels()[PHOTO].astype(int)
    assert shown.shape == (200, 150, 3) and np.abs(shown - np.asarray(upright)).mean() < 4


# Hostile names and links


@pytest.mark.parametrize("data", [encoded(photo()), b"no image"], ids=["good", "bad"])
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
        {"stride": "0", "upsampling": "", "sample": "", "size": "", "opacity": "", "model": "../street"},
        {"stride": "32.5", "opacity": "-5", "size": "1e9", "sample": "\0", "model": "\N{GRINNING FACE}" * 999},
        {"stride": ["8", "16"], "upsampling": ["bilinear", "x"], "sample": ["scene-3", "scene-17"]},
    ],
)
def test_any_link_opens_the_page(monkeypatch: pytest.MonkeyPatch, link: dict[str, str | list[str]]) -> None:
    visit = Visit(monkeypatch)
    visit.app.query_params.update(link)
    visit.run()
    assert len(visit.pictures()) == 3 and not visit.errors()


def test_link_opens_what_it_names(monkeypatch: pytest.MonkeyPatch, visit: Visit) -> None:
    shared = Visit(monkeypatch)
    shared.app.query_params.update({"stride": "FCN-8s", "upsampling": "Bilinear", "sample": "scene-17"})
    shared.run()
    visit.app.button(key="choose-scene-17").click()
    visit.choose("stride", 8)
    visit.choose("upsampling", "bilinear")
    assert all(np.array_equal(one, other) for one, other in zip(shared.pixels(), visit.pixels(), strict=True))


# Downloads


def test_downloads_have_the_photos_own_size_and_class_indices(visit: Visit) -> None:
    visit.upload(encoded(photo(1300, 700), "JPEG"), "wide.view.jpg")
    labels = Image.open(io.BytesIO(visit.downloads["wide.view.labels.png"]()))
    assert labels.mode == "P" and labels.size == (1300, 700)
    assert np.asarray(labels).max() < len(CARD.classes)
    palette = labels.getpalette()
    assert palette is not None
    assert palette[: 3 * len(CARD.classes)] == [part for colour in CARD.palette for part in colour]
    overlay = Image.open(io.BytesIO(visit.downloads["wide.view.overlay.png"]()))
    assert overlay.mode == "RGB" and overlay.size == (1300, 700)


def test_downloaded_labels_are_those_of_the_picture(visit: Visit) -> None:
    visit.app.slider(key="opacity").set_value(100)
    visit.upload(encoded(photo(200, 150)), "own.png")
    labels = np.asarray(Image.open(io.BytesIO(visit.downloads["own.labels.png"]())))
    assert np.array_equal(np.asarray(CARD.palette, np.uint8)[labels], visit.pixels()[SEGMENTATION])
