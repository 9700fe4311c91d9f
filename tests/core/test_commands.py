"""The command line: results on stdout and in files, trouble in one line on stderr, an exit status that tells."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from fcn.__main__ import main
from fcn.model.segmenter import Segmenter
from tests.support.photos import smooth_photo

ROOT = Path(__file__).parents[2]
Captured = pytest.CaptureFixture[str]


def save_photo(path: Path, height: int, width: int, orientation: int | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if orientation is not None:
        exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(smooth_photo(height, width)).save(path, exif=exif)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder of two photos, 64 x 48 pixels."""
    (tmp_path / "data" / "labels").mkdir(parents=True)
    for name in ("one", "two"):
        save_photo(tmp_path / "data" / "images" / f"{name}.jpg", 48, 64)
        mask = np.zeros((48, 64), np.uint8)
        mask[24:] = 3
        Image.fromarray(mask).save(tmp_path / "data" / "labels" / f"{name}.png")
    return tmp_path / "data"


def expect_refusal(captured: Captured, *arguments: object) -> str:
    """Check that a command does nothing but print one line of error; return that line."""
    assert main([str(argument) for argument in arguments]) == 2
    out, err = captured.readouterr()
    assert out == ""
    lines = err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith(f"fcn {arguments[0]}: "), err
    return lines[0]


def read_size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


@pytest.mark.parametrize("command", ["segment", "evaluate", "train", "convert"])
def test_help_shows_an_example(command: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    assert f"python -m fcn {command} " in said[said.index("example") :]


@pytest.mark.parametrize(
    "arguments, said",
    [
        ([], "required"),
        (["segment", "--out", "x"], "PHOTO"),
        (["segment", "a.jpg"], "--out"),
        (["segment", "a.jpg", "--out", "x", "--stride", "4"], "invalid choice: 4"),
        (["evaluate", "--data", "x", "--limit", "0"], "'0' is not a whole number of at least 1"),
        (["evaluate", "--data", "x", "--size", "-3"], "'-3' is not a whole number of at least 1"),
    ],
)
def test_wrong_arguments_are_refused(arguments: list[str], said: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


def test_segment_writes_what_it_can_and_names_what_it_cannot(
    installed_models: Path, tmp_path: Path, capsys: Captured
) -> None:
    good = save_photo(tmp_path / "good.png", 50, 90)
    turned = save_photo(tmp_path / "turned.jpg", 40, 60, orientation=6)  # lies on its side: 40 x 60 upright
    bad = tmp_path / "bad.jpg"
    bad.write_text("no photo")
    missing, out = tmp_path / "missing.jpg", tmp_path / "new" / "results"
    options = ["--model", "small", "--stride", "8", "--size", "64", "--out", str(out)]
    assert main(["segment", *map(str, (good, bad, missing, turned)), *options]) == 1
    stdout, stderr = capsys.readouterr()
    said = [line for line in stderr.splitlines() if line.startswith("fcn segment: ")]
    assert stdout == "" and "Traceback" not in stderr
    assert len(said) == 2 and "bad.jpg" in said[0] and "missing.jpg" in said[1]
    kinds = ("coarse", "labels", "overlay")
    assert sorted(path.name for path in out.iterdir()) == [f"{n}.{k}.png" for n in ("good", "turned") for k in kinds]
    for kind in ("labels", "overlay"):
        assert read_size(out / f"good.{kind}.png") == (90, 50)
        assert read_size(out / f"turned.{kind}.png") == (40, 60)
    assert read_size(out / "good.coarse.png") == (64, 36)


def test_segmented_labels_are_the_segmenters(loaded_model: None, segmenter: Segmenter, tmp_path: Path) -> None:
    photo = save_photo(tmp_path / "photo.png", 50, 90)
    options = ["--model", "small", "--stride", "16", "--upsampling", "bilinear", "--out", str(tmp_path)]
    assert main(["segment", str(photo), *options]) == 0
    expected = segmenter.upsample(segmenter.score(smooth_photo(50, 90)), 16, "bilinear").labels
    with Image.open(tmp_path / "photo.labels.png") as image:
        assert image.mode == "P"
        assert (np.asarray(image) == expected).mean() > 0.999
        assert tuple((image.getpalette() or [])[:6]) == segmenter.card.palette[0] + segmenter.card.palette[1]


def test_two_photos_of_one_name_have_results_of_their_own(loaded_model: None, tmp_path: Path, capsys: Captured) -> None:
    photos = [save_photo(tmp_path / "monday" / "street.png", 32, 32), save_photo(tmp_path / "street-2.png", 32, 48)]
    photos += [save_photo(tmp_path / "tuesday" / "Street.jpg", 48, 32), save_photo(tmp_path / "street.png", 40, 32)]
    out = tmp_path / "out"
    assert main(["segment", *map(str, photos), "--model", "small", "--out", str(out)]) == 0
    sizes = {"street": (32, 32), "street-2": (48, 32), "Street-3": (32, 48), "street-4": (32, 40)}
    assert {path.name.removesuffix(".labels.png"): read_size(path) for path in out.glob("*.labels.png")} == sizes
    assert "Street.jpg are named Street-3" in capsys.readouterr().err


def test_what_is_no_file_gets_a_sentence(loaded_model: None, tmp_path: Path, capsys: Captured) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "large.jpg").open("wb") as file:
        file.truncate(100 * 1024**3)  # a hole, which would be read as 100 GB of zeros
    odd = ["/dev/zero", "/dev/full", "/dev/fd/60000", *map(str, (tmp_path / "pipe", tmp_path, tmp_path / "large.jpg"))]
    assert main(["segment", *odd, "--model", "small", "--out", str(tmp_path / "out")]) == 1
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("fcn segment: ")]
    kinds = ["a device or a pipe", "a device or a pipe", "cannot be read", "a device or a pipe", "a folder", "102,400"]
    assert len(said) == len(kinds)
    for line, kind in zip(said, kinds, strict=True):
        assert kind in line.replace("102400.0 MB", "102,400")


