"""What is doubtful about a data set as a whole: images that are nearly equal, rare labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from tinyseg.data import duplicates
from tinyseg.data.dataset import Sample

FEWEST_PER_LABEL = 5
GREATEST_IMBALANCE = 20


@dataclasses.dataclass(frozen=True)
class Duplicate:
    """Two samples whose images are nearly equal."""

    correlation: float
    first: str
    second: str
    labels_differ: bool

    def __str__(self) -> str:
        return f"'{self.first}' ~ '{self.second}' ({self.correlation:.4f})"


def find_duplicates(samples: Sequence[Sample], signatures: np.ndarray) -> tuple[Duplicate, ...]:
    """Return pairs of near-duplicates, highest correlation first.

    Args:
        samples: of the images of one patient only the middle one is held against others.
        signatures: float32 ``(samples, 4096)``, see :mod:`tinyseg.data.duplicates`.
    """
    members: dict[str, list[int]] = {}
    for row, sample in enumerate(samples):
        members.setdefault(sample.group or f"\0{row}", []).append(row)
    middles = [rows[len(rows) // 2] for rows in members.values()]
    pairs = duplicates.near_duplicates(np.asarray(signatures)[middles])
    both = ((value, samples[middles[i]], samples[middles[j]]) for value, i, j in pairs)
    return tuple(Duplicate(value, a.name, b.name, a.label != b.label) for value, a, b in both)


def of_duplicates(pairs: Sequence[Duplicate]) -> Iterator[str]:
    """Say that there are near-duplicates, and which of them contradict each other."""
    if pairs:
        yield f"near-duplicates: {len(pairs)} pairs, closest {pairs[0]}; keep them in one split"
    yield from of_opposed(pairs)


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
