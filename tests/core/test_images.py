"""Photos as visitors send them: every mode, every turn, every way to be broken."""

import hashlib
import io
import struct
import subprocess
import sys
import time
import tracemalloc
import warnings
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from fcn.errors import FcnError, MaskError, PhotoError
from fcn.photos import files, images, rgb

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def encode(image: Image.Image | np.ndarray, form: str = "PNG", **options: Any) -> bytes:
    """Encode an image or an array as a file's bytes."""
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    """(H, W, channels) uint8 noise, the same in every run."""
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, channels), dtype=np.uint8)


def ramp_photo(height: int, width: int) -> np.ndarray:
    """(H, W, 3) uint8 ramps: a different value in every corner, and kind to JPEG."""
    rows, columns = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    return np.stack([rows * 200, columns * 200, 100 + rows * columns * 100], -1).astype(np.uint8)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bare_png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """A PNG written by hand, so that Pillow's writer is not its own judge."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def bomb(side: int = 13_000) -> bytes:
    """A PNG of side x side one-bit pixels, all zero: 169 megapixels in about 20 kB."""
    return bare_png(side, side, 1, 0, zlib.compress(bytes(side * (1 + side // 8)), 9))


def decode(data: bytes, name: str = "photo") -> images.Photo:
    """Decode at the photo's own size."""
    return images.decode(data, name, max_side=None)


def expect_refusal(data: bytes, name: str = "photo") -> str:
    """Check that the bytes give a PhotoError without traces of Pillow; return its message."""
    with pytest.raises(PhotoError) as caught:
        decode(data, name)
    message = str(caught.value)
    assert message.endswith(".") and not any(word in message for word in ("PIL", "Error", "BytesIO", "Traceback"))
    return message


# Decoding: colours


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_keep_every_pixel(form: str) -> None:
    array = noise(40, 50)
    photo = decode(encode(array, form))
    np.testing.assert_array_equal(photo.pixels, array)
    assert photo.size == (40, 50) and photo.notes == ()
    assert photo.pixels.dtype == np.uint8 and not photo.pixels.flags.writeable


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_lossy_formats_keep_colours_closely(form: str) -> None:
    array = ramp_photo(64, 80)
    photo = decode(encode(array, form, quality=95))
    assert np.abs(photo.pixels.astype(int) - array).mean() < 3


def test_heic_is_read_where_its_library_is_installed() -> None:
    pytest.importorskip("pillow_heif")
    array = ramp_photo(64, 80)
    photo = decode(encode(array, "HEIF", quality=95))
    assert photo.size == (64, 80) and np.abs(photo.pixels.astype(int) - array).mean() < 5


def test_heic_without_its_library_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "HEIF", ())
    for brand in (b"heic", b"mif1"):
        message = expect_refusal(struct.pack(">I", 24) + b"ftyp" + brand + bytes(12))
        assert "HEIC" in message and "Save it as JPEG" in message
    script = "import sys; sys.modules['pillow_heif'] = None; from fcn.photos import images; print(images.FORMAT_NAMES)"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "JPEG, PNG, WebP, BMP, GIF or TIFF"


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("1", 1, (255, 255, 255)),
        ("L", 90, (90, 90, 90)),
        ("LA", (90, 255), (90, 90, 90)),
        ("LA", (0, 51), (204, 204, 204)),
        ("La", (20, 51), (224, 224, 224)),  # premultiplied: 100 at one fifth on white
        ("RGB", (10, 20, 30), (10, 20, 30)),
        ("RGBX", (10, 20, 30, 0), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 0), (255, 255, 255)),
        ("RGBA", (0, 100, 200, 51), (204, 224, 244)),
        ("RGBa", (0, 20, 40, 51), (204, 224, 244)),
        ("CMYK", (0, 255, 255, 0), RED),
        ("CMYK", (0, 0, 0, 255), (0, 0, 0)),
        ("YCbCr", (76, 85, 255), (254, 0, 0)),
        ("HSV", (85, 255, 255), GREEN),
        ("LAB", (255, 128, 128), (255, 255, 255)),
        ("LAB", (0, 128, 128), (0, 0, 0)),
        ("I;16", 0x8000, (128, 128, 128)),
        ("I;16B", 0x8000, (128, 128, 128)),
        ("I;16L", 0x8000, (128, 128, 128)),
    ],
)
def test_every_mode_becomes_rgb(mode: str, colour: Any, expected: tuple[int, int, int]) -> None:
    converted, _ = rgb.to_rgb(Image.new(mode, (3, 2), colour))
    assert converted.mode == "RGB" and converted.size == (3, 2)
    assert np.abs(np.asarray(converted).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "I", "F"])
