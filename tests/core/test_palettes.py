"""Colours that stay apart for every eye: distances in CIELAB under simulated colour blindness."""

import numpy as np
import pytest

from fcn.model import zoo
from fcn.pictures.render import dimming
from fcn.training.recipes import RECIPES
from fcn.ui.choices import OPACITY

#: Machado, Oliveira, Fernandes 2009, severity 1, on linear RGB.
SIMULATIONS = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.9505, 1, 1.089])


def to_lab(linear: np.ndarray) -> np.ndarray:
    xyz = linear @ TO_XYZ.T / WHITE
    root = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = root.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def smallest_distance(palette: np.ndarray, vision: str) -> float:
    """Distance (CIE 1976) of the two colours that are most alike."""
    share = palette / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    seen = to_lab(np.clip(linear @ np.asarray(SIMULATIONS[vision]).T, 0, 1))
    distances = np.linalg.norm(seen[:, np.newaxis] - seen, axis=-1)
    return float(distances[np.triu_indices(len(palette), 1)].min())


def blend(palette: np.ndarray, background: int | None, ground: float, opacity: float) -> np.ndarray:
    """Lay the colours over a photo of one grey, (C, 3)."""
    seen = (1 - opacity) * ground + opacity * palette
    if background is not None:
        seen[background] = ground * (1 - dimming(opacity))
    return seen


@pytest.mark.parametrize("ground", [40, 128, 215])
@pytest.mark.parametrize("vision", SIMULATIONS)
@pytest.mark.parametrize("name", RECIPES)
def test_classes_are_told_apart_over_a_photo(name: str, vision: str, ground: float) -> None:
    recipe = RECIPES[name]
    background = recipe.classes.index("background") if "background" in recipe.classes else None
    assert smallest_distance(blend(np.array(recipe.palette, float), background, ground, OPACITY / 100), vision) > 10


def test_colours_that_were_twins_under_some_eyes_would_be_found_out() -> None:
    old = [(50, 41, 42), (183, 156, 0), (44, 211, 255), (0, 135, 69), (248, 255, 29), (0, 33, 204), (190, 69, 146)]
    seen = [smallest_distance(blend(np.array(old, float), 0, ground, OPACITY / 100), vision)
            for vision in SIMULATIONS for ground in (40, 128, 215)]  # fmt: skip
    assert min(seen) < 10


@pytest.mark.parametrize("vision", SIMULATIONS)
@pytest.mark.parametrize("name", RECIPES)
def test_no_two_classes_look_alike(name: str, vision: str) -> None:
    assert smallest_distance(np.array(RECIPES[name].palette, float), vision) > 25


def test_red_and_green_would_be_found_out() -> None:
    pair = np.array([[150, 110, 20], [90, 130, 40]], float)
    assert smallest_distance(pair, "normal") > 25 > smallest_distance(pair, "deuteranopia")


@pytest.mark.parametrize("name", zoo.names())
def test_a_model_wears_the_colours_of_its_recipe(name: str) -> None:
    assert zoo.read_card(name).palette == RECIPES[name].palette
