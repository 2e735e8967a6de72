"""Describe a dataset in numbers before anything is trained on it."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import os
from typing import Any

import numpy as np

from tinyseg import plan
from tinyseg.data import Dataset, Sample, scan
from tinyseg.data.balance import imbalance
from tinyseg.data.check import check
from tinyseg.errors import InputError

EXAMPLES = 8
_BINS = 32
_MEASURED = 400


@dataclasses.dataclass(frozen=True)
class Shown:
    """A sample to be shown.

    Attributes:
        sample: which one.
        image: uint8 ``(height, width)`` or ``(height, width, channels)``.
        mask: uint8 ``(height, width, regions)``, no regions where images are to be classified.
    """

    sample: Sample
    image: np.ndarray
    mask: np.ndarray


def summarise_dataset(
    name_or_path: str, examples: int = EXAMPLES
) -> tuple[dict[str, Any], list[Shown]]:
    """Check and measure a dataset.

    Args:
        name_or_path: as for :func:`tinyseg.data.load`.
        examples: number of samples to show, evenly from all labels.

    Returns:
        Plain values for JSON: those of :class:`tinyseg.data.check.DataReport`, ``name``,
        ``balance``, ``groups``, ``intensity`` and ``provenance``; and the samples to show.

    Raises:
        InputError: there is no such folder, or its layout is unknown.
    """
    report = check(name_or_path)
    dataset = scan(name_or_path)[0].surveyed()
    intensity, shown = _measure(dataset, examples)
    values = {
        **report.as_dict(),
        "name": dataset.name,
        "classes": list(dataset.classes),
        "groups": len({sample.group or sample.name for sample in dataset.samples}),
        "balance": balance(report.labels),
        "intensity": intensity,
        "provenance": plan.provenance(),
    }
    return values, shown


def balance(counts: dict[str, int]) -> dict[str, Any]:
    """Return the number of images of each label before and after balancing by augmentation.

    Args:
        counts: images of each label.

    Returns:
        ``before``, ``after``, the copies ``added``, ``imbalance_before`` and
        ``imbalance_after``; with one label both numbers are the same.
    """
    after = dict.fromkeys(counts, max(counts.values(), default=0))
    return {
        "before": dict(counts),
        "after": after,
        "added": sum(after.values()) - sum(counts.values()),
        "imbalance_before": imbalance(counts),
        "imbalance_after": imbalance(after),
    }


def _spread(dataset: Dataset, count: int) -> list[Sample]:
    """Return about ``count`` samples, equally many of each label and evenly spaced."""
    by_label: dict[str, list[Sample]] = {}
    for sample in dataset.samples:
        by_label.setdefault(sample.label, []).append(sample)
    chosen = []
    for samples in by_label.values():
        quota = min(-(-count // len(by_label)), len(samples))
        chosen += [samples[len(samples) * (2 * i + 1) // (2 * quota)] for i in range(quota)]
    return chosen


def _measure(dataset: Dataset, count: int) -> tuple[dict[str, Any], list[Shown]]:
    """Return the intensities of some samples, and ``count`` samples to show.

    What cannot be read is left out: the check names it.
    """
    shown = _spread(dataset, count)
    names = {sample.name for sample in shown}
    others = [sample for sample in _spread(dataset, _MEASURED) if sample.name not in names]

    def read(sample: Sample) -> tuple[np.ndarray, Shown | None] | None:
        try:
            image, mask = dataset.read(sample)
        except InputError:
            return None
        mask = mask.reshape(*mask.shape[:2], len(dataset.regions))
        # Only those to be shown stay in memory.
        return _histograms(image), Shown(sample, image, mask) if sample.name in names else None

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        read_ones = [result for result in pool.map(read, shown + others) if result]
    intensity = _intensity([histograms for histograms, _ in read_ones])
    return intensity, [each for _, each in read_ones if each]


def _histograms(image: np.ndarray) -> np.ndarray:
    """Return the number of pixels of each value, int64 ``(channels, 256)``."""
    planes = image.reshape(-1, image.shape[2] if image.ndim == 3 else 1).T
    return np.stack([np.bincount(plane, minlength=256) for plane in planes])


def _intensity(histograms: list[np.ndarray]) -> dict[str, Any]:
    """Return mean, spread and histogram of each channel; a grey image counts in every one."""
    channels = max(map(len, histograms), default=0)
    counts = np.zeros((channels, 256), np.int64)
    for histogram in histograms:
        counts += histogram
    statistics = [_statistics(row) for row in counts]
    return {"images": len(histograms), "channels": statistics}


def _statistics(counts: np.ndarray) -> dict[str, Any]:
    levels, total = np.arange(256), counts.sum()
    mean = (levels * counts).sum() / total
    cumulated = counts.cumsum() / total
    percentile = {f"p{p}": int(np.searchsorted(cumulated, p / 100)) for p in (1, 50, 99)}
    return {
        "mean": float(mean),
        "deviation": float(np.sqrt(((levels - mean) ** 2 * counts).sum() / total)),
        **percentile,
        "histogram": (counts.reshape(_BINS, -1).sum(1) / total).tolist(),
    }