def test_every_mode_arrives_through_a_file(mode: str) -> None:
    photo = decode(encode(Image.fromarray(ramp_photo(20, 30)).convert(mode), "TIFF"))
    assert photo.pixels.shape == (20, 30, 3) and photo.pixels.std() > 10


def test_lab_file_keeps_its_colours() -> None:
    array = ramp_photo(40, 50)
    spaces = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    lab = ImageCms.profileToProfile(Image.fromarray(array), *spaces, outputMode="LAB")
    assert lab is not None
    photo = decode(encode(lab, "TIFF"))
    assert np.abs(photo.pixels.astype(int) - array).mean() < 3
    assert photo.notes == ("Lab colours converted to RGB.",)


def test_cmyk_jpeg_is_not_inverted() -> None:
    photo = decode(encode(Image.new("CMYK", (40, 40), (0, 255, 255, 0)), "JPEG", quality=95))
    assert np.abs(photo.pixels.astype(int) - RED).max() <= 6
    assert len(photo.notes) == 1 and photo.notes[0].startswith("CMYK")


def test_palette_with_and_without_transparency() -> None:
    image = Image.new("P", (40, 40), 0)
    image.putpalette([*RED, *BLUE])
    image.paste(1, (0, 0, 40, 20))
    plain = decode(encode(image))
    assert tuple(plain.pixels[0, 0]) == BLUE and tuple(plain.pixels[-1, 0]) == RED and plain.notes == ()
    for transparency in (1, b"\xff\x00"):
        clear = decode(encode(image, transparency=transparency))
        assert tuple(clear.pixels[0, 0]) == (255, 255, 255) and tuple(clear.pixels[-1, 0]) == RED
        assert clear.notes == ("Transparent areas are shown on white.",)


@pytest.mark.parametrize(("mode", "colour"), [("L", 40), ("RGB", (40, 40, 40))])
def test_transparent_colour_key(mode: str, colour: Any) -> None:
    photo = decode(encode(Image.new(mode, (32, 32), colour), transparency=colour))
    assert (photo.pixels == 255).all() and len(photo.notes) == 1


def test_opaque_alpha_is_not_worth_a_note() -> None:
    assert decode(encode(Image.new("RGBA", (32, 32), (1, 2, 3, 255)))).notes == ()


def test_16_bit_png_is_scaled_not_clipped() -> None:
    values = np.arange(65_536, dtype=np.uint16).reshape(256, 256)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    photo = decode(bare_png(256, 256, 16, 0, zlib.compress(rows)))
    np.testing.assert_array_equal(photo.pixels[..., 1], np.rint(values / 257.0))
    assert photo.notes == ("16-bit greyscale: scaled to 8 bits.",)


def test_16_bit_colour_png() -> None:
    row = b"\0" + struct.pack(">6H", 0, 0x8000, 0xFFFF, 0x1234, 0xFF00, 0x00FF)
    photo = decode(bare_png(2, 1, 16, 2, zlib.compress(row)))
    assert np.abs(photo.pixels[0].astype(int) - [[0, 128, 255], [18, 255, 1]]).max() <= 1


