"""Make every label equally frequent in training: rare ones are seen again, augmented anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np


def balanced_rows(labels: Sequence[str]) -> np.ndarray:
    """Return row numbers among which all labels are as frequent as the commonest.

    Args:
        labels: class of each row.

    Returns:
        int array: first every row once, then rows of the rarer labels again, each as often as
        the others of its label, give or take one.
    """
    most = max(Counter(labels).values(), default=0)
    rows = list(range(len(labels)))
    for label in sorted(set(labels)):
        own = np.flatnonzero(np.asarray(labels, object) == label)
        rows += np.resize(own, most)[len(own) :].tolist()
    return np.array(rows, int)


def imbalance(counts: Mapping[str, int]) -> float | None:
    """Return how many times the commonest label is as frequent as the rarest; None without any."""
    return max(counts.values()) / min(counts.values()) if counts else None
