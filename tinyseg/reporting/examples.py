"""Which held-out images a report shows, and what was said of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tinyseg.data.store import ImageStore
from tinyseg.reporting import pictures
from tinyseg.reporting.pictures import plt
from tinyseg.scoring.scores import score_each

_COUNT = 8
_COLUMNS = 4
_RIGHT, _WRONG = "#1a7f37", "#c62828"


@dataclasses.dataclass(frozen=True)
class Classified:
    """One image with the classes that it was said to be of.

    Attributes:
        name: of the sample.
        image: uint8 ``(height, width, channels)``.
        truth, float_class, integer_class: names of classes.
    """

    name: str
    image: np.ndarray
    truth: str
    float_class: str
    integer_class: str


def worst_first(
    images: ImageStore, floats: np.ndarray, integers: np.ndarray
) -> list[pictures.Example] | list[Classified]:
    """Pick the worst half and an even sample of the rest, ordered by the integer network's score.

    Args:
        images: that were scored.
        floats, integers: what both networks decided, see :func:`tinyseg.scoring.scores.decide`.
    """
    float_scores, scores = score_each(images, floats), score_each(images, integers)
    order = np.argsort(scores, kind="stable")
    worst, rest = order[: _COUNT // 2], order[_COUNT // 2 :]
    if len(rest):
        rest = rest[np.linspace(0, len(rest) - 1, min(_COUNT // 2, len(rest))).astype(int)]
    rows = (*worst, *rest)
    if images.classes:
        said = [[images.classes[row.argmax()] for row in one] for one in (floats, integers)]
        return [
            Classified(
                images.names[row],
                images.images[row],
                images.labels[row],
                said[0][row],
                said[1][row],
            )
            for row in rows
        ]
    return [
        pictures.Example(
            images.names[row],
            images.images[row],
            images.masks[row, ..., 0].astype(bool),
            floats[row, ..., 0],
            integers[row, ..., 0],
            float(float_scores[row]),
            float(scores[row]),
        )
        for row in rows
    ]


def draw(rows: Sequence[pictures.Example] | Sequence[Classified]) -> bytes:
    """Draw examples as a JPEG."""
    masks = [row for row in rows if isinstance(row, pictures.Example)]
    if masks:
        return pictures.examples(masks)
    return _draw_classified([row for row in rows if isinstance(row, Classified)])


def _draw_classified(rows: Sequence[Classified]) -> bytes:
    lines = -(-len(rows) // _COLUMNS)
    # Room above a caption, so that it is not read as that of the picture there.
    figure, axes = plt.subplots(
        lines, _COLUMNS, figsize=(3 * _COLUMNS, 3.7 * lines), squeeze=False, layout="constrained"
    )
    figure.get_layout_engine().set(h_pad=0.16)  # type: ignore[union-attr, call-arg]
    for axis in axes.flat:
        axis.set_axis_off()
    for row, axis in zip(rows, axes.flat, strict=False):
        axis.imshow(row.image[..., :3].mean(axis=-1), cmap="gray", vmin=0, vmax=255)
        right = row.integer_class == row.truth
        axis.set_title(
            f"{row.name}\nis {row.truth}\nfloat {row.float_class}, integer {row.integer_class}",
            fontsize=8,
            pad=3,
            color=_RIGHT if right else _WRONG,
        )
    return pictures.encode_photo(figure)


def confusion_matrix(counts: Sequence[Sequence[int]], classes: Sequence[str]) -> bytes:
    """Draw how many images of each class were said to be of which, as a PNG.

    Args:
        counts: rows are the truth.
        classes: their names.
    """
    side = 1.6 + 0.7 * len(classes)
    figure, axis = plt.subplots(figsize=(side, side), layout="tight")
    shares = np.array(counts) / np.maximum(np.sum(counts, axis=1, keepdims=True), 1)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 0.5 else "black"
        axis.text(column, row, str(counts[row][column]), ha="center", va="center", color=colour)
    ticks = range(len(classes))
    axis.set_xticks(ticks, classes, rotation=45, ha="right")
    axis.set_yticks(ticks, classes)
    axis.set(xlabel="integer network says", ylabel="truth")
    return pictures.encode_drawing(figure)