def test_values_without_a_range_are_stretched() -> None:
    ramp = np.linspace(-3, 7, 64, dtype=np.float32).reshape(8, 8)
    photo = decode(encode(ramp, "TIFF"))
    np.testing.assert_array_equal(photo.pixels[..., 0].ravel(), np.rint(np.linspace(0, 255, 64)))
    grey = np.array([[0, 257, 0x8000, 0xFFFF]], np.uint16)
    assert decode(encode(grey, "TIFF")).pixels[0, :, 0].tolist() == [0, 1, 128, 255]  # but 16 bits have one
    whole = decode(encode(np.array([[-(2**31), 0, 2**31 - 1]], np.int32), "TIFF"))
    assert whole.pixels[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize(
    "values", [[0.0, np.nan, 1.0], [0.0, np.inf, -np.inf], [5.0, 5.0, 5.0], [np.nan] * 3, [-3e38, 0.0, 3e38]]
)
def test_odd_floats_are_no_obstacle(values: list[float]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        photo = decode(encode(np.array([values], np.float32), "TIFF"))
    assert photo.pixels.shape == (1, 3, 3)


# Decoding: turns, frames, sizes


@pytest.mark.parametrize(
    "orientation, form", [*((turn, "JPEG") for turn in range(1, 9)), (6, "PNG"), (6, "WEBP"), (6, "TIFF")]
)
def test_exif_orientation(orientation: int, form: str) -> None:
    upright = ramp_photo(48, 80)
    stored = {  # what a camera held so would write; inverses of the turns in the EXIF standard
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 95} if form in ("JPEG", "WEBP") else {}
    photo = decode(encode(np.ascontiguousarray(stored), form, exif=exif, **options))
    assert photo.size == (48, 80)
    assert np.abs(photo.pixels.astype(int) - upright).mean() < 3


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF"])
def test_huge_or_broken_colour_profile_is_ignored(form: str) -> None:
    profile = noise(1000, 700).tobytes()  # over 2 MB: Pillow itself refuses a PNG with this
    for icc in (profile, b"broken"):
        assert decode(encode(ramp_photo(48, 80), form, icc_profile=icc)).size == (48, 80)


@pytest.mark.parametrize(("form", "extra"), [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {})])
def test_first_frame_of_an_animation(form: str, extra: dict[str, bool]) -> None:
    first, second = Image.new("RGB", (40, 40), RED), Image.new("RGB", (40, 40), BLUE)
    photo = decode(encode(first, form, save_all=True, append_images=[second], **extra))
    assert (photo.pixels == RED).all()
    assert photo.notes == ("Animated: the first frame is shown.",)


def test_first_page_of_a_tiff() -> None:
    photo = decode(encode(noise(40, 40), "TIFF", save_all=True, append_images=[Image.new("L", (9, 9))]))
    np.testing.assert_array_equal(photo.pixels, noise(40, 40))
    assert photo.notes == ("Several pages: the first one is shown.",)


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (31, 31), (32, 32), (33, 33), (375, 500), (20_000, 1), (1, 20_000)]
)
def test_any_size_reaches_the_network(height: int, width: int) -> None:
    array = noise(height, width)
    photo = decode(encode(array))
    np.testing.assert_array_equal(photo.pixels, array)
    assert any("edges were repeated" in note for note in photo.notes) == (min(height, width) < 32)
    assert any("Very narrow" in note for note in photo.notes) == (20_000 in (height, width))
    fed = images.network_input(photo.pixels)
    rows, columns = fed.array.shape[1:3]
    assert fed.array.shape[0] == 1 and fed.array.shape[3] == 3 and rows % 32 == columns % 32 == 0
    assert rows - 32 < fed.height <= rows and columns - 32 < fed.width <= columns
    assert min(fed.height, fed.width) >= 1


