"""The surroundings of every street: the sky, the horizon and the ground."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator
from PIL import Image

from fcn.scenes.buildings import paint_block
from fcn.scenes.canvas import Canvas
from fcn.scenes.furniture import FOLIAGE
from fcn.scenes.textures import TILE, sample_noise
from fcn.scenes.world import FAR, NEAR, SCALE, Plan, Street, pick, scaled


def paint_sky(canvas: Canvas, rng: Generator) -> None:
    """Fill the frame with a gradient and clouds that shrink towards the horizon."""
    view, light = canvas.view, canvas.light
    horizon, zenith, sun = (np.array(colour, np.float32) for colour in (light.horizon, light.zenith, light.sun))
    rows = np.arange(math.ceil(view.v0) + 1, dtype=np.float32)[:, None]
    columns = np.arange(view.width, dtype=np.float32)[None]
    elevation = np.maximum(view.v0 - rows, 0) / view.focal
    height = np.clip(elevation / 0.5, 0, 1)[..., None] ** 0.7
    sky = horizon * (1 - height) + zenith * height  # (rows, 1, 3)
    ceiling = 26 / (elevation + 0.12)
    shift = rng.integers(0, TILE, 2).tolist()
    cloud = sample_noise(1.7, (columns - view.u0) / view.focal * ceiling + shift[0] + 512, ceiling + shift[1])
    cover = np.clip((cloud + 2.4 * light.clouds - 1.1) * 0.6, 0, 0.85)[..., None]  # (rows, W, 1)
    sky = sky * (1 - cover) + np.minimum(horizon * 0.4 + 255 * 0.6 * sun, 252) * cover
    size = (canvas.photo.width, SCALE * len(rows))
    canvas.photo.paste(Image.fromarray(sky.astype(np.uint8)).resize(size, Image.Resampling.NEAREST))


def paint_horizon(canvas: Canvas, rng: Generator, plan: Plan) -> None:
    """Close the view with distant trees and, often, a building across the end of the street."""
    z = plan.end + 25
    colour = pick(rng, FOLIAGE)
    for x in np.arange(-90, 90, 4.0):
        radius = float(rng.uniform(2.5, 4.5))
        canvas.disc((x, radius * 0.7, z), radius, colour, Street.TREE, lit=float(rng.uniform(0.2, 0.7)))
    if rng.random() < 0.5:
        left, right = -plan.wall[0] - rng.uniform(0, 8), plan.wall[1] + rng.uniform(0, 8)
        paint_block(canvas, rng, left, right, z - 10)


def paint_ground(canvas: Canvas, rng: Generator, plan: Plan) -> None:
    """Road with markings, kerbs and pavements, in slices of depth so that haze can grow."""
    damp = 0.66 if canvas.light.wet else 1.0
    asphalt = scaled((0.98, 0.99, 1.03), damp * rng.uniform(88, 112))
    slabs = scaled((1.03, 1.0, 0.93), damp * rng.uniform(152, 180))
    left, right = -plan.kerb[0], plan.kerb[1]
    centre = (left + right) / 2
    yellow_line = rng.random() < 0.8
    for near, far in ((90, FAR), (45, 90), (25, 45), (14, 25), (NEAR, 14)):
        canvas.strip(-60 - 8 * near, 60 + 8 * near, near, far, slabs, Street.PAVEMENT)
        canvas.strip(left, right, near, far, asphalt, Street.ROAD)
        for edge in (left, right - 0.18):
            canvas.strip(edge, edge + 0.18, near, far, scaled((206, 202, 194), damp), Street.PAVEMENT)
        if yellow_line:
            canvas.strip(left + 0.3, left + 0.3 + 0.12, near, far, (206, 178, 66), Street.ROAD)
    for z in np.arange(2.5 + rng.uniform(0, 4), 80, 5.0):
        canvas.strip(centre - 0.08, centre + 0.08, z, z + 2.6, (232, 232, 226), Street.ROAD)
    if rng.random() < 0.35:
        z = rng.uniform(9, 18)
        for x in np.arange(left + 0.5, right - 0.5, 1.0):
            canvas.strip(x, x + 0.5, z, z + 3, (228, 228, 224), Street.ROAD)
