"""Synthetic street scenes: repeatable, well formed, and with labels that fit the photo."""

from functools import lru_cache

import numpy as np
import pytest

from fcn.scenes.scene import Scene, Street, render_scene


@lru_cache(maxsize=64)
def small_scene(seed: int) -> Scene:
    return render_scene(seed, 240, 180)


def edge_contrast(photo: np.ndarray, labels: np.ndarray) -> float:
    """Mean brightness step between neighbours of different labels, relative to neighbours of the same label."""
    step = np.abs(np.diff(photo.mean(axis=2), axis=1))
    border = np.diff(labels.astype(int), axis=1) != 0
    return float(step[border].mean() / step[~border].mean())


def test_same_seed_gives_the_same_scene() -> None:
    first, second = render_scene(7, 160, 120), render_scene(7, 160, 120)
    np.testing.assert_array_equal(first.photo, second.photo)
    np.testing.assert_array_equal(first.labels, second.labels)


def test_seeds_give_different_streets() -> None:
    assert np.mean(small_scene(1).labels != small_scene(2).labels) > 0.1
    assert np.abs(small_scene(1).photo.astype(int) - small_scene(2).photo).mean() > 10


@pytest.mark.parametrize(("width", "height"), [(16, 16), (33, 47), (16, 200), (400, 16), (960, 540)])
def test_any_size(width: int, height: int) -> None:
    scene = render_scene(3, width, height)
    assert scene.photo.shape == (height, width, 3)
    assert scene.labels.shape == (height, width)
    assert scene.photo.dtype == scene.labels.dtype == np.uint8
    assert scene.labels.max() <= max(Street)


@pytest.mark.parametrize(("width", "height", "received"), [(15, 360, "15 x 360"), (480, 0, "480 x 0")])
def test_too_small_a_size_is_refused(width: int, height: int, received: str) -> None:
    with pytest.raises(ValueError, match=received):
        render_scene(0, width, height)


def test_every_class_is_frequent() -> None:
    seen = np.stack([np.bincount(small_scene(seed).labels.ravel(), minlength=len(Street)) >= 30 for seed in range(30)])
    presence = seen.mean(axis=0)
    assert presence[[Street.SKY, Street.BUILDING, Street.ROAD]].min() == 1
    assert presence.min() >= 0.8


def test_road_lies_below_the_sky() -> None:
    for seed in range(10):
        rows, _ = np.nonzero(small_scene(seed).labels == Street.SKY)
        road_rows, _ = np.nonzero(small_scene(seed).labels == Street.ROAD)
        assert rows.max() <= road_rows.min() + 2


def test_photos_use_the_range_of_brightness() -> None:
    for seed in range(10):
        photo = small_scene(seed).photo
        assert 40 < photo.mean() < 215
        assert photo.std() > 20


def test_label_edges_follow_photo_edges() -> None:
    for seed in range(10):
        scene = small_scene(seed)
        aligned = edge_contrast(scene.photo, scene.labels)
        assert aligned > 1.5
        for shift in (-3, 3):
            assert aligned > 1.2 * edge_contrast(scene.photo, np.roll(scene.labels, shift, axis=1))


def test_two_sizes_show_the_same_street() -> None:
    for seed in range(5):
        large = render_scene(seed, 480, 360)
        assert np.mean(large.labels[::2, ::2] == small_scene(seed).labels) > 0.95
        coarse = large.photo.reshape(180, 2, 240, 2, 3).mean(axis=(1, 3))
        assert np.abs(coarse - small_scene(seed).photo).mean() < 12
