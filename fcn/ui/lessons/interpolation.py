"""Bilinear interpolation on its own: two weights along a line, then four in the plane, as sums of fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from fcn.ui import figures, turns
from fcn.ui.lessons import thread

STRIDE = 4  # pixels to a cell
ROW = (1, 5)  # scores of two cells
SQUARE = ((1, 5), (3, 2))  # scores of four cells
BLUE, ORANGE = "#0072b2", "#d55e00"


def shares(pixel: int) -> tuple[Fraction, Fraction]:
    """How much of the first and of the second of two cells is in a pixel, 1 to 2 STRIDE, counted from the left."""
    place = Fraction(2 * pixel - 1, 2 * STRIDE) - Fraction(1, 2)  # 0 in the middle of the first cell, 1 of the second
    second = min(max(place, Fraction(0)), Fraction(1))
    return 1 - second, second


def over(share: Fraction, denominator: int) -> str:
    """A share as a fraction with this denominator, so that the parts of a sum can be compared."""
    return f"{share * denominator}/{denominator}"


def write_sum(scores: list[int], weights: list[Fraction], denominator: int) -> str:
    """A weighted sum, every number exact: "5/8 x 1 + 3/8 x 5 = 20/8 = 2.5"."""
    terms = " + ".join(f"{over(weight, denominator)} × {score}" for score, weight in zip(scores, weights, strict=True))
    total = sum((score * weight for score, weight in zip(scores, weights, strict=True)), Fraction(0))
    return f"{terms} = {over(total, denominator)} = **{float(total)}**"  # eighths and 64ths end


@turns.fragment
def two_weights() -> None:
    """A row of two cells becomes a row of pixels."""
    thread.heading("two")
    words, picture = st.columns([2, 3], gap="large")
    with words:
        st.markdown(
            f"Two cells with scores {ROW[0]} and {ROW[1]}, each {STRIDE} pixels wide. A pixel mixes the two scores: "
            "the closer it is to the centre of a cell, the more that cell counts. The two weights always add up to 1. "
            "Beyond the two centres only the nearer cell counts."
        )
        pixel = st.slider("Pixel", 1, 2 * STRIDE, 4, key="steps_pixel", bind="query-params")
        weights = list(shares(pixel))
        st.markdown(f"Pixel {pixel}: {write_sum(list(ROW), weights, 2 * STRIDE)}")
    values = [
        float(sum(score * share for score, share in zip(ROW, shares(at), strict=True)))
        for at in range(1, 2 * STRIDE + 1)
    ]
    figure = go.Figure()
    for index, (score, colour) in enumerate(zip(ROW, (BLUE, ORANGE), strict=True)):
        left = index * STRIDE + 0.5
        figure.add_shape(
            type="rect", x0=left, x1=left + STRIDE, y0=0, y1=score, line_width=0, fillcolor=colour, opacity=0.18
        )
        figure.add_annotation(
            x=left + STRIDE / 2,
            y=0,
            text=f"{over(weights[index], 2 * STRIDE)} of {score}",
            yshift=12,
            showarrow=False,
        )
    marks = [16 if at == pixel else 9 for at in range(1, 2 * STRIDE + 1)]
    figure.add_scatter(
        x=np.arange(1, 2 * STRIDE + 1), y=values, mode="lines+markers", line_color="#777777",
        marker={"size": marks, "color": "#777777", "line": {"width": 2, "color": "#ffffff"}},
        hovertemplate="pixel %{x}: %{y}<extra></extra>",
    )  # fmt: skip
    figure.update_layout(
        height=240, margin={"l": 0, "r": 0, "t": 10, "b": 0}, dragmode=False, showlegend=False,
        xaxis={"title": "Pixel", "dtick": 1, "fixedrange": True},
        yaxis={"title": "Score", "range": [0, max(ROW) + 1], "fixedrange": True},
    )  # fmt: skip
    with picture:
        figures.draw(figure, "steps_two", "Scores of eight pixels: " + ", ".join(f"{value:g}" for value in values))


@turns.fragment
def four_weights() -> None:
    """A square of four cells becomes a square of pixels."""
    thread.heading("four")
    side = 2 * STRIDE
    words, picture = st.columns([2, 3], gap="large")
    with words:
        st.markdown(
            "In a picture the same happens along the rows and down the columns. Every pixel mixes four scores, and "
            "each weight is one share across times one share down. The four weights still add up to 1."
        )
        with st.container(horizontal=True, gap="medium"):
            row = st.slider("Row", 1, side, 4, key="steps_row", bind="query-params")
            column = st.slider("Column", 1, side, 5, key="steps_column", bind="query-params")
        weights = [down * across for down in shares(row) for across in shares(column)]
        (left, right), (upper, lower) = shares(column), shares(row)
        st.markdown(
            f"Across: {over(left, side)} and {over(right, side)}. Down: {over(upper, side)} and {over(lower, side)}. "
            f"So row {row}, column {column}:\n\n"
            f"{write_sum([score for line in SQUARE for score in line], weights, side * side)}"
        )
    values = np.array([[_blend(shares(y), shares(x)) for x in range(1, side + 1)] for y in range(1, side + 1)])
    map_ = figures.heat_map(values, colours=figures.PALE, limits=(0, 6), unit="score")  # type: ignore[arg-type]
    figure = go.Figure(map_)
    corners = [(x * STRIDE + 0.5, y * STRIDE + 0.5) for y in (0, 1) for x in (0, 1)]
    for x, y in corners:
        figure.add_shape(type="rect", x0=x, x1=x + STRIDE, y0=y, y1=y + STRIDE, line={"width": 2, "color": "#14181f"})
    scores = [score for line in SQUARE for score in line]
    figure.add_scatter(
        x=[x + STRIDE / 2 for x, _ in corners], y=[y + STRIDE / 2 for _, y in corners], mode="text", hoverinfo="skip",
        text=[f"<b>{score}</b><br>{over(weight, side * side)}" for score, weight in zip(scores, weights, strict=True)],
        textfont={"color": "black", "size": 14}, showlegend=False,
    )  # fmt: skip
    figure.add_shape(
        type="rect", x0=column - 0.5, x1=column + 0.5, y0=row - 0.5, y1=row + 0.5, line={"width": 4, "color": ORANGE}
    )
    figures.square(figure, 330)
    with picture:
        rows = "; ".join(" ".join(f"{value:.2f}" for value in line) for line in values)
        figures.draw(figure, "steps_four", f"Scores of {side} x {side} pixels between four cells, by rows: {rows}")


def _blend(down: tuple[Fraction, Fraction], across: tuple[Fraction, Fraction]) -> float:
    return float(sum(SQUARE[y][x] * down[y] * across[x] for y in (0, 1) for x in (0, 1)))
