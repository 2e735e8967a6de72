"""Numbers as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def count(value: float | None) -> str:
    """Group thousands: ``2,874,605,568``."""
    return "-" if value is None else f"{value:,.0f}"


def size(value: int | None) -> str:
    """Give bytes exactly and rounded: ``13,728,912 B (13.7 MB)``."""
    if value is None:
        return "-"
    for unit, factor in (("MB", 10**6), ("kB", 10**3)):
        if value >= factor:
            return f"{value:,} B ({value / factor:.1f} {unit})"
    return f"{value:,} B"


def score(value: float | None) -> str:
    """Give a score in [0, 1] with four decimals."""
    return "-" if value is None else f"{value:.4f}"


def missed_lesions(scores: Mapping[str, Any]) -> str:
    """Give how many images with a lesion were missed altogether; "-" of what is not known."""
    if "missed_lesions" not in scores:
        return "-"
    return f"{scores['missed_lesions']} of {scores['lesion_images']}"


def false_alarms(scores: Mapping[str, Any]) -> str:
    """Give in how many images without a lesion something is marked; "-" of what is not known."""
    if not scores.get("healthy_images"):
        return "-"
    return f"{scores['false_alarms']} of {scores['healthy_images']}"


def percent(value: float) -> str:
    """Give a share with one decimal."""
    return f"{value:.1%}"


def decibels(value: float | None) -> str:
    """Give a ratio in dB with one decimal."""
    return "-" if value is None else f"{value:.1f} dB"
