"""Street furniture: lamp posts, signs, traffic lights, trees and fences."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from numpy.random import Generator

from fcn.scenes.canvas import Canvas, Item
from fcn.scenes.world import Plan, Street, pick, scaled, visible_depth

FOLIAGE = ((70, 108, 42), (88, 118, 50), (56, 92, 48), (118, 122, 44))
LEAVES = 46  # clusters in the crown of a tree
FENCES = {  # colour, shade of the surface behind the bars, its opacity of 255, width of a bar in metres
    "planks": ((150, 104, 62), 0.55, 255, 0.25),
    "pickets": ((238, 238, 232), 0.35, 90, 0.16),
    "railings": ((40, 52, 50), 1.0, 90, 0.09),
}


def street_furniture(rng: Generator, plan: Plan) -> list[Item]:
    """Lamp posts, signs, traffic lights and street trees along both kerbs."""
    items: list[Item] = []
    signs = (paint_round_sign, paint_triangle_sign, paint_direction_board, paint_traffic_light)
    for side in (-1, 1):
        x = side * (plan.kerb[side > 0] + 0.45)
        first = visible_depth(x, rng, 5)
        for z in (first, first + 14):
            items.append((z, partial(paint_lamp_post, x=x, z=z, side=side)))
        z = visible_depth(x, rng, 8) + 1
        kind = int(rng.choice(5, p=[0.25, 0.22, 0.2, 0.25, 0.08]))  # the last is no sign
        if kind < len(signs):
            items.append((z, partial(signs[kind], x=x + side * 0.3, z=z)))
        for _ in range(int(rng.integers(0, 3))):
            z = visible_depth(x, rng, 30) + 7
            items.append((z, partial(paint_tree, x=x + side * 0.6, z=z)))
    return items


def paint_lamp_post(canvas: Canvas, rng: Generator, x: float, z: float, side: int) -> None:
    """A lamp post with an arm over the road."""
    colour = (92, 98, 100)
    canvas.limb([(x, 0, z), (x, 6.4, z)], 0.19, colour, Street.POLE, 0.5)
    canvas.limb([(x, 0, z), (x, 1.1, z)], 0.27, colour, Street.POLE, 0.4)
    tip = x - side * 1.5
    canvas.limb([(x, 6.3, z), (tip, 6.7, z)], 0.15, colour, Street.POLE, 0.5)
    lamp = (255, 236, 190) if canvas.light.lamps else (206, 208, 204)
    canvas.upright(tip - 0.35, tip + 0.35, 6.6, 6.82, z, lamp, Street.POLE, 0.9)
    if canvas.light.lamps:
        canvas.glow((tip, 6.7, z), 0.32, (220, 160, 96))


def paint_post(canvas: Canvas, x: float, z: float, height: float) -> None:
    """What carries a sign: a pole."""
    canvas.limb([(x, 0, z), (x, height, z)], 0.16, (140, 144, 146), Street.POLE)


def paint_round_sign(canvas: Canvas, rng: Generator, x: float, z: float) -> None:
    """A prohibition in red and white, or in red and blue."""
    paint_post(canvas, x, z, 2.6)
    inner = (242, 242, 240) if rng.random() < 0.6 else (30, 84, 176)
    canvas.disc((x, 2.7, z), 0.5, (206, 24, 32), Street.SIGN, 0.8)
    canvas.disc((x, 2.7, z), 0.37, inner, Street.SIGN, 0.8)
    canvas.upright(x - 0.2, x + 0.2, 2.63, 2.77, z, (40, 40, 44), Street.SIGN)


def paint_triangle_sign(canvas: Canvas, rng: Generator, x: float, z: float) -> None:
    """A warning."""
    paint_post(canvas, x, z, 2.5)
    for half, low, high, colour in ((0.6, 2.2, 3.25, (206, 24, 32)), (0.4, 2.31, 3.0, (244, 244, 240))):
        canvas.polygon([(x - half, low, z), (x + half, low, z), (x, high, z)], colour, Street.SIGN, 0.8)
    canvas.upright(x - 0.05, x + 0.05, 2.4, 2.75, z, (30, 30, 34), Street.SIGN)


def paint_direction_board(canvas: Canvas, rng: Generator, x: float, z: float) -> None:
    """A board with three lines of writing, on two posts."""
    for dx in (-0.55, 0.55):
        paint_post(canvas, x + dx, z, 2.2)
    colour, white = pick(rng, ((28, 84, 172), (24, 116, 78))), (240, 242, 244)
    canvas.upright(x - 0.9, x + 0.9, 1.9, 3.1, z, white, Street.SIGN, 0.8)
    canvas.upright(x - 0.84, x + 0.84, 1.96, 3.04, z, colour, Street.SIGN, 0.8)
    for y in (2.15, 2.45, 2.75):
        canvas.upright(x - 0.65, x + float(rng.uniform(0, 0.6)), y, y + 0.13, z, white, Street.SIGN, 0.8)


def paint_traffic_light(canvas: Canvas, rng: Generator, x: float, z: float) -> None:
    """Three lamps, one of them lit."""
    paint_post(canvas, x, z, 2.6)
    canvas.upright(x - 0.36, x + 0.36, 2.3, 3.7, z, (232, 234, 232), Street.SIGN)
    canvas.upright(x - 0.29, x + 0.29, 2.36, 3.64, z, (24, 26, 28), Street.SIGN)
    lit = int(rng.integers(3))
    for i, colour in enumerate(((235, 40, 36), (250, 176, 40), (50, 220, 120))):
        centre = (x, 3.42 - 0.42 * i, z)
        canvas.disc(centre, 0.17, colour if i == lit else (58, 56, 54), Street.SIGN, 1.0)
        if i == lit:
            canvas.glow(centre, 0.25, scaled(colour, 0.6))


def paint_tree(canvas: Canvas, rng: Generator, x: float, z: float) -> None:
    """A tree: a trunk and a crown of leaf clusters, the sunny ones painted last."""
    size = float(rng.uniform(1.5, 2.4))
    colour = pick(rng, FOLIAGE)
    middle = size + float(rng.uniform(2.2, 2.9))
    canvas.limb([(x, 0, z), (x, middle, z)], 0.16 * size, (96, 76, 60), Street.TREE, 0.4)
    for dx in (-0.5, 0.5):
        canvas.limb([(x, middle * 0.55, z), (x + dx * size, middle, z)], 0.09, (86, 68, 54), Street.TREE, 0.4)
    angle, reach = rng.uniform(0, 2 * math.pi, LEAVES), np.sqrt(rng.uniform(0, 1, LEAVES))
    across, up = size * reach * np.cos(angle), size * 0.95 * reach * np.sin(angle)
    sunny = 0.5 + 0.5 * (0.8 * up + 0.5 * across * canvas.light.side) / size
    for i in np.argsort(sunny + rng.normal(0, 0.18, LEAVES)):
        tint = scaled(colour, rng.uniform(0.8, 1.2) * (0.6 + 0.6 * sunny[i]))
        radius = size * float(rng.uniform(0.17, 0.36))
        canvas.disc((x + across[i], middle + up[i], z), radius, tint, Street.TREE, float(sunny[i]))
    canvas.round_shadow(x, z, size * 0.8)


def paint_fence(canvas: Canvas, rng: Generator, x: float, near: float, far: float) -> None:
    """A fence along the street: wooden planks, white pickets or dark railings."""
    colour, shade, alpha, width = FENCES[str(rng.choice(list(FENCES)))]
    height = float(rng.uniform(1.2, 1.7))
    bar = partial(canvas.wall, x, label=Street.FENCE, lit=0.8 if x * canvas.light.side < 0 else 0.3)
    bar(0, height, near, far, scaled(colour, shade), alpha=alpha)
    for z in np.arange(far - 0.3, near, -0.3):
        bar(0, height, z, z + width, scaled(colour, rng.uniform(0.85, 1.1)))
    for y in (0.25 * height, 0.85 * height):
        bar(y, y + 0.09, near, far, scaled(colour, 0.85))
