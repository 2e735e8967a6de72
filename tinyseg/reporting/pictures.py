"""Pictures for reports: photographs as JPEG, drawings as PNG."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

_HIT, _FALSE, _MISSED = (0.2, 0.75, 0.35), (0.9, 0.25, 0.2), (0.25, 0.45, 0.95)
_TRUTH, _FLOAT, _INTEGER = "#ffffff", "#ffb000", "#29d3ff"
# Of a title; without a height it is looked for above ticks, which takes as long as the drawing.
_ABOVE = 1.0


@dataclasses.dataclass(frozen=True)
class Example:
    """One image with what was predicted for it.

    Attributes:
        name: of the sample.
        image: uint8 ``(height, width, channels)``.
        truth, float_mask, integer_mask: bool ``(height, width)``.
        float_dice, integer_dice: of this image.
    """

    name: str
    image: np.ndarray
    truth: np.ndarray
    float_mask: np.ndarray
    integer_mask: np.ndarray
    float_dice: float
    integer_dice: float


def examples(rows: Sequence[Example]) -> bytes:
    """Draw each example as image, truth, float, integer and error map, one row each."""
    figure, axes = plt.subplots(
        len(rows), 5, figsize=(12.5, 2.6 * len(rows)), squeeze=False, layout="tight"
    )
    for row, line in zip(rows, axes, strict=True):
        grey = row.image.mean(axis=-1) / 255
        panels = (
            (row.name, None, None),
            (f"truth, {row.truth.mean():.1%} foreground", row.truth, _TRUTH),
            (f"float, Dice {row.float_dice:.3f}", row.float_mask, _FLOAT),
            (f"integer, Dice {row.integer_dice:.3f}", row.integer_mask, _INTEGER),
        )
        for axis, (title, mask, colour) in zip(line, panels, strict=False):
            axis.imshow(grey, cmap="gray", vmin=0, vmax=1)
            if mask is not None and mask.any():
                axis.contour(mask, levels=[0.5], colors=colour, linewidths=1.2)
            axis.set_title(title, fontsize=8, y=_ABOVE)
        line[4].imshow(error_map(grey, row.truth, row.integer_mask))
        line[4].set_title("green hit, red false, blue missed", fontsize=8, y=_ABOVE)
    for axis in axes.flat:
        axis.set_axis_off()
    return encode_photo(figure)


def error_map(grey: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Tint hits green, false foreground red and missed foreground blue.

    Args:
        grey: image in [0, 1], ``(height, width)``.
        truth, mask: bool, of the same shape.

    Returns:
        RGB in [0, 1], ``(height, width, 3)``.
    """
    picture = np.repeat(grey[..., None], 3, axis=-1)
    for where, colour in ((truth & mask, _HIT), (~truth & mask, _FALSE), (truth & ~mask, _MISSED)):
        picture[where] = 0.45 * picture[where] + 0.55 * np.asarray(colour)
    return picture


def curves(history: Sequence[dict[str, str]]) -> bytes:
    """Draw loss, and Dice or accuracy where they were recorded, over the epochs of a history."""
    titles = {"loss": "loss", "image_dice": "mean Dice", "accuracy": "accuracy"}
    # A student of soft masks has scores in validation alone, if there is any.
    drawn = [name for name in titles if {name, f"val_{name}"} & set(history[0])]
    epochs = [int(row["epoch"]) for row in history]
    figure, axes = plt.subplots(
        1, len(drawn), figsize=(4.5 * len(drawn), 3), layout="tight", squeeze=False
    )
    for axis, name in zip(axes[0], drawn, strict=True):
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            if key in history[0]:
                axis.plot(epochs, [float(row[key]) for row in history], label=label)
        axis.set(title=titles[name], xlabel="epoch")
        axis.grid(alpha=0.3)
        axis.legend()
    return encode_drawing(figure)


def scores(rows: Sequence[Mapping[str, Any]], title: str) -> bytes:
    """Draw the scores of all images, in ascending order, of a float and an integer network.

    Args:
        rows: ``{"float", "integer"}`` of each image.
        title: of the score.
    """
    figure, axis = plt.subplots(figsize=(9, 2.8), layout="tight")
    for network in "float", "integer":
        axis.plot(sorted(row[network] for row in rows), label=network)
    axis.set(xlabel=f"images, worst first: {len(rows)}", ylabel=title, ylim=(-0.02, 1.02))
    axis.grid(alpha=0.3)
    axis.legend()
    return encode_drawing(figure)


def sqnr(rows: Sequence[dict[str, Any]]) -> bytes:
    """Draw the signal-to-quantization-noise ratio of each operator in execution order."""
    figure, axis = plt.subplots(figsize=(9, 2.8), layout="tight")
    finite = [row for row in rows if row["sqnr_db"] is not None]
    axis.bar([row["operator"] for row in finite], [row["sqnr_db"] for row in finite], width=0.8)
    axis.set(xlabel="operator", ylabel="SQNR (dB)", title="activation noise after quantization")
    axis.grid(alpha=0.3, axis="y")
    return encode_drawing(figure)


def encode_photo(figure: Figure) -> bytes:
    """Return a figure as JPEG, for speckle hardly compresses without loss, and close it."""
    return _encode(figure, format="jpeg", pil_kwargs={"quality": 80})


def encode_drawing(figure: Figure) -> bytes:
    """Return a figure as PNG, without a version stamp: equal inputs give equal bytes."""
    return _encode(figure, format="png", metadata={"Software": None})


def _encode(figure: Figure, **options: Any) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, dpi=80, **options)
    plt.close(figure)
    return stream.getvalue()
