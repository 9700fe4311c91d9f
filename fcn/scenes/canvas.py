"""The canvas: shapes of the world painted into a photo and a label map at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

from fcn.scenes.world import NEAR, SCALE, Colour, Light, Point, Street, View


class Canvas:
    """Photo and label map at twice the output size, painted together in world coordinates.

    `lit` is the share of sunlight a surface gets, 0 to 1.
    """

    def __init__(self, view: View, light: Light) -> None:
        size = (view.width, view.height)
        self.view, self.light = view, light
        self.photo = Image.new("RGB", (SCALE * view.width, SCALE * view.height))
        self.labels = Image.new("L", self.photo.size, Street.SKY)
        self.shadows = Image.new("L", size)
        self.glows = Image.new("RGB", size)
        self._photo = ImageDraw.Draw(self.photo)
        self._glaze = ImageDraw.Draw(self.photo, "RGBA")  # blends, and costs several times as much
        self._labels = ImageDraw.Draw(self.labels)
        self._shadows = ImageDraw.Draw(self.shadows)
        self._glows = ImageDraw.Draw(self.glows)

    def tone(self, colour: Colour, depth: float, lit: float) -> tuple[int, int, int]:
        """Colour of a surface under the light and behind `depth` metres of haze."""
        light = self.light
        haze = 1 - math.exp(-depth / light.visibility)
        red, green, blue = (
            int((1 - haze) * min(c * (dark + (bright - dark) * lit), 255) + haze * veil)
            for c, dark, bright, veil in zip(colour, light.shade, light.sun, light.horizon, strict=True)
        )
        return red, green, blue

    def polygon(
        self, points: Sequence[Point], colour: Colour, label: Street, lit: float = 0.6, alpha: int = 255
    ) -> None:
        """Fill a planar polygon; `alpha` is the opacity of its colour, its label is always opaque."""
        outline = [self.view.project(p) for p in points]
        depth = sum(p[2] for p in points) / len(points)
        fill = self.tone(colour, depth, lit)
        if alpha == 255:
            self._photo.polygon(outline, fill)
        else:
            self._glaze.polygon(outline, (*fill, alpha))
        self._labels.polygon(outline, int(label))

    def upright(self, left: float, right: float, low: float, high: float, z: float, colour: Colour, label: Street,
                lit: float = 0.6) -> None:  # fmt: skip
        """Fill a rectangle that faces the camera."""
        self.polygon([(left, low, z), (right, low, z), (right, high, z), (left, high, z)], colour, label, lit)

    def wall(self, x: float, low: float, high: float, near: float, far: float, colour: Colour, label: Street,
             lit: float, alpha: int = 255) -> None:  # fmt: skip
        """Fill an upright rectangle along the street."""
        self.polygon([(x, low, near), (x, high, near), (x, high, far), (x, low, far)], colour, label, lit, alpha)

    def strip(self, left: float, right: float, near: float, far: float, colour: Colour, label: Street) -> None:
        """Fill a rectangle on the ground."""
        self.polygon([(left, 0, near), (right, 0, near), (right, 0, far), (left, 0, far)], colour, label, lit=0.75)

    def disc(self, centre: Point, radius: float, colour: Colour, label: Street, lit: float = 0.6) -> None:
        """Fill a disc that faces the camera, radius in metres."""
        u, v = self.view.project(centre)
        r = SCALE * self.view.focal * radius / max(centre[2], NEAR)
        box = (u - r, v - r, u + r, v + r)
        self._photo.ellipse(box, self.tone(colour, centre[2], lit))
        self._labels.ellipse(box, int(label))

    def limb(self, path: Sequence[Point], thickness: float, colour: Colour, label: Street, lit: float = 0.6) -> None:
        """Draw a rounded line of a given thickness in metres."""
        outline = [self.view.project(p) for p in path]
        depth = path[0][2]
        thickness_px = max(1, round(SCALE * self.view.focal * thickness / max(depth, NEAR)))
        self._photo.line(outline, self.tone(colour, depth, lit), thickness_px, joint="curve")
        self._labels.line(outline, int(label), thickness_px, joint="curve")

    def shadow(self, points: Sequence[Point]) -> None:
        """Cast a shadow on the ground."""
        outline = [(u / SCALE, v / SCALE) for u, v in map(self.view.project, points)]
        self._shadows.polygon(outline, 255)

    def round_shadow(self, x: float, z: float, radius: float) -> None:
        """Cast an elliptic shadow on the ground, pushed away from the sun."""
        x -= self.light.side * 0.5 * radius
        turn = np.linspace(0, 2 * math.pi, 14)
        self.shadow([(x + 1.3 * radius * math.cos(a), 0, z + radius * math.sin(a)) for a in turn])

    def glow(self, centre: Point, radius: float, colour: Colour) -> None:
        """Add a halo around a lamp, and its reflection on wet ground."""
        u, v = (value / SCALE for value in self.view.project(centre))
        r = max(self.view.focal * radius / centre[2], 0.5)
        self._glows.ellipse((u - r, v - r, u + r, v + r), tuple(int(c) for c in colour))
        if self.light.wet:
            x, y, z = centre
            top, bottom = (self.view.project((x, -factor * y, z))[1] / SCALE for factor in (0.3, 1.7))
            self._glows.rectangle((u - r / 2, top, u + r / 2, bottom), tuple(int(c * 0.4) for c in colour))

    def label_map(self) -> np.ndarray:
        """The labels at the output size, (H, W) uint8."""
        return np.array(self.labels)[::SCALE, ::SCALE]

    def reduced_photo(self) -> np.ndarray:
        """The anti-aliased photo at the output size, (H, W, 3) float32 in 0..255."""
        return np.asarray(self.photo.reduce(SCALE), dtype=np.float32)


Item = tuple[float, Callable[[Canvas, Generator], None]]  # depth in metres, how to paint
