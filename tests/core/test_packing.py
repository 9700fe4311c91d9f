"""A packed model computes what the trained one did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from fcn.model.network import build
from fcn.training.packing import UPSAMPLING_STEP, fold_batch_normalisation, save_packed


@pytest.fixture(scope="module")
def trained_model() -> Any:
    """A network whose batch normalisation, kernels and scores have all kinds of values."""
    keras.utils.set_random_seed(1)
    model, rng = build(3, 4), np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            size = layer.gamma.shape
            shifts = rng.normal(size=size), rng.normal(size=size)
            layer.set_weights([rng.uniform(0.5, 2, size), *shifts, rng.uniform(0.5, 2, size)])
        elif layer.name.startswith(("score", "shape")):
            layer.set_weights([0.03 * rng.normal(size=weight.shape) for weight in layer.get_weights()])
        elif isinstance(layer, keras.layers.Conv2DTranspose):
            layer.kernel.assign(layer.kernel + 0.01 * rng.normal(size=layer.kernel.shape))
    return model


def outputs(model: Any) -> dict[str, np.ndarray]:
    photo = np.random.default_rng(0).uniform(0, 255, (1, 64, 96, 3)).astype(np.float32)
    return {name: np.asarray(value) for name, value in model(photo, training=False).items()}


def test_folding_changes_nothing_but_rounding(trained_model: Any) -> None:
    model = keras.models.clone_model(trained_model)
    model.set_weights(trained_model.get_weights())
    fold_batch_normalisation(model)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, _, mean, variance = layer.get_weights()
            assert (gamma / np.sqrt(variance + np.float32(layer.epsilon)) == 1).all() and not mean.any()
    before, after = outputs(trained_model), outputs(model)
    for name, values in before.items():
        np.testing.assert_allclose(after[name], values, atol=1e-3 * np.abs(values).max())


def test_the_file_holds_rounded_kernels_and_is_small(trained_model: Any, tmp_path: Path) -> None:
    model = keras.models.clone_model(trained_model)
    model.set_weights(trained_model.get_weights())
    model.save(tmp_path / "plain.keras")
    save_packed(model, tmp_path / "packed.keras")
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["packed.keras", "plain.keras"]
    assert (tmp_path / "packed.keras").stat().st_size < 0.6 * (tmp_path / "plain.keras").stat().st_size
    loaded = keras.saving.load_model(tmp_path / "packed.keras")
    kernel = np.asarray(loaded.get_layer("upsample_32").kernel)
    np.testing.assert_array_equal(kernel, np.round(kernel / UPSAMPLING_STEP) * UPSAMPLING_STEP)
    top = np.asarray(loaded.get_layer("top").kernel)
    np.testing.assert_array_equal(top, top.astype(np.float16))
    before, after = outputs(trained_model), outputs(loaded)
    for name, values in before.items():
        np.testing.assert_allclose(after[name], values, atol=0.02 * np.abs(values).max())
