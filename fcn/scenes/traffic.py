"""Cars, parked and driving."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.random import Generator

from fcn.scenes.canvas import Canvas, Item
from fcn.scenes.world import EYE, Colour, Plan, Point, Street, pick, visible_depth

PAINTS = ((176, 28, 32), (36, 72, 148), (228, 230, 232), (34, 36, 42), (150, 156, 164), (212, 164, 40), (30, 104, 92))
CAR_BODIES = {  # side profiles as (length, height) in metres from the tail to the nose: body, cabin
    "saloon": (((-2.1, 0.3), (-2.1, 0.92), (2.1, 0.8), (2.1, 0.3)),
               ((-1.75, 0.92), (-1.05, 1.42), (0.35, 1.42), (1.15, 0.85))),
    "hatchback": (((-1.9, 0.3), (-1.9, 0.95), (1.9, 0.85), (1.9, 0.3)),
                  ((-1.88, 0.95), (-1.45, 1.5), (0.4, 1.5), (1.1, 0.88))),
    "van": (((-2.3, 0.35), (-2.3, 1.1), (2.3, 1.0), (2.3, 0.35)),
            ((-2.28, 1.1), (-2.2, 2.1), (1.1, 2.1), (1.75, 1.03))),
}  # fmt: skip

Place = Callable[[float, float, float], Point]  # along the car, across it and up, in metres -> point of the world


def traffic(rng: Generator, plan: Plan) -> list[Item]:
    """Cars parked at both kerbs, driving ahead, and coming towards the camera."""
    places: list[tuple[float, float, float]] = []  # x, z and yaw
    for side in (-1, 1):
        x = side * (plan.kerb[side > 0] - 1.05)
        z = visible_depth(x, rng, 6) + 3.5
        while z < 50:
            if rng.random() < (0.5 if side > 0 else 0.35) and abs(x) > 2.4:
                places.append((x, z, math.pi if side > 0 else 0.0))
            z += float(rng.uniform(5.5, 8))
    if rng.random() < 0.75:
        places.append((float(rng.uniform(-0.5, 0.3)), float(rng.uniform(13, 32)), 0.0))
    if rng.random() < 0.6:
        places.append((float(rng.uniform(2.3, 2.8)), float(rng.uniform(11, 36)), math.pi))
    if not places:
        places.append((2.5, float(rng.uniform(10, 18)), math.pi))
    return [(z, partial(paint_car, x=x, z=z, yaw=yaw + float(rng.normal(0, 0.02)))) for x, z, yaw in places]


def paint_car(canvas: Canvas, rng: Generator, x: float, z: float, yaw: float) -> None:
    """A car: wheels, body and cabin as prisms, then lamps and the number plate."""
    body, cabin = CAR_BODIES[str(rng.choice(list(CAR_BODIES), p=[0.4, 0.45, 0.15]))]
    paint = pick(rng, PAINTS)
    sine, cosine = math.sin(yaw), math.cos(yaw)

    def place(length: float, across: float, y: float) -> Point:
        return x + length * sine + across * cosine, y, z + length * cosine - across * sine

    nose = body[2][0]
    tail = -nose if cosine > 0 else nose  # the end that faces the camera
    flank = min((-0.88, 0.88), key=lambda across: math.hypot(*place(0, across, 0)[::2]))
    canvas.shadow([place(i * (nose + 0.25), j * 1.05, 0) for i, j in ((-1, -1), (-1, 1), (1, 1), (1, -1))])
    for across in (-0.72, 0.72):
        tyre = [place(0.75 * tail, across + dx, y) for dx, y in ((-0.12, 0), (0.12, 0), (0.12, 0.45), (-0.12, 0.45))]
        canvas.polygon(tyre, (28, 28, 30), Street.CAR, 0.3)
    paint_prism(canvas, place, body, 0.88, 0.86, paint, glazed=False)
    paint_prism(canvas, place, cabin, 0.82, 0.62, paint, glazed=True)
    for length in (0.62 * nose, -0.62 * nose):
        for radius, colour in ((0.34, (26, 26, 28)), (0.19, (150, 152, 156))):
            turn = np.linspace(0, 2 * math.pi, 16)
            rim = [place(length + radius * math.cos(a), flank, 0.34 + radius * math.sin(a)) for a in turn]
            canvas.polygon(rim, colour, Street.CAR, 0.5)
    paint_car_end(canvas, place, tail * 1.01, body[1][1], rear=cosine > 0)


def paint_prism(canvas: Canvas, place: Place, profile: Sequence[tuple[float, float]], low: float, high: float,
                paint: Colour, glazed: bool) -> None:  # fmt: skip
    """A side profile extruded across the car; its half-width is `low` at the ends, `high` on top; glass is inset."""
    halves = (low, high, high, low)
    left, right = ([place(a, sign * half, y) for (a, y), half in zip(profile, halves, strict=True)] for sign in (-1, 1))
    faces = [(left, True), (right, True)]
    faces += [([left[i], right[i], right[i + 1], left[i + 1]], i != 1) for i in range(3)]
    inside = np.mean(left + right, axis=0)
    for corners, window in faces:
        points = np.array(corners)
        middle = points.mean(axis=0)
        normal = np.cross(points[1] - points[0], points[2] - points[0])
        normal *= np.sign(normal @ (middle - inside)) / np.linalg.norm(normal)
        if normal @ (np.array([0, EYE, 0]) - middle) <= 0:
            continue
        lit = float(np.clip(0.5 + 0.4 * normal[1] + 0.25 * normal[0] * canvas.light.side, 0, 1))
        canvas.polygon(corners, paint, Street.CAR, lit)
        if glazed and window:
            pane = [(px, py, pz) for px, py, pz in (middle + (points - middle) * 0.84).tolist()]
            canvas.polygon(pane, (62, 76, 90), Street.CAR, lit)


def paint_car_end(canvas: Canvas, place: Place, end: float, top: float, rear: bool) -> None:
    """Bumper, number plate and lamps of the end that faces the camera."""

    def panel(left: float, right: float, low: float, high: float, colour: Colour, lit: float = 0.6) -> None:
        corners = ((left, low), (right, low), (right, high), (left, high))
        canvas.polygon([place(end, across, y) for across, y in corners], colour, Street.CAR, lit)

    panel(-0.87, 0.87, 0.3, 0.46, (48, 48, 52))
    panel(-0.28, 0.28, 0.46, 0.59, (232, 196, 60) if rear else (236, 236, 232), 0.8)
    if not rear:
        panel(-0.42, 0.42, 0.62, 0.74, (38, 40, 44))
    shining = canvas.light.lamps or canvas.light.wet > 0
    colour = ((236, 36, 30) if shining else (168, 26, 28)) if rear else (250, 246, 226)
    for across in (-0.68, 0.68):
        panel(across - 0.16, across + 0.16, top - 0.3, top - 0.1, colour, 0.9)
        if shining:
            canvas.glow(place(end, across, top - 0.2), 0.15, (200, 30, 20) if rear else (230, 216, 180))
