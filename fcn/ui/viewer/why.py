"""Why this pixel: the sums behind a pixel's class, sent for a small square of pixels when one of them is requested.

The kernel of stride 32 has millions of weights, so the browser cannot have all sums; it gets those of 32 x 32
pixels in about 100 kB, and asks again when the visitor moves on. Every number is in hundredths and rounded so that
the parts add up to their sum exactly, which is the computed sum, rounded.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from fcn.model.segmenter import Scores, Segmenter
from fcn.model.upsampling import CORNERS
from fcn.photos.images import Labels
from fcn.ui import compute, layout, turns
from fcn.ui.learning import own_kernel
from fcn.ui.scripts import join_files
from fcn.ui.viewer import viewer

SQUARE = 32  # pixels, side of what is sent at once
CLASSES = 3  # for each pixel
HUNDRED = 100

_asker = st.components.v2.component(
    "fcn_why_asker",
    js=join_files(Path(__file__).parent, "store.js")
    + "\nexport default function ({ setStateValue }) { store.ask = (square) => setStateValue('square', square); }",
)


@dataclass(frozen=True, eq=False)
class Sums:
    """The terms of the scores of a rectangle of pixels. Corners are in the order of CORNERS; h x w pixels, n classes.

    Attributes:
        classes: (h, w, n) the classes listed: that of the transposed convolution, that of bilinear, then the best.
        bilinear: (h, w, n, 4) what each cell adds to the bilinear score.
        weights: (h, w, n, 4) the trained weight of the class's own score in each cell.
        own: (h, w, n, 4) what that adds.
        others: (h, w, n) what the scores of all other classes add.
        shape: (h, w, n, 4) what the shape channels of each cell add.
    """

    classes: np.ndarray
    bilinear: np.ndarray
    weights: np.ndarray
    own: np.ndarray
    others: np.ndarray
    shape: np.ndarray


def offer(model: str, sha256: str, size: int, stride: int, scores: Scores, key: str) -> None:
    """Answer when the browser asks for sums; arguments as for `compute.scores`, `key` as the viewer knows the photo."""
    with layout.unseen("why"):
        _answer(model, sha256, size, stride, scores, key)


@turns.fragment
def _answer(model: str, sha256: str, size: int, stride: int, scores: Scores, key: str) -> None:
    result = _asker(key="why", height=1, on_square_change=lambda: None)
    request = result.get("square")
    place = requested_square(dict(request) if request else {}, key, stride, scores)
    if place is None:
        return
    name = f"{key} {stride} {place[0]} {place[1]}"

    own = own_kernel.current(model, stride)

    def make() -> dict[str, Any]:
        found = compute.segmentations(model, sha256, size, stride, scores, own=own)
        labels = found["transposed"].labels, found["bilinear"].labels
        network = compute.segmenter(model)
        if own is not None:
            network = network.with_kernels({stride: own.weights})
        return square(network, scores, stride, *place, *labels)

    viewer.carry("why", name, compute.compute_once(("why", key, stride, place), make))


def requested_square(request: dict[str, Any], key: str, stride: int, scores: Scores) -> tuple[int, int] | None:
    """Row and column of the square that the browser asks for; None if it is not part of this picture."""
    row, column = request.get("row"), request.get("column")
    if (request.get("key"), request.get("stride")) != (key, stride) or type(row) is not int or type(column) is not int:
        return None
    inside = 0 <= row * SQUARE < scores.height and 0 <= column * SQUARE < scores.width
    return (row, column) if inside else None


def square(
    segmenter: Segmenter, scores: Scores, stride: int, row: int, column: int, transposed: Labels, bilinear: Labels
) -> dict[str, Any]:
    """The sums of a square of pixels as plain values, numbers in hundredths, weights in thousandths.

    Args:
        segmenter: The model.
        scores: Its score maps of the photo.
        stride: 32, 16 or 8.
        row: Of the square.
        column: Of the square.
        transposed: (h, w) uint8, labels of the photo by transposed convolution.
        bilinear: (h, w) uint8, labels by bilinear interpolation.
    """
    top, left = row * SQUARE, column * SQUARE
    bottom, right = min(top + SQUARE, scores.height), min(left + SQUARE, scores.width)
    terms = sums(segmenter, scores, stride, (top, bottom), (left, right), transposed, bilinear)
    parts = np.concatenate([terms.own, terms.others[..., np.newaxis], terms.shape], axis=-1)  # (h, w, n, 9)
    packed = [rounded(terms.bilinear), rounded(parts), np.rint(1000 * terms.weights)]
    # The cells around the square, so that each term can be written as weight times score
    (first, last), (before, after) = (
        (_places(low, high, stride).min(), _places(low, high, stride).max() + 1)
        for low, high in ((top, bottom), (left, right))
    )
    maps = scores.maps[stride]
    near = np.pad(maps, ((1, 1), (1, 1), (0, 0)), mode="edge")[first + 1 : last + 2, before + 1 : after + 2]
    return {
        "top": top,
        "left": left,
        "height": bottom - top,
        "width": right - left,
        "listed": terms.classes.shape[-1],
        "classes": viewer.pack(terms.classes.astype(np.uint8)),
        "numbers": _pack(np.concatenate(packed, axis=-1)),  # (h, w, n, 4 + 9 + 4)
        "firstRow": int(first),
        "firstColumn": int(before),
        "across": int(near.shape[1]),
        "rows": int(maps.shape[0]),
        "columns": int(maps.shape[1]),
        "cells": _pack(np.rint(HUNDRED * near)),
        "shape": int(scores.shape.shape[2]) if stride == 32 else 0,
    }


def sums(
    segmenter: Segmenter,
    scores: Scores,
    stride: int,
    rows: tuple[int, int],
    columns: tuple[int, int],
    transposed: Labels,
    bilinear: Labels,
) -> Sums:
    """Take the scores of some pixels apart; arguments as for `square`, `rows` and `columns` from and to."""
    kernel, maps = segmenter.kernel(stride).astype(np.float64), scores.maps[stride]
    classes = maps.shape[-1]
    joined = np.concatenate([maps, scores.shape], axis=-1) if stride == 32 else maps
    ys, xs = np.arange(*rows), np.arange(*columns)
    upper, before = _places(*rows, stride), _places(*columns, stride)
    down, across = ((at + 0.5) / stride - 0.5 - cell for at, cell in ((ys, upper), (xs, before)))
    inside, repeated = np.pad(joined, ((1, 1), (1, 1), (0, 0))), np.pad(maps, ((1, 1), (1, 1), (0, 0)), mode="edge")
    by_corner: dict[str, list[np.ndarray]] = {"bilinear": [], "weights": [], "own": [], "others": [], "shape": []}
    for below, beside in CORNERS:
        cell_rows, cell_columns = upper + below, before + beside
        weights = kernel[np.ix_(ys - cell_rows * stride + stride // 2, xs - cell_columns * stride + stride // 2)]
        values = inside[np.ix_(cell_rows + 1, cell_columns + 1)]  # (h, w, K); zeros lie around the map
        products = weights * values[:, :, np.newaxis]  # (h, w, C, K)
        own = np.einsum("hwcc->hwc", products[..., :classes])
        shares = np.outer(down if below else 1 - down, across if beside else 1 - across)
        by_corner["bilinear"].append(shares[..., np.newaxis] * repeated[np.ix_(cell_rows + 1, cell_columns + 1)])
        by_corner["weights"].append(np.einsum("hwcc->hwc", weights[..., :classes]))
        by_corner["own"].append(own)
        by_corner["others"].append(products[..., :classes].sum(-1) - own)
        by_corner["shape"].append(products[..., classes:].sum(-1))
    terms = {name: np.stack(parts, axis=-1) for name, parts in by_corner.items()}  # (h, w, C, 4)
    total = (terms["own"] + terms["others"] + terms["shape"]).sum(-1)
    here = np.ix_(ys, xs)
    listed = _list_classes(total, transposed[here], bilinear[here])
    chosen = {name: np.take_along_axis(part, listed[..., np.newaxis], axis=2) for name, part in terms.items()}
    others = chosen.pop("others").sum(-1)
    return Sums(listed, chosen["bilinear"], chosen["weights"], chosen["own"], others, chosen["shape"])


def rounded(parts: np.ndarray) -> np.ndarray:
    """Round the parts of sums to hundredths so that they add up to the rounded sum: (..., k) float -> (..., k) int.

    All are rounded down; the remainder goes to those that lost most.
    """
    exact = HUNDRED * parts
    low = np.floor(exact)
    missing = np.rint(exact.sum(-1)) - low.sum(-1)
    order = np.argsort(np.argsort(low - exact, axis=-1, kind="stable"), axis=-1, kind="stable")  # 0: lost most
    return (low + (order < missing[..., np.newaxis])).astype(np.int64)


def _places(first: int, end: int, stride: int) -> np.ndarray:
    """For each pixel of a side, the last cell whose centre is before it; -1 where there is none."""
    return np.floor((np.arange(first, end) + 0.5) / stride - 0.5).astype(np.int64)


def _list_classes(scores: np.ndarray, transposed: Labels, bilinear: Labels) -> np.ndarray:
    """The classes to list: (h, w, C) float, two (h, w) -> (h, w, n) class indices."""
    ranked = scores.copy()
    np.put_along_axis(ranked, bilinear[..., np.newaxis].astype(np.int64), np.finfo(ranked.dtype).max, axis=-1)
    np.put_along_axis(ranked, transposed[..., np.newaxis].astype(np.int64), np.inf, axis=-1)
    return np.argsort(-ranked, axis=-1, kind="stable")[..., : min(CLASSES, scores.shape[-1])]


def _pack(numbers: np.ndarray) -> str:
    """Whole numbers as little-endian 32 bits, compressed and in base64."""
    return base64.b64encode(zlib.compress(numbers.astype("<i4").tobytes(), 6)).decode()
