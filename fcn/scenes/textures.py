"""Textures: tileable noise, and the grain of asphalt, slabs, masonry and leaves.

The four gains get pixels by their offset from the vanishing point, to the right and down in output px.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from fcn.scenes.world import EYE, Street, View

TILE = 256  # px, a power of two: coordinates are wrapped by their bits


@lru_cache(maxsize=8)
def noise_tile(roughness: float) -> np.ndarray:
    """Tileable noise (TILE, TILE) float32 of mean 0 and deviation 1; spectrum 1 / frequency ** roughness."""
    frequency = np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None])
    frequency[0, 0] = 1.0
    white = np.random.default_rng(0).standard_normal((TILE, TILE))
    noise = np.fft.irfft2(np.fft.rfft2(white) / frequency**roughness, s=(TILE, TILE))
    return ((noise - noise.mean()) / noise.std()).astype(np.float32)


def sample_noise(roughness: float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Look up the noise tile at coordinates in tile pixels, wrapped around; `x` and `y` broadcast."""
    tile = noise_tile(roughness)
    return tile[y.astype(np.int32) & (TILE - 1), x.astype(np.int32) & (TILE - 1)]


def add_textures(photo: np.ndarray, labels: np.ndarray, view: View) -> np.ndarray:
    """Multiply grain into asphalt, slabs, masonry and leaves; ground and walls are textured in perspective."""
    gain = np.ones(labels.shape, np.float32)
    textures = {
        Street.ROAD: asphalt_gain,
        Street.PAVEMENT: slab_gain,
        Street.BUILDING: masonry_gain,
        Street.TREE: leaf_gain,
    }
    for label, texture in textures.items():
        rows, columns = np.nonzero(labels == label)
        right, down = columns.astype(np.float32) + 0.5 - view.u0, rows.astype(np.float32) + 0.5 - view.v0
        gain[rows, columns] = texture(right, down, view)
    return photo * gain[..., None]


def asphalt_gain(right: np.ndarray, down: np.ndarray, view: View) -> np.ndarray:
    """Fine grain and worn patches."""
    across, depth = on_the_ground(right, down, view)
    grain, patches = sample_noise(0.5, across * 40, depth * 22), sample_noise(1.7, across * 12, depth * 4)
    return 1 + np.exp(-depth / 25) * (0.05 * grain + 0.06 * patches)


def slab_gain(right: np.ndarray, down: np.ndarray, view: View) -> np.ndarray:
    """Paving slabs of 0.9 m with dark joints."""
    across, depth = on_the_ground(right, down, view)
    joints = (np.mod(across, 0.9) < 0.06) | (np.mod(depth, 0.9) < 0.08)
    grain = sample_noise(0.8, across * 30, depth * 16)
    return 1 + 0.05 * np.exp(-depth / 25) * grain - 0.16 * joints * np.exp(-depth / 9)


def on_the_ground(right: np.ndarray, down: np.ndarray, view: View) -> tuple[np.ndarray, np.ndarray]:
    """Where pixels of the ground lie: metres across the street, from 100 m to the left, and metres ahead."""
    depth = view.focal * EYE / np.maximum(down, 1)
    return right * depth / view.focal + 100, depth


def masonry_gain(right: np.ndarray, down: np.ndarray, view: View) -> np.ndarray:
    """Courses of bricks on a wall along the street, 7 m from the camera's axis."""
    depth = view.focal * 7 / np.maximum(np.abs(right), 4)
    height = EYE - down * depth / view.focal
    courses = (np.mod(height, 0.3) < 0.06) * np.exp(-depth / 14)
    return 1 - 0.1 * courses + 0.035 * sample_noise(0.8, depth * 16, height * 16 + 4096)


def leaf_gain(right: np.ndarray, down: np.ndarray, view: View) -> np.ndarray:
    """Speckle of leaves, fixed to the frame."""
    pitch = 1.6 * 480 / view.width
    return 1 + 0.16 * sample_noise(0.7, right * pitch + 4096, down * pitch + 4096)