def test_standard_input_is_a_photo_too(loaded_model: None, segmenter: Segmenter, tmp_path: Path) -> None:
    photo = save_photo(tmp_path / "photo.png", 50, 90)
    command = f"{sys.executable} -m fcn segment /dev/stdin --out {tmp_path} --model street"
    done = subprocess.run(f"cat {photo} | {command}", shell=True, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert read_size(tmp_path / "stdin.labels.png") == (90, 50)


def test_a_result_that_cannot_be_written_costs_no_other_photo(
    loaded_model: None, tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "out"
    (out / "first.labels.png").mkdir(parents=True)
    photos = [save_photo(tmp_path / name, 32, 48) for name in ("first.png", "last.png")]
    assert main(["segment", *map(str, photos), "--model", "small", "--out", str(out)]) == 1
    assert read_size(out / "last.labels.png") == (48, 32)
    assert "first.png" in capsys.readouterr().err


def test_a_result_never_overwrites_a_photo(loaded_model: None, tmp_path: Path, capsys: Captured) -> None:
    photos = [save_photo(tmp_path / name, 32, 48) for name in ("a.png", "a.labels.png")]
    before = photos[1].read_bytes()
    assert main(["segment", *map(str, photos), "--model", "small", "--out", str(tmp_path)]) == 1
    assert photos[1].read_bytes() == before
    assert "a.labels.png would overwrite a photo" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="Pipes have such names on Linux.")
def test_the_programs_own_pipes_are_no_photos(loaded_model: None, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fcn", "segment", *(f"/dev/fd/{n}" for n in range(3, 12)), "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and done.stderr.count("fcn segment: ") == 9


def test_names_are_printed_without_what_a_terminal_would_obey(
    loaded_model: None, tmp_path: Path, capsys: Captured
) -> None:
    assert main(["segment", "\x1b[2Jno\nphoto.jpg", "--model", "small", "--out", str(tmp_path)]) == 1
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("fcn segment: ")]
    assert line.startswith("fcn segment: [2Jnophoto.jpg: ")


def test_an_output_folder_that_is_a_file(loaded_model: None, tmp_path: Path, capsys: Captured) -> None:
    photo = save_photo(tmp_path / "photo.png", 32, 32)
    assert "photo.png" in expect_refusal(capsys, "segment", photo, "--model", "small", "--out", photo)


def test_evaluate_prints_one_json_object(loaded_model: None, data: Path, capsys: Captured) -> None:
    assert main(["evaluate", "--model", "small", "--data", str(data), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report) == ["model", "images", "results"]
    assert (report["model"], report["images"], len(report["results"])) == ("small", 2, 10)
    for row in report["results"]:
        assert list(row)[:5] == ["stride", "upsampling", "miou", "pixel_accuracy", "boundary_f1"]
        assert list(row)[5:] == ["trimap_8", "trimap_16", "iou"]
        assert 0 <= row["pixel_accuracy"] <= 100
        assert row["iou"]["class 0"] is not None and row["iou"]["class 1"] is None


def test_evaluate_prints_a_table(loaded_model: None, data: Path, capsys: Captured) -> None:
    assert main(["evaluate", "--model", "small", "--data", str(data), "--limit", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "small on 1 photos, percent"
    assert [line.split()[:2] for line in lines if line.split()[:1] == ["8"]] == [
        ["8", name] for name in ["nearest", "bilinear", "transposed"]
    ]
    assert next(line for line in lines if line.startswith("class 1 ")).split()[2:] == ["-"] * 10


def test_evaluate_compares_the_transposed_convolution_with_its_rivals(
    loaded_model: None, data: Path, capsys: Captured
) -> None:
    assert main(["evaluate", "--model", "small", "--data", str(data), "--compare", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["model"], report["images"]) == ("small", 2)
    assert main(["evaluate", "--model", "small", "--data", str(data), "--compare"]) == 0
    text = capsys.readouterr().out
    assert "95 % interval" in text and "of best" in text
    assert f"{report['scores']['mixed']['miou']:.1f}" in text


def test_a_missing_folder(loaded_model: None, tmp_path: Path, capsys: Captured) -> None:
    assert "nowhere" in expect_refusal(capsys, "evaluate", "--model", "small", "--data", tmp_path / "nowhere")


def test_an_empty_folder(loaded_model: None, tmp_path: Path, capsys: Captured) -> None:
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
    assert "is empty" in expect_refusal(capsys, "evaluate", "--model", "small", "--data", tmp_path)


def test_a_mask_of_another_size(loaded_model: None, data: Path, capsys: Captured) -> None:
    Image.fromarray(np.zeros((48, 63), np.uint8)).save(data / "labels" / "two.png")
    said = expect_refusal(capsys, "evaluate", "--model", "small", "--data", data, "--json")
    assert "two.png has 63 x 48 pixels, but its photo has 64 x 48" in said


def test_a_mask_with_an_unknown_class(loaded_model: None, data: Path, capsys: Captured) -> None:
    Image.fromarray(np.full((48, 64), 77, np.uint8)).save(data / "labels" / "one.png")
    assert "77" in expect_refusal(capsys, "evaluate", "--model", "small", "--data", data, "--json")


def test_a_photo_that_is_broken(loaded_model: None, data: Path, capsys: Captured) -> None:
    (data / "images" / "one.jpg").write_text("no photo")
    assert "one.jpg" in expect_refusal(capsys, "evaluate", "--model", "small", "--data", data)


def test_an_unknown_model(loaded_model: None, data: Path, tmp_path: Path, capsys: Captured) -> None:
    photo = data / "images" / "one.jpg"
    assert "Choose one of: small" in expect_refusal(capsys, "evaluate", "--model", "cars", "--data", data)
    assert "Choose one of: small" in expect_refusal(capsys, "segment", photo, "--model", "cars", "--out", tmp_path)
    assert "Choose one of: street" in expect_refusal(
        capsys, "train", "--model", "cars", "--data", data, "--out", tmp_path / "cars.keras"
    )


def test_training_data_that_will_not_do(data: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "model.keras"
    assert "nowhere" in expect_refusal(capsys, "train", "--data", tmp_path / "nowhere", "--out", out)
    assert "train" in expect_refusal(capsys, "train", "--data", data, "--out", out)
    assert "model.h5" in expect_refusal(capsys, "train", "--data", data, "--out", tmp_path / "model.h5")


def test_people_and_animals_cannot_learn_from_street_scenes(tmp_path: Path, capsys: Captured) -> None:
    said = expect_refusal(
        capsys, "train", "--model", "people_animals", "--data", "synthetic", "--out", tmp_path / "model.keras"
    )
    assert "Synthetic scenes show streets; the model people_animals needs photos" in said
