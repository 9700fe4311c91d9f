"""The programs of "In Keras": each runs in a process of its own and gives the labels that the page shows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcn.compute import learning_code
from fcn.compute.learning import STARTS, Learner, Settings
from fcn.model import zoo
from fcn.model.network import STRIDES
from fcn.model.segmenter import Segmenter
from fcn.model.upsampling import UPSAMPLINGS
from fcn.photos.images import decode
from fcn.pictures import keras_code
from tests.support.photos import smooth_photo

ROOT = Path(__file__).parents[2]
#: Runs programs one after the other, so that TensorFlow is imported once, and keeps what each writes.
RUNNER = (
    "import os, runpy, sys\nfor p in sys.argv[1:]:\n    runpy.run_path(p)\n    os.replace('labels.png', p + '.png')\n"
)


def run_programs(folder: Path, programs: Sequence[str]) -> list[Image.Image]:
    """Run programs in a folder; return the pictures that they write."""
    files = [f"program{index}.py" for index in range(len(programs))]
    for file, program in zip(files, programs, strict=True):
        (folder / file).write_text(program, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", RUNNER, *files]
    subprocess.run(command, cwd=folder, env=environment, check=True, timeout=600)
    return [Image.open(folder / f"{file}.png") for file in files]


def test_every_stride_and_upsampling_with_shape_channels(segmenter: Segmenter, models: Path, tmp_path: Path) -> None:
    (tmp_path / "assets" / "models").mkdir(parents=True)
    shutil.copy(models / "small.keras", tmp_path / "assets" / "models")
    name = 'it\'s a "photo" \N{GRINNING FACE}.png'  # a name that would end a string, if it could
    Image.fromarray(smooth_photo(150, 201)).save(tmp_path / name)
    scores = segmenter.score(decode((tmp_path / name).read_bytes()).pixels, 160)
    assert scores.shape.shape[2] > 0
    settings = list(product(STRIDES, UPSAMPLINGS))
    programs = [keras_code.write(segmenter.card, scores.shape.shape[2], *setting, name, 160) for setting in settings]
    for setting, program, picture in zip(settings, programs, run_programs(tmp_path, programs), strict=True):
        np.testing.assert_array_equal(
            np.asarray(picture), segmenter.upsample(scores, *setting).labels, err_msg=str(setting)
        )
        palette = np.reshape(np.array(picture.getpalette()), (-1, 3))[: len(segmenter.card.palette)]
        np.testing.assert_array_equal(palette, segmenter.card.palette)
        assert ("Conv2DTranspose" in program) == (setting[1] == "transposed")
    assert len({np.asarray(segmenter.upsample(scores, *setting).labels).tobytes() for setting in settings}) > 3


@pytest.mark.parametrize("model", zoo.names())
def test_samples_of_the_shipped_models(model: str, tmp_path: Path) -> None:
    from fcn.ui import keras_code as on_the_page
    from fcn.ui.photo.samples import samples
    from fcn.ui.photo.source import SelectedPhoto

    (tmp_path / "assets").symlink_to(ROOT / "assets")
    sample = next(iter(samples(model).values()))
    chosen = SelectedPhoto.of_sample(sample)
    settings = [(32, "transposed"), (8, "bilinear")]
    programs = [on_the_page.write(model, chosen, *setting) for setting in settings]
    known = Segmenter.load(model)
    scores = known.score(chosen.read().pixels)
    for setting, picture in zip(settings, run_programs(tmp_path, programs), strict=True):
        differ = np.asarray(picture) != known.upsample(scores, *setting).labels
        assert differ.mean() < 1e-4, setting  # LiteRT rounds otherwise than Keras: a draw may go to the other class


@pytest.mark.parametrize(
    "settings",
    [Settings(pictures=4, start=start) for start in STARTS]
    + [Settings(pictures=1, stride=8, draw=2, rate=0.1), Settings(pictures=4, shape=True)],
    ids=lambda settings: f"{settings.start}-{settings.stride}{'-shape' if settings.shape else ''}",
)
def test_a_training_gives_the_kernel_of_the_page(settings: Settings, tmp_path: Path) -> None:
    import keras

    (tmp_path / "assets").symlink_to(ROOT / "assets")
    learner = Learner(settings, unseen=1, seen=1)
    learner.train(2)
    program = learning_code.write(zoo.read_card("street"), learner.kernel.shape[3], settings)
    assert "range(200)" in program
    (tmp_path / "program.py").write_text(program.replace("range(200)", "range(2)"), encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "program.py"], cwd=tmp_path, env=environment, check=True, timeout=600)
    layer = keras.saving.load_model(tmp_path / "upsampling.keras", compile=False).layers[0]
    # Adam divides by the size of a gradient: where that is all but zero, rounding decides where the weight goes.
    differ = np.abs(np.asarray(layer.kernel) - learner.kernel)
    assert np.median(differ) < 1e-5 and (differ > 1e-3).mean() < 0.01