def test_a_light_copy_is_smaller_and_remembers_the_own_size() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = ramp_photo(1200, 1600)
    photo = images.decode_light(encode(stored, "JPEG", quality=95, exif=exif), side=390)
    assert photo.size == (1600, 1200) and photo.pixels.shape == (400, 300, 3)
    ramps = np.abs(photo.pixels.astype(int) - np.rot90(stored, -1)[2::4, 2::4])
    assert ramps.mean() < 3
    blocks = images.decode_light(encode(stored), side=500)  # PNG has no such shortcut: means of 3 x 3 pixels
    assert blocks.size == (1200, 1600) and blocks.pixels.shape == (400, 534, 3)
    assert np.abs(blocks.pixels[:, :533].astype(int) - stored[1::3, 1:1599:3]).max() <= 1


#: Sizes whose light copies have another shape than the photo by a rounded pixel.
ODD_SIZES = [(3000, 4000), (4000, 3000), (1999, 3000), (2251, 3000), (3000, 1688), (3001, 2003), (961, 960), (500, 375)]


@pytest.mark.parametrize(("height", "width"), ODD_SIZES)
def test_the_working_size_comes_from_the_photos_own_size(height: int, width: int) -> None:
    data = encode(ramp_photo(height, width), "JPEG", quality=80)
    light = images.decode_light(data)
    assert max(light.pixels.shape) < 2 * images.LARGEST
    for side in (320, 480, 640, 800, 960):
        photo = images.decode(data, max_side=side)
        scale = min(1, side / max(height, width))
        assert photo.pixels.shape[:2] == (round(height * scale), round(width * scale))
        assert photo.size == (height, width) and not photo.pixels.flags.writeable
        np.testing.assert_array_equal(images.shrink(light, side), photo.pixels)
        np.testing.assert_array_equal(images.shrink(photo.pixels, side), photo.pixels)
        np.testing.assert_array_equal(images.network_input(light, side).array, images.network_input(photo, side).array)


def test_all_pixels_shrink_like_the_file_that_they_come_from() -> None:
    array = noise(1999, 3000)
    data = encode(array, compress_level=0)
    np.testing.assert_array_equal(images.shrink(array), images.decode(data).pixels)
    np.testing.assert_array_equal(images.shrink(array, 2000), images.decode(data, max_side=2000).pixels)


def test_a_copy_that_is_too_small_is_refused() -> None:
    photo = images.decode(encode(ramp_photo(1200, 1600)))
    with pytest.raises(ValueError, match="Decode it larger"):
        images.shrink(photo, 640)


def test_sha256_is_that_of_the_upload() -> None:
    data = encode(np.zeros((1, 1, 3), np.uint8), "BMP")
    photo = decode(data)
    assert photo.sha256 == decode(data, "other").sha256
    assert photo.sha256 != decode(encode(np.zeros((1, 2, 3), np.uint8), "BMP")).sha256
    assert hashlib.sha256(data).hexdigest() == photo.sha256


# Refusals


def test_no_bytes_and_no_image() -> None:
    assert "empty (0 bytes)" in expect_refusal(b"")
    message = expect_refusal(b"Dear sir, please find attached my photo." * 20, "street.jpg")
    assert "street.jpg" in message and "JPEG, PNG" in message and "800 bytes" in message
    expect_refusal(b"\0" * 1000)
    expect_refusal(b"%PDF-1.7 " + bytes(100))
    expect_refusal(b"<svg xmlns='http://www.w3.org/2000/svg'/>")


@pytest.mark.parametrize("form", ["PPM", "ICO", "TGA"])
def test_formats_that_are_not_offered(form: str) -> None:
    expect_refusal(encode(noise(32, 32), form))


def test_too_many_bytes() -> None:
    message = expect_refusal(b"\xff\xd8\xff" + bytes(files.MAX_BYTES + 100_000))
    assert "20.1 MB" in message and "limit is 20 MB" in message


