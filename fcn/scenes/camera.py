"""From the painted scene to a photo: shadows, wet ground, lamps, lens and sensor."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageFilter

from fcn.scenes.canvas import Canvas
from fcn.scenes.textures import TILE, sample_noise
from fcn.scenes.world import Street


def add_shadows(photo: np.ndarray, labels: np.ndarray, canvas: Canvas) -> np.ndarray:
    """Darken the ground, and nothing else, under the blurred shadow mask."""
    softness = canvas.view.width / (320 if canvas.light.shadow > 0.4 else 130)
    mask = np.asarray(canvas.shadows.filter(ImageFilter.BoxBlur(softness)), np.float32) / 255
    ground = (labels == Street.ROAD) | (labels == Street.PAVEMENT)
    return photo * (1 - canvas.light.shadow * mask * ground)[..., None]


def add_wet_ground(photo: np.ndarray, labels: np.ndarray, canvas: Canvas) -> np.ndarray:
    """Blend the scene, mirrored at the horizon and smeared, into wet ground."""
    view, wet = canvas.view, canvas.light.wet
    if not wet:
        return photo
    mirror = np.clip((2 * view.v0 - np.arange(view.height)).astype(int), 0, view.height - 1)
    image = Image.fromarray(np.clip(photo[mirror], 0, 255).astype(np.uint8))
    smear = np.asarray(image.filter(ImageFilter.BoxBlur((view.width / 200, view.height / 24))), np.float32)
    ground = (labels == Street.ROAD) | (labels == Street.PAVEMENT)
    blend = (wet * ground * np.where(labels == Street.ROAD, 1.0, 0.6))[..., None].astype(np.float32)
    return photo * (1 - blend) + smear * blend


def add_glow(photo: np.ndarray, canvas: Canvas) -> np.ndarray:
    """Add the blurred halos of lamps."""
    if canvas.glows.getbbox() is None:
        return photo
    wide = canvas.glows.filter(ImageFilter.BoxBlur(canvas.view.width / 120))
    return photo + 0.9 * np.asarray(wide, np.float32)


def develop(photo: np.ndarray, rng: Generator) -> np.ndarray:
    """Exposure, white balance, vignette, lens blur and sensor noise."""
    height, width = photo.shape[:2]
    balance = (rng.uniform(0.9, 1.12) * rng.uniform(0.96, 1.04, 3)).astype(np.float32)
    y, x = np.linspace(-1, 1, height, dtype=np.float32)[:, None], np.linspace(-1, 1, width, dtype=np.float32)[None]
    photo = photo * balance * (1 - 0.07 * (x * x + y * y))[..., None]
    image = Image.fromarray(np.clip(photo, 0, 255).astype(np.uint8))
    image = image.filter(ImageFilter.BoxBlur(width / 480 * float(rng.uniform(0.1, 0.35))))
    shift = rng.integers(0, TILE, 2)
    noise = sample_noise(0.0, np.arange(width)[None] + shift[0], np.arange(height)[:, None] + shift[1])
    noisy = np.asarray(image, np.float32) + (noise * float(rng.uniform(1.0, 3.5)))[..., None]
    return np.clip(noisy, 0, 255).astype(np.uint8)
