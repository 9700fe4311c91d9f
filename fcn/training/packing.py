"""Shrinks the file of a trained model: its results change by no more than rounding."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

UPSAMPLING_STEP = 2.0**-12  # kernels of transposed convolutions are rounded to multiples of it


def save_packed(model: keras.Model, path: Path) -> None:
    """Write a .keras file that is less than half as large as usual and loads like any other.

    Batch normalisation is folded into the convolutions, kernels are rounded (half precision; those of transposed
    convolutions, whose values are small and many, to multiples of UPSAMPLING_STEP), and the file is compressed. Since
    the folded kernels are the rounded ones, the model converted for LiteRT, which folds too, computes the same.

    Args:
        model: Changed in place.
        path: The file, *.keras.
    """
    fold_batch_normalisation(model)
    for variable in model.variables:
        if len(variable.shape) > 1:
            variable.assign(_rounded(np.asarray(variable), variable.path))
    loose = path.with_suffix(".loose.keras")
    model.save(loose)
    with zipfile.ZipFile(loose) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as target:
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry), zipfile.ZIP_LZMA)
    loose.unlink()


def fold_batch_normalisation(model: keras.Model) -> None:
    """Move the scale of each batch normalisation into the convolution before it; its shift stays, its scale is 1.

    Args:
        model: A network of `fcn.model.network.build`. It is changed in place and computes the same.
    """
    names = {layer.name for layer in model.layers}
    for layer in model.layers:
        if f"{layer.name}_bn" not in names:
            continue
        normalisation = model.get_layer(f"{layer.name}_bn")
        gamma, beta, mean, variance = (np.asarray(weight, np.float64) for weight in normalisation.weights)
        scale = gamma / np.sqrt(variance + normalisation.epsilon)
        kernel = np.asarray(layer.weights[0], np.float64)
        depthwise = kernel.shape[2] == len(scale) and kernel.shape[3] == 1  # (h, w, C, 1), else (h, w, in, out)
        layer.weights[0].assign(kernel * (scale[:, np.newaxis] if depthwise else scale))
        ones = np.ones_like(scale)
        normalisation.set_weights([ones, beta - mean * scale, 0 * ones, ones - normalisation.epsilon])


def _rounded(values: np.ndarray, path: str) -> np.ndarray:
    if path.startswith("upsample_"):
        return (np.round(values / UPSAMPLING_STEP) * UPSAMPLING_STEP).astype(np.float32)
    return values.astype(np.float16).astype(np.float32)
