"""What slices of magnetic resonance volumes have in common, whatever file they come in."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from tinyseg.errors import InputError

# The tumour's parts as BraTS labels them: necrosis with non-enhancing tumour, oedema, enhancing.
REGIONS = ("necrosis", "oedema", "enhancing")
MIDDLE_HALF = 0.5

_Item = TypeVar("_Item")

log = logging.getLogger(__name__)


def share(text: str) -> float:
    """Read a share of slices.

    Raises:
        ValueError: it is not above 0 and at most 1.
    """
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise ValueError("a share above 0 and at most 1")
    return value


def middle(items: Sequence[_Item], part: float) -> Sequence[_Item]:
    """Return the middle ``part`` of the items, at least one: 39 to 115 of 155 for a half."""
    count = max(int(len(items) * part), min(1, len(items)))
    start = (len(items) - count) // 2
    return items[start : start + count]


def tell(root: Path, part: float) -> None:
    """Say that not all slices of a data set are taken."""
    if part < 1:
        log.info("%s: the middle %g of each volume's slices; slices=1 takes all", root, part)


def to_8_bit(values: np.ndarray, path: Path) -> np.ndarray:
    """Stretch each channel of a slice to the whole range of 8 bits.

    Intensities of magnetic resonance have no unit, so that only their order in one slice counts.

    Args:
        values: real array ``(height, width, channels)``.
        path: named in errors.

    Returns:
        uint8 of the same shape; a uniform channel becomes 0.

    Raises:
        InputError: NaN or infinity.
    """
    values = np.asarray(values, np.float32)
    low, high = values.min(axis=(0, 1)), values.max(axis=(0, 1))
    # Both are finite if all is: NaN and infinity pass through minimum and maximum.
    if not np.isfinite(low).all() or not np.isfinite(high).all():
        raise InputError(f"{path}: holds NaN or infinity; repair or remove it")
    span = np.where(high > low, high - low, np.inf)
    return np.round((values - low) * (np.float32(255) / span)).astype(np.uint8)
