"""Pedestrians and bicyclists."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.random import Generator

from fcn.scenes.canvas import Canvas, Item
from fcn.scenes.world import BRIGHTS, Colour, Plan, Point, Street, pick, scaled, visible_depth

SKINS = ((236, 196, 168), (200, 150, 116), (132, 88, 64))
TROUSERS = ((44, 52, 78), (50, 48, 50), (112, 98, 82))


def people(rng: Generator, plan: Plan) -> list[Item]:
    """Pedestrians on the pavements and crossing, and bicyclists along the kerbs."""
    items: list[Item] = []
    for side in (-1, 1):
        for _ in range(int(rng.integers(1, 4))):
            x = side * (plan.kerb[side > 0] + float(rng.uniform(0.6, 1.7)))
            items.append((z := visible_depth(x, rng, 9), partial(paint_pedestrian, x=x, z=z)))
    if rng.random() < 0.35:
        x, z = float(rng.uniform(-2, 3)), float(rng.uniform(9, 17))
        items.append((z, partial(paint_pedestrian, x=x, z=z)))
    for chance in (0.93, 0.4):
        if rng.random() < chance:
            x = float(rng.choice([0.9 - plan.kerb[0], 0.5 * plan.kerb[1]]))
            z = 7 + float(rng.uniform(0, 6))
            pose = paint_bicyclist_side if rng.random() < 0.45 else paint_bicyclist_end
            items.append((z, partial(pose, x=x, z=z)))
    return items


def paint_pedestrian(canvas: Canvas, rng: Generator, x: float, z: float) -> None:
    """A walking person, 1.6 to 1.85 m tall."""
    size = float(rng.uniform(1.6, 1.85)) / 1.75
    stride = float(rng.uniform(0.1, 0.3))
    coat, skin = pick(rng, BRIGHTS), pick(rng, SKINS)
    trousers = pick(rng, TROUSERS)
    canvas.round_shadow(x, z, 0.4)

    def limb(path: Sequence[tuple[float, float]], thickness: float, colour: Colour, lit: float) -> None:
        points = [(x + dx * size, y * size, z) for dx, y in path]
        canvas.limb(points, thickness * size, colour, Street.PEDESTRIAN, lit)

    for sign in (-1, 1):
        foot = sign * stride
        limb([(0.07 * sign, 0.86), (0.7 * foot, 0.45), (foot, 0.04)], 0.17, trousers, 0.5 + 0.15 * sign)
        limb([(foot - 0.06, 0.04), (foot + 0.14, 0.04)], 0.09, (34, 30, 30), 0.5)
    limb([(-0.2, 1.36), (-0.29, 1.1), (-0.25, 0.82)], 0.11, scaled(coat, 0.8), 0.5)
    limb([(0, 0.8), (0, 1.46)], 0.4, coat, 0.6)
    limb([(0.19, 1.38), (0.27, 1.1), (0.3, 0.85)], 0.11, scaled(coat, 0.88), 0.7)
    limb([(0, 1.4), (0, 1.58)], 0.12, skin, 0.5)
    hair = (50, 36, 30) if rng.random() < 0.7 else (170, 130, 80)
    canvas.disc((x, 1.66 * size, z), 0.135 * size, hair, Street.PEDESTRIAN, 0.5)
    canvas.disc((x + 0.02, 1.62 * size, z), 0.11 * size, skin, Street.PEDESTRIAN, 0.7)


def paint_bicyclist_side(canvas: Canvas, rng: Generator, x: float, z: float) -> None:
    """A bicycle that crosses the view, with its rider."""
    direction = int(rng.choice([-1, 1]))
    frame, coat = pick(rng, BRIGHTS), pick(rng, BRIGHTS)
    skin = pick(rng, SKINS)
    canvas.round_shadow(x, z, 0.7)

    def placed(path: Sequence[tuple[float, float]]) -> list[Point]:
        return [(x + direction * dx, y, z) for dx, y in path]

    def limb(path: Sequence[tuple[float, float]], thickness: float, colour: Colour, lit: float = 0.6) -> None:
        canvas.limb(placed(path), thickness, colour, Street.BICYCLIST, lit)

    for axle in (-0.52, 0.52):
        rim = [(axle + 0.32 * math.cos(a), 0.34 + 0.32 * math.sin(a)) for a in np.linspace(0, 2 * math.pi, 20)]
        canvas.polygon(placed(rim), (110, 112, 114), Street.BICYCLIST, 0.5, alpha=110)
        limb(rim, 0.07, (26, 26, 28))
    limb([(-0.52, 0.34), (-0.18, 0.8), (0.38, 0.8), (-0.02, 0.32), (-0.52, 0.34)], 0.06, frame)
    limb([(0.52, 0.34), (0.36, 0.98), (0.48, 1.0)], 0.06, frame)
    for pedal, shade in ((-0.06, 0.4), (0.16, 0.65)):
        limb([(-0.2, 0.95), (0.2, 0.72), (pedal, 0.24)], 0.16, (46, 50, 64), shade)
    limb([(-0.2, 0.95), (0.16, 1.44)], 0.34, coat)
    limb([(0.12, 1.36), (0.24, 1.12), (0.46, 1.04)], 0.1, scaled(coat, 0.85))
    canvas.disc((x + direction * 0.27, 1.66, z), 0.12, skin, Street.BICYCLIST)
    helmet = ((0.1, 1.68), (0.17, 1.83), (0.33, 1.85), (0.44, 1.7))
    canvas.polygon(placed(helmet), frame, Street.BICYCLIST, 0.8)


def paint_bicyclist_end(canvas: Canvas, rng: Generator, x: float, z: float) -> None:
    """A bicyclist seen from behind."""
    coat, helmet = pick(rng, BRIGHTS), pick(rng, BRIGHTS)
    canvas.round_shadow(x, z, 0.45)

    def limb(path: Sequence[tuple[float, float]], thickness: float, colour: Colour, lit: float = 0.6) -> None:
        canvas.limb([(x + dx, y, z) for dx, y in path], thickness, colour, Street.BICYCLIST, lit)

    limb([(0, 0.0), (0, 0.72)], 0.1, (26, 26, 28))
    limb([(-0.32, 1.02), (0.32, 1.02)], 0.06, (40, 40, 44))
    for sign, knee in ((-1, 0.5), (1, 0.66)):
        limb([(0.1 * sign, 0.95), (0.2 * sign, knee), (0.14 * sign, knee - 0.36)], 0.17, (46, 50, 64), 0.5 + 0.1 * sign)
        limb([(0.18 * sign, 1.42), (0.34 * sign, 1.2), (0.3 * sign, 1.02)], 0.11, scaled(coat, 0.85))
    limb([(0, 0.86), (0, 1.5)], 0.42, coat)
    limb([(-0.07, 0.78), (0.07, 0.78)], 0.1, (214, 30, 28), 0.9)
    canvas.disc((x, 1.66, z), 0.125, pick(rng, SKINS), Street.BICYCLIST, 0.5)
    canvas.disc((x, 1.71, z), 0.14, helmet, Street.BICYCLIST, 0.7)
    if canvas.light.lamps:
        canvas.glow((x, 0.78, z), 0.12, (200, 30, 20))
