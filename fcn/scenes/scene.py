"""Synthetic street scenes: a rendered photo and its exact label map, from a seed.

The world is measured in metres: x to the right of the camera, y up from the road, z ahead. Surfaces are painted from
far to near at twice the output size; the photo is reduced by averaging, the label map by sampling. The parts of a scene
are in fcn/training/scenery.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from fcn.scenes.buildings import paint_facades
from fcn.scenes.camera import add_glow, add_shadows, add_wet_ground, develop
from fcn.scenes.canvas import Canvas
from fcn.scenes.furniture import street_furniture
from fcn.scenes.ground import paint_ground, paint_horizon, paint_sky
from fcn.scenes.people import people
from fcn.scenes.textures import add_textures
from fcn.scenes.traffic import traffic
from fcn.scenes.world import Colour, Light, Plan, Street, View

__all__ = ["Scene", "Street", "render_scene"]

MIN_SIDE = 16  # px

HOURS: dict[str, tuple[Colour, Colour, Colour, Colour, float]] = {  # zenith, horizon, sun, shade, shadow
    "sun": ((72, 128, 206), (196, 216, 234), (1.12, 1.07, 0.97), (0.6, 0.64, 0.74), 0.5),
    "overcast": ((164, 176, 190), (212, 217, 222), (0.92, 0.93, 0.95), (0.74, 0.77, 0.8), 0.28),
    "dusk": ((78, 92, 150), (250, 190, 138), (0.98, 0.8, 0.66), (0.5, 0.5, 0.62), 0.35),
}


@dataclass(frozen=True)
class Scene:
    """A rendered street.

    Attributes:
        photo: (H, W, 3) uint8, RGB.
        labels: (H, W) uint8, a `Street` index for every pixel.
    """

    photo: np.ndarray
    labels: np.ndarray


def render_scene(seed: int, width: int = 480, height: int = 360) -> Scene:
    """Render a street as seen by a dashboard camera, with its exact label map.

    The composition depends on the seed alone: other sizes of the same aspect show the same street.

    Args:
        seed: Non-negative integer that fixes the whole scene.
        width: Width of the output in px, at least 16.
        height: Height of the output in px, at least 16.

    Returns:
        The photo and the labels, both `height` x `width`.

    Raises:
        ValueError: If the width or the height is below 16, or the seed is negative.
    """
    if width < MIN_SIDE or height < MIN_SIDE:
        raise ValueError(f"a scene needs at least {MIN_SIDE} x {MIN_SIDE} px, received {width} x {height}")
    rng = np.random.default_rng(seed)
    light = draw_light(rng)
    plan = draw_plan(rng)
    view = draw_view(rng, width, height)
    canvas = Canvas(view, light)
    paint_sky(canvas, rng)
    paint_horizon(canvas, rng, plan)
    paint_ground(canvas, rng, plan)
    paint_facades(canvas, rng, plan)
    objects = [*street_furniture(rng, plan), *traffic(rng, plan), *people(rng, plan)]
    for _, paint in sorted(objects, key=lambda item: -item[0]):
        paint(canvas, rng)
    labels = canvas.label_map()
    photo = add_textures(canvas.reduced_photo(), labels, view)
    photo = add_shadows(photo, labels, canvas)
    photo = add_wet_ground(photo, labels, canvas)
    photo = add_glow(photo, canvas)
    return Scene(develop(photo, rng), labels)


def draw_light(rng: Generator) -> Light:
    """Choose a time of day and a weather."""
    hour = str(rng.choice(["sun", "sun", "overcast", "dusk"]))
    side = int(rng.choice([-1, 1]))
    visibility = float(rng.choice([900.0, 400.0, 130.0], p=[0.5, 0.35, 0.15]))
    wet = float(rng.uniform(0.25, 0.42)) if hour != "sun" and rng.random() < 0.55 else 0.0
    clouds = float(rng.uniform(0.25, 0.65))
    if hour == "overcast":
        clouds = 0.9
    return Light(*HOURS[hour], side, clouds, visibility, wet, lamps=hour == "dusk")


def draw_plan(rng: Generator) -> Plan:
    """Choose the widths of lanes, pavements and front gardens."""
    kerb = (float(rng.uniform(2.6, 4.4)), float(rng.uniform(4.6, 6.6)))
    path = (kerb[0] + float(rng.uniform(2.0, 3.2)), kerb[1] + float(rng.uniform(2.0, 3.2)))
    wall = (path[0] + float(rng.uniform(0.6, 3.0)), path[1] + float(rng.uniform(0.6, 3.0)))
    return Plan(kerb, path, wall, float(rng.uniform(60, 110)))


def draw_view(rng: Generator, width: int, height: int) -> View:
    """Choose the focal length and the vanishing point, relative to the frame."""
    focal = math.sqrt(width * height) * rng.uniform(0.86, 1.02)
    u0, v0 = width * rng.uniform(0.42, 0.58), height * rng.uniform(0.45, 0.55)
    return View(width, height, float(focal), float(u0), float(v0))
