"""Rows of buildings along the street, and the building that closes it."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.random import Generator

from fcn.scenes.canvas import Canvas
from fcn.scenes.furniture import paint_fence, paint_tree
from fcn.scenes.world import BRIGHTS, Colour, Light, Plan, Street, pick, scaled

FACADES = ((168, 92, 72), (196, 158, 112), (222, 208, 180), (150, 74, 62), (186, 128, 92), (204, 182, 150),
           (176, 150, 138), (214, 170, 128))  # fmt: skip
ROOFS = ((96, 62, 54), (84, 80, 84), (120, 74, 58))
STOREY = 3.0  # m


def paint_facades(canvas: Canvas, rng: Generator, plan: Plan) -> None:
    """Rows of buildings on both sides from far to near, with gaps of trees, and fences before them."""
    for side in (-1, 1):
        x = side * plan.wall[side > 0]
        far = plan.end
        gap_depth = rng.uniform(10, 40)
        while far > 4:
            near = far - float(rng.uniform(8, 17))
            if near < gap_depth:
                gap_depth = -99.0  # one gap a side
                near = far - float(rng.uniform(5, 9))
                paint_tree(canvas, rng, x + side * float(rng.uniform(3, 7)), far - 2)
                paint_tree(canvas, rng, x + side * float(rng.uniform(1.5, 3)), (near + far) / 2)
            else:
                paint_building(canvas, rng, side, x, max(near, 2.0), far)
            far = near
        near = float(rng.uniform(6, 15))
        if rng.random() < 0.75:
            paint_fence(canvas, rng, side * plan.path[side > 0], near, near + float(rng.uniform(8, 26)))


def paint_building(canvas: Canvas, rng: Generator, side: int, x: float, near: float, far: float) -> None:
    """A building along the street: gable wall, roof, facade with cornice and plinth, windows and door."""
    storeys = int(rng.integers(2, 5))
    height = storeys * STOREY + float(rng.uniform(0.6, 1.4))
    colour = scaled(pick(rng, FACADES), rng.uniform(0.88, 1.08))
    lit = 0.95 if side == -canvas.light.side else 0.12
    back, ridge = x + side * 9, x + side * 4.5
    top = height + float(rng.choice([0.0, 3.0]))
    gable = [(x, 0, near), (x, height, near), (ridge, top, near), (back, height, near), (back, 0, near)]
    slope = [(x, height, near), (ridge, top, near), (ridge, top, far), (x, height, far)]
    canvas.polygon(gable, colour, Street.BUILDING, lit=0.45)
    canvas.polygon(slope, pick(rng, ROOFS), Street.BUILDING, lit)
    if side == canvas.light.side and canvas.light.shadow > 0.4:
        reach = x - side * 0.55 * height
        canvas.shadow([(x, 0, near), (x, 0, far), (reach, 0, far + 2), (reach, 0, near + 2)])
    for low, high, shade in ((0, height, 1.0), (height - 0.45, height, 1.15), (0, 0.6, 0.75)):
        canvas.wall(x, low, high, near, far, scaled(colour, shade), Street.BUILDING, lit)
    trim = (236, 230, 218) if sum(colour) < 560 else (120, 100, 86)
    paint_windows(canvas, rng, x, near, far, storeys, trim, lit)


def paint_windows(canvas: Canvas, rng: Generator, x: float, near: float, far: float, storeys: int, trim: Colour,
                  lit: float) -> None:  # fmt: skip
    """Windows in every bay and storey of a facade, and one front door."""
    wall = partial(canvas.wall, x, label=Street.BUILDING, lit=lit)
    bays = max(2, round((far - near) / 3.2))
    width = (far - near) / bays
    door = int(rng.integers(bays))
    for bay in range(bays):
        left = near + (bay + 0.28) * width
        right = left + width * 0.44
        for storey in range(storeys):
            if storey == 0 and bay == door:
                wall(0, 2.4, left, left + 1.2, pick(rng, BRIGHTS))
                continue
            low = storey * STOREY + 1.1
            if near < 60:
                wall(low - 0.15, low + 1.75, left - 0.12, right + 0.12, trim)
            wall(low, low + 1.6, left, right, glass(canvas.light, rng))


def paint_block(canvas: Canvas, rng: Generator, left: float, right: float, z: float) -> None:
    """A building seen from the front."""
    height = float(rng.uniform(8, 15))
    canvas.upright(left, right, 0, height, z, pick(rng, FACADES), Street.BUILDING)
    roof = [(left, height, z), (right, height, z), (right - 2, height + 3, z + 3), (left + 2, height + 3, z + 3)]
    canvas.polygon(roof, pick(rng, ROOFS), Street.BUILDING)
    for y in np.arange(1.2, height - 1.5, STOREY):
        for x in np.arange(left + 1, right - 1.5, 2.6):
            canvas.upright(x, x + 1.1, y, y + 1.6, z, glass(canvas.light, rng), Street.BUILDING)


def glass(light: Light, rng: Generator) -> Colour:
    """Colour of a window pane: reflected sky, or at dusk a lit room."""
    if light.lamps and rng.random() < 0.4:
        return 255, 214, 130
    return scaled((74, 90, 108), float(rng.uniform(0.5, 1.1)))
