"""What a street is described with: units, classes, colours, light, ground plan and camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from numpy.random import Generator

Point = tuple[float, float, float]  # m: x to the right of the camera, y up from the road, z ahead
Colour = tuple[float, float, float]

SCALE = 2  # supersampling factor
EYE = 1.5  # m, height of the camera
NEAR = 0.4  # m, nearest depth that is projected
FAR = 400.0  # m, where the ground meets the horizon


class Street(IntEnum):
    """Classes of the street model, in the order of its output channels."""

    SKY = 0
    BUILDING = 1
    POLE = 2
    ROAD = 3
    PAVEMENT = 4
    TREE = 5
    SIGN = 6
    FENCE = 7
    CAR = 8
    PEDESTRIAN = 9
    BICYCLIST = 10


#: Coats, bicycles, helmets and front doors.
BRIGHTS = ((196, 44, 60), (40, 84, 170), (240, 196, 60), (236, 236, 230), (50, 140, 100), (130, 60, 140), (60, 60, 68))


def pick(rng: Generator, colours: Sequence[Colour]) -> Colour:
    """Choose one of several colours."""
    return colours[int(rng.integers(len(colours)))]


def scaled(colour: Colour, factor: float) -> Colour:
    """A lighter or darker shade of a colour."""
    red, green, blue = colour
    return red * factor, green * factor, blue * factor


@dataclass(frozen=True)
class Light:
    """Light and weather; colours are RGB in 0..255, `sun` and `shade` are gains on surface colours."""

    zenith: Colour
    horizon: Colour
    sun: Colour
    shade: Colour
    shadow: float  # darkness of cast shadows, 0..1
    side: int  # the sun stands on the left (-1) or on the right (+1)
    clouds: float  # cover, 0..1
    visibility: float  # m, depth at which haze takes 63 % of the colour
    wet: float  # reflection of the ground, 0..1
    lamps: bool


@dataclass(frozen=True)
class Plan:
    """Cross-section of the street in metres from the camera's axis, indexed by side: 0 left, 1 right."""

    kerb: tuple[float, float]
    path: tuple[float, float]  # outer edge of the pavement, where fences stand
    wall: tuple[float, float]  # facades
    end: float  # depth at which the rows of buildings stop


@dataclass(frozen=True)
class View:
    """Pinhole camera; focal length and vanishing point in output px."""

    width: int
    height: int
    focal: float
    u0: float
    v0: float

    def project(self, point: Point) -> tuple[float, float]:
        """Project a point of the world to the supersampled canvas."""
        x, y, z = point
        scale = self.focal / max(z, NEAR)
        return SCALE * (self.u0 + x * scale), SCALE * (self.v0 + (EYE - y) * scale)


def visible_depth(x: float, rng: Generator, spread: float) -> float:
    """A depth at which a thing at `x` is inside the frame."""
    return abs(x) / 0.5 + 1.5 + float(rng.uniform(0, spread))
