"""Plotly figures of maps of numbers, drawn alike wherever a page shows one."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import streamlit as st

SEQUENTIAL, DIVERGING = "Cividis", "RdBu_r"  # both are readable with any colour vision
PALE = [[0, "#f7fbff"], [1, "#4292c6"]]  # under numbers: black reads well on all of it
QUIET = {"displayModeBar": False, "scrollZoom": False}


def heat_map(
    values: np.ndarray,
    *,
    numbers: bool = False,
    colours: str | None = None,
    limits: tuple[float, float] | None = None,
    unit: str = "value",
) -> go.Heatmap:
    """One map of numbers: (H, W), row 1 at the top; `numbers` writes each into its cell."""
    height, width = values.shape
    low, high = limits or (float(values.min()), float(values.max()))
    return go.Heatmap(
        z=values,
        x=np.arange(1, width + 1),
        y=np.arange(1, height + 1),
        zmin=low,
        zmax=high if high > low else low + 1,
        colorscale=colours or (PALE if numbers else SEQUENTIAL),
        texttemplate="%{z}" if numbers else None,
        textfont={"color": "black"},
        xgap=int(numbers),
        ygap=int(numbers),
        hovertemplate="row %{y}, column %{x}<br>" + unit + " %{z}<extra></extra>",
        showscale=False,
    )


def square(figure: go.Figure, height: int) -> go.Figure:
    """Give a figure of maps square cells, row 1 at the top, no axes and no dragging, so that a finger can scroll."""
    for update in (figure.update_xaxes, figure.update_yaxes):
        update(showgrid=False, zeroline=False, showticklabels=False, ticks="", constrain="domain", fixedrange=True)
    figure.update_yaxes(autorange="reversed", scaleanchor="x")
    figure.update_layout(height=height, margin={"l": 0, "r": 0, "t": 10, "b": 0}, dragmode=False)
    for index in range(2, len(figure.data) + 1):
        figure.update_layout({f"yaxis{index}": {"scaleanchor": f"x{index}"}})
    return figure


def draw(figure: go.Figure, key: str, alt: str) -> None:
    """Put a figure on the page, its words in the colour of the page's text: Streamlit's own grey is hard to read."""
    ink = "#f1f4f8" if st.context.theme.type == "dark" else "#14181f"
    figure.update_xaxes(tickfont_color=ink, title_font_color=ink)
    figure.update_yaxes(tickfont_color=ink, title_font_color=ink)
    figure.update_annotations(font_color=ink)
    figure.update_layout(legend_font_color=ink)
    figure.update_scenes(xaxis_color=ink, yaxis_color=ink, zaxis_color=ink)
    figure.update_traces(colorbar_tickfont_color=ink, selector={"type": "heatmap"})
    st.plotly_chart(figure, config=QUIET, key=key, alt=alt)
