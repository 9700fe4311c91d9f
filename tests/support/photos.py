"""Pictures that tests make up."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter


def smooth_photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """(H, W, 3) uint8: soft coloured blobs, the same in every run."""
    noise = np.random.default_rng(seed).normal(size=(height, width, 3))
    soft = gaussian_filter(noise, (8, 8, 0), mode="wrap")
    return np.clip(128 + 60 * soft / max(soft.std(), 1e-9), 0, 255).astype(np.uint8)