@pytest.mark.parametrize("limit", [None, 10, 89_478_485])
def test_bomb_is_refused_before_it_is_decoded(limit: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bomb()
    assert len(data) < 25_000
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)  # whatever others set, the outcome is ours
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tracemalloc.start()
        start = time.perf_counter()
        message = expect_refusal(data)
        taken, peak = time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert taken < 0.5 and peak < 2_000_000
    assert "13000 x 13000" in message and "169.0 megapixels" in message and "limit is 50" in message


@pytest.mark.parametrize("side", [100_000, 2_000_000_000])
def test_sizes_beyond_pillows_own_error_are_told_too(side: int) -> None:
    assert f"{side} x {side}" in expect_refusal(bare_png(side, side, 8, 2, zlib.compress(b"\0")))


def test_the_largest_photo_is_accepted() -> None:
    photo = decode(bare_png(10_000, 5_000, 1, 0, zlib.compress(bytes(5_000 * 1_251), 1)))
    assert photo.size == (5_000, 10_000)
    expect_refusal(bare_png(10_000, 5_001, 1, 0, zlib.compress(bytes(5_001 * 1_251), 1)))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.98])
def test_truncated(form: str, kept: float) -> None:
    data = encode(noise(100, 120), form)
    message = expect_refusal(data[: int(len(data) * kept)])
    assert "damaged" in message


@pytest.mark.parametrize("error", [MemoryError, OverflowError, struct.error, zlib.error, SyntaxError, RuntimeError])
def test_whatever_pillow_raises_is_said_plainly(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise error("PIL internals")

    monkeypatch.setattr(Image.Image, "convert", fail)
    assert "damaged" in expect_refusal(encode(noise(32, 32)[..., 0]))


# To the network and back


def test_network_input_of_a_small_photo_is_the_photo_itself() -> None:
    array = noise(33, 47)
    fed = images.network_input(array)
    assert fed.array.dtype == np.float32 and fed.array.shape == (1, 64, 64, 3)
    expected = np.pad(array, ((0, 31), (0, 17), (0, 0)), mode="edge")
    np.testing.assert_array_equal(fed.array[0], expected)
    assert (fed.height, fed.width) == (33, 47)


@pytest.mark.parametrize(
    ("own", "working"), [((3000, 4000), (360, 480)), ((500, 375), (480, 360)), ((480, 480), (480, 480))]
)
def test_network_input_keeps_the_aspect_ratio(own: tuple[int, int], working: tuple[int, int]) -> None:
    fed = images.network_input(ramp_photo(*own))
    assert (fed.height, fed.width) == working
    photo = fed.array[0, : fed.height, : fed.width]
    assert np.abs(photo - ramp_photo(*working)).mean() < 2 and photo.min() >= 0 and photo.max() <= 255


def test_shrinking_does_not_alias() -> None:
    checks = np.zeros((2000, 2000, 3), np.uint8)
    checks[::2, 1::2] = checks[1::2, ::2] = 255
    fed = images.network_input(checks)
    assert np.abs(fed.array - 127.5).max() < 3  # nearest or plain bilinear would show a moire of 0 and 255


@pytest.mark.parametrize(
    "own, small",
    [((7, 5), (3, 4)), ((75, 100), (36, 48)), ((90, 60), (90, 60)), ((1, 900), (1, 240)), ((37, 50), (90, 60))],
)
def test_labels_to_own_size_is_nearest(own: tuple[int, int], small: tuple[int, int]) -> None:
    rows, columns = np.mgrid[0 : small[0], 0 : small[1]].astype(np.uint8)  # each label tells where it came from
    for axis, source in ((0, rows), (1, columns)):
        result = images.labels_to_own_size(source, own)
        assert result.shape == own and result.dtype == np.uint8
        centres = (np.indices(own)[axis] + 0.5) * small[axis] / own[axis]
        assert np.abs(centres - (result + 0.5)).max() <= 0.5 + 1e-9


def test_errors_are_one_family() -> None:
    assert issubclass(PhotoError, FcnError) and issubclass(MaskError, FcnError)
