"""Trials of a search as lines across an axis for each value that they tried."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinyseg.reporting.pictures import encode_drawing, plt

_DECADES = 1.5
_SCORE = "score"


def parallel_coordinates(
    trials: Sequence[Mapping[str, Any]], importance: Mapping[str, float]
) -> bytes:
    """Draw trials as lines, brighter ones for better scores.

    Args:
        trials: ``{"trial", "values", "score"}`` of each that has a score.
        importance: of the values by name; they are drawn in this order, the others after them.

    Returns:
        PNG.
    """
    names = [*importance, *(name for name in trials[0]["values"] if name not in importance)]
    columns = [[trial["values"][name] for trial in trials] for name in names]
    columns.append([trial["score"] for trial in trials])
    titles = [
        f"{name.rpartition('.')[2]}\n{importance[name]:.0%}" if name in importance
        else name.rpartition(".")[2]
        for name in names
    ]  # fmt: skip
    axes = [_Axis(column) for column in columns]
    heights = np.array([axis.heights for axis in axes])
    width = max(5.0, 1.9 * len(columns))
    figure, drawing = plt.subplots(figsize=(width, 4), layout="tight")
    colours = plt.get_cmap("viridis")(0.9 * heights[-1])
    for line in np.argsort(heights[-1]):
        drawing.plot(heights[:, line], color=colours[line], linewidth=1.6, alpha=0.85)
    for place, axis in enumerate(axes):
        drawing.axvline(place, color="#3c4550", linewidth=0.8)
        for height, text in axis.ticks:
            drawing.text(place, height, f" {text}", fontsize=7, va="center")
    drawing.set_xticks(range(len(axes)), [*titles, _SCORE], fontsize=8)
    drawing.set_yticks([])
    drawing.set_xlim(-0.1, len(axes) - 0.6)
    for spine in drawing.spines.values():
        spine.set_visible(False)
    return encode_drawing(figure)


class _Axis:
    """Where values lie on an axis from 0 to 1, and what is written beside it."""

    def __init__(self, values: Sequence[Any]) -> None:
        numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
        if not numbers:
            names = sorted({str(value) for value in values})
            places = {name: _share(i, 0, len(names) - 1) for i, name in enumerate(names)}
            self.heights = [places[str(value)] for value in values]
            self.ticks = [(height, name) for name, height in places.items()]
            return
        low, high = min(values), max(values)
        decades = math.log10(high / low) if low > 0 else 0
        scale = math.log10 if decades > _DECADES else float
        self.heights = [_share(scale(value), scale(low), scale(high)) for value in values]
        ends = (low, high) if high > low else (low,)
        self.ticks = [(_share(scale(e), scale(low), scale(high)), f"{e:.4g}") for e in ends]


def _share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low else 0.5
