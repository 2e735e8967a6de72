"""Whether a lesion is there and where: curves over all thresholds, not one."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

# Of the free-response curve.
THRESHOLDS = tuple(number / 50 for number in range(1, 50))


@dataclasses.dataclass(frozen=True)
class Presence:
    """Receiver operating characteristic of whether an image has a lesion.

    Attributes:
        false_alarms: share of healthy images that are called ill, ascending from 0 to 1.
        found: share of ill images that are, at the same bounds.
        area: under the curve: how often an ill image scores above a healthy one, ties a half; None
            without images of both kinds.
    """

    false_alarms: tuple[float, ...]
    found: tuple[float, ...]
    area: float | None


def presence(scores: np.ndarray, ill: np.ndarray) -> Presence:
    """Return the curve of scores of images.

    Args:
        scores: float ``(n,)``, higher ones for images that are rather ill.
        ill: bool ``(n,)``.
    """
    if not ill.any() or ill.all():
        return Presence((), (), None)
    bounds = np.unique(scores)[::-1]
    called = scores[:, None] >= bounds
    healthy, sick = called[~ill].mean(0), called[ill].mean(0)
    false_alarms, found = np.r_[0.0, healthy], np.r_[0.0, sick]
    area = np.sum(np.diff(false_alarms) * (found[1:] + found[:-1]) / 2)
    return Presence(tuple(false_alarms.tolist()), tuple(found.tolist()), float(area))


@dataclasses.dataclass(frozen=True)
class FreeResponse:
    """Free-response curve: lesions found against parts marked where there is none.

    Attributes:
        thresholds: of probabilities.
        false_parts: marked parts an image that touch no lesion, by threshold.
        found: share of the lesions that a marked part touches; empty without lesions.
    """

    thresholds: tuple[float, ...]
    false_parts: tuple[float, ...]
    found: tuple[float, ...]


def free_response(maps: np.ndarray, masks: np.ndarray) -> FreeResponse:
    """Return the free-response curve of maps of probabilities.

    Parts and lesions are pixels that touch, also at a corner, in each region by itself.

    Args:
        maps: float32 ``(n, height, width, regions)``.
        masks: what is true, 0 and 1 of the same shape.
    """
    pairs = [
        (maps[row, ..., region], masks[row, ..., region])
        for row in range(len(maps))
        for region in range(maps.shape[-1])
    ]
    counts = np.array(
        [
            np.sum([_touching(found > bound, true) for found, true in pairs], axis=0)
            for bound in THRESHOLDS
        ]
    )
    false_parts, found, lesions = counts.T
    shares = (found / lesions[0]).tolist() if lesions[0] else []
    return FreeResponse(THRESHOLDS, tuple((false_parts / len(maps)).tolist()), tuple(shares))


def _touching(marked: np.ndarray, true: np.ndarray) -> tuple[int, int, int]:
    """Count parts that touch no lesion, lesions that a part touches, and lesions."""
    parts, part_of = cv2.connectedComponents(marked.astype(np.uint8), connectivity=8)
    lesions, lesion_of = cv2.connectedComponents((true > 0).astype(np.uint8), connectivity=8)
    both = marked & (true > 0)
    right, hit = np.unique(part_of[both]), np.unique(lesion_of[both])
    return parts - 1 - len(right), len(hit), lesions - 1
