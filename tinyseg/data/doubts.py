"""What is doubtful about a data set as a whole: images that are nearly equal, rare labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from tinyseg.data import duplicates
from tinyseg.data.dataset import Sample

# Two people who outline one lesion agree better than so, by Dice.
OTHER_OUTLINE = 0.7
FEWEST_PER_LABEL = 5
GREATEST_IMBALANCE = 20


@dataclasses.dataclass(frozen=True)
class Duplicate:
    """Two samples whose images are nearly equal.

    Attributes:
        correlation: of the images.
        first, second: names.
        labels_differ: whether they are labelled differently.
        overlap: Dice of their masks; None if they have none, or were not compared.
    """

    correlation: float
    first: str
    second: str
    labels_differ: bool
    overlap: float | None = None

    @property
    def outlines_differ(self) -> bool:
        """Whether the masks are not of the same lesion."""
        return self.overlap is not None and self.overlap < OTHER_OUTLINE

    def __str__(self) -> str:
        return f"'{self.first}' ~ '{self.second}' ({self.correlation:.4f})"


def find_duplicates(
    samples: Sequence[Sample],
    signatures: np.ndarray,
    outlines: Sequence[np.ndarray | None] = (),
) -> tuple[Duplicate, ...]:
    """Return pairs of near-duplicates, highest correlation first.

    Args:
        samples: of the images of one patient only the middle one is held against others.
        signatures: float32 ``(samples, 4096)``, see :mod:`tinyseg.data.duplicates`.
        outlines: of the masks, see :func:`tinyseg.data.duplicates.outline`, None of those that are
            not known; none to compare images and labels alone.
    """
    members: dict[str, list[int]] = {}
    for row, sample in enumerate(samples):
        members.setdefault(sample.group or f"\0{row}", []).append(row)
    middles = [rows[len(rows) // 2] for rows in members.values()]
    pairs = duplicates.near_duplicates(np.asarray(signatures)[middles])
    found = []
    for value, i, j in pairs:
        one, two = samples[middles[i]], samples[middles[j]]
        masks = [outlines[middles[row]] if outlines else None for row in (i, j)]
        common = None
        if masks[0] is not None and masks[1] is not None:
            common = duplicates.overlap(masks[0], masks[1])
        found.append(Duplicate(value, one.name, two.name, one.label != two.label, common))
    return tuple(found)


def of_duplicates(pairs: Sequence[Duplicate]) -> Iterator[str]:
    """Say that there are near-duplicates, and which of them contradict each other."""
    if pairs:
        yield f"near-duplicates: {len(pairs)} pairs, closest {pairs[0]}; keep them in one split"
    yield from of_opposed(pairs)
    if other := sorted((p for p in pairs if p.outlines_differ), key=lambda p: p.overlap or 0):
        shown = ", ".join(f"{pair}, Dice of the masks {pair.overlap:.2f}" for pair in other[:3])
        shown += ", ..." * (len(other) > 3)
        count = len(other)
        yield f"near-duplicates with other outlines: {count} pairs, {shown}; correct one of each"


def of_opposed(pairs: Sequence[Duplicate]) -> Iterator[str]:
    """Say which near-duplicates have different labels."""
    if opposed := [pair for pair in pairs if pair.labels_differ]:
        shown = ", ".join(map(str, opposed[:3])) + ", ..." * (len(opposed) > 3)
        yield f"near-duplicates with different labels: {len(opposed)} pairs, {shown}; relabel them"


def of_balance(counts: dict[str, int]) -> Iterator[str]:
    """Say which labels are rare.

    Args:
        counts: images of each label.
    """
    if len(counts) > 1:
        rarest, commonest = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
        few, many = counts[rarest], counts[commonest]
        if few < FEWEST_PER_LABEL or many > GREATEST_IMBALANCE * few:
            yield (
                f"labels are unbalanced: '{rarest}' {few}, '{commonest}' {many}; "
                f"add images of '{rarest}' or leave it out"
            )
