"""Which operating point serves a wish best: masks of validation images at many of them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tinyseg.decision import decide, peaks
from tinyseg.operating_point import OperatingPoint

_THRESHOLDS = (0.5, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9)
_RELATIVE = (0.0, 0.4, 0.5, 0.6, 0.7, 0.8)
# Of the pixels of a map.
_SMALLEST = (0.0, 0.002, 0.005)
_BLANK = (0.0, *(number / 20 for number in range(2, 19)), 0.92, 0.94, 0.96, 0.98, 0.99, 1.0)
# A wish that is met so nearly as well by a simpler point is not worth the more complicated one.
_WORTH = 0.001


@dataclasses.dataclass(frozen=True)
class Candidate:
    """An operating point and what it makes of the images.

    Attributes:
        point: the operating point.
        lesion_dice: mean Dice of the images with a lesion.
        dice: mean Dice of all images; one without a lesion counts 1 if it is left blank, else 0.
        missed_lesions: images with a lesion no pixel of which is found.
        false_alarms: images without one in which something is marked.
        healthy_images: of them all.
    """

    point: OperatingPoint
    lesion_dice: float
    dice: float
    missed_lesions: int
    false_alarms: int
    healthy_images: int

    @property
    def false_alarms_per_100(self) -> float | None:
        """False alarms in 100 healthy images; None without any."""
        return 100 * self.false_alarms / self.healthy_images if self.healthy_images else None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        values = dataclasses.asdict(self)
        return {**values, "false_alarms_per_100": self.false_alarms_per_100}

    @property
    def _rules(self) -> tuple[int, float, float]:
        """How complicated the point is: rules beside the threshold, then how far from 0.5."""
        point = self.point
        rules = (point.blank_below, point.relative, point.smallest, point.largest_only)
        return sum(map(bool, rules)), abs(point.threshold - 0.5), point.blank_below


@dataclasses.dataclass(frozen=True)
class Wish:
    """What a user wants of an operating point.

    Attributes:
        most_false_alarms: per 100 healthy images; None for any number.
        no_missed_lesion: whether missed lesions count before all else.
    """

    most_false_alarms: float | None = None
    no_missed_lesion: bool = False

    def allows(self, candidate: Candidate) -> bool:
        """Tell whether a point gives no more false alarms than are wanted."""
        found = candidate.false_alarms_per_100
        return self.most_false_alarms is None or (found or 0) <= self.most_false_alarms

    def best(self, candidates: Sequence[Candidate]) -> Candidate | None:
        """Return the point that serves best, the simplest of equally good ones.

        Most Dice over all images; if a limit looks after the healthy ones, most Dice of the
        others, and of equally good points the one with the fewest false alarms; if no lesion is to
        be missed, the fewest missed come first, then the fewest false alarms.

        Args:
            candidates: at least one.

        Returns:
            None if the wish allows none of them.
        """
        left = [one for one in candidates if self.allows(one)]
        if left and self.no_missed_lesion:
            fewest = min((one.missed_lesions, one.false_alarms) for one in left)
            left = [one for one in left if (one.missed_lesions, one.false_alarms) == fewest]
        if not left:
            return None
        least = max(map(self._gain, left)) - _WORTH
        return min((one for one in left if self._gain(one) >= least), key=self._order)

    def _gain(self, one: Candidate) -> float:
        return one.dice if self.most_false_alarms is None else one.lesion_dice

    def _order(self, one: Candidate) -> tuple:
        alarms = 0 if self.most_false_alarms is None else one.false_alarms
        return alarms, one._rules, -self._gain(one)


def simplest_kinds(candidates: Sequence[Candidate], wish: Wish) -> list[Candidate]:
    """Return the best point of each kind: by the rules that it has beside the threshold."""

    def kind(one: Candidate) -> tuple[bool, ...]:
        point = one.point
        return (point.blank_below > 0, point.relative > 0, point.smallest > 1, point.largest_only)

    ordered = sorted(candidates, key=kind)
    best = [wish.best(list(group)) for _, group in itertools.groupby(ordered, kind)]
    return [one for one in best if one is not None]


def candidates(maps: np.ndarray, masks: np.ndarray, base: OperatingPoint) -> list[Candidate]:
    """Score operating points on images.

    Args:
        maps: probabilities float32 ``(n, height, width, regions)``.
        masks: what is true, 0 and 1 of the same shape.
        base: what all points have in common: the share of the highest probabilities whose mean is
            the peak, and whether mirror images are seen.
    """
    found, truth = peaks(maps, base.share), masks.astype(bool)
    ill = np.asarray(truth.any((1, 2, 3)))
    made = []
    for point in _points(maps.shape[1] * maps.shape[2], base):
        counts = _counts(truth, decide(maps, point))
        for blank_below in _BLANK:
            kept = (found >= blank_below) if blank_below else np.ones_like(found, bool)
            asked = dataclasses.replace(point, blank_below=blank_below)
            made.append(_scored(asked, counts, kept, ill))
    return made


def score_point(maps: np.ndarray, masks: np.ndarray, point: OperatingPoint) -> Candidate:
    """Score one operating point on images, see :func:`candidates`."""
    truth = masks.astype(bool)
    counts, ill = _counts(truth, decide(maps, point)), np.asarray(truth.any((1, 2, 3)))
    return _scored(point, counts, np.ones_like(counts[0], bool), ill)


def _counts(truth: np.ndarray, decisions: np.ndarray) -> list[np.ndarray]:
    """Count pixels ``(n, regions)`` that are both true and marked, true, and marked."""
    return [part.sum((1, 2)) for part in (truth & decisions, truth, decisions)]


def _points(pixels: int, base: OperatingPoint) -> Iterator[OperatingPoint]:
    """Return all points but for what is blank."""
    sizes = dict.fromkeys(round(part * pixels) for part in _SMALLEST)
    for threshold, relative, smallest, largest_only in itertools.product(
        _THRESHOLDS, _RELATIVE, sizes, (False, True)
    ):
        if not (smallest and largest_only):
            yield dataclasses.replace(
                base,
                threshold=threshold,
                relative=relative,
                smallest=smallest,
                largest_only=largest_only,
            )


def _scored(
    point: OperatingPoint, counts: list[np.ndarray], kept: np.ndarray, ill: np.ndarray
) -> Candidate:
    """Return a point's scores.

    Args:
        point: the operating point.
        counts: see :func:`_counts`.
        kept: which maps are not blank, ``(n, regions)``.
        ill: which images have a lesion.
    """
    overlap, true, marked = counts[0] * kept, counts[1], counts[2] * kept
    total = true + marked
    dice = np.where(total == 0, 1.0, 2 * overlap / np.maximum(total, 1)).mean(1)
    return Candidate(
        point,
        float(dice[ill].mean()) if ill.any() else 0.0,
        float(dice.mean()),
        int((ill & (overlap.sum(1) == 0)).sum()),
        int((~ill & (marked.sum(1) > 0)).sum()),
        int((~ill).sum()),
    )
