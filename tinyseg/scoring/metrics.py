"""Segmentation metrics, per image and pooled: from confusion counts, and between outlines.

Empty-mask convention: a ratio whose denominator is zero is 1, for then nothing was there to
be found and nothing was wrongly found. So an image without lesion scores Dice = IoU = 1 if no
pixel is predicted and 0 otherwise; precision without predicted pixels and recall without
true ones are 1. Scores that are relative to the lesion, and distances, do not exist there: they
are NaN, and means leave them out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


@dataclasses.dataclass(frozen=True)
class Confusion:
    """Pixel counts, int64 arrays of any equal shape, typically ``(images,)``."""

    true_positive: np.ndarray
    false_positive: np.ndarray
    false_negative: np.ndarray
    true_negative: np.ndarray

    @classmethod
    def of(cls, truth: np.ndarray, prediction: np.ndarray) -> Confusion:
        """Count the pixels of each image.

        Args:
            truth: bool or 0/1 array ``(images, ...)``.
            prediction: likewise, of the same shape.

        Raises:
            ValueError: the shapes differ.
        """
        if truth.shape != prediction.shape:
            raise ValueError(f"truth {truth.shape} and prediction {prediction.shape} differ")
        truth = truth.astype(bool).reshape(len(truth), -1)
        prediction = prediction.astype(bool).reshape(len(prediction), -1)
        return cls(
            (truth & prediction).sum(1),
            (~truth & prediction).sum(1),
            (truth & ~prediction).sum(1),
            (~truth & ~prediction).sum(1),
        )

    def pooled(self) -> Confusion:
        """Add up all images, as if they were one."""
        return Confusion(*(np.sum(getattr(self, f.name)) for f in dataclasses.fields(self)))

    def scores(self) -> dict[str, np.ndarray]:
        """Return scores by name, in [0, 1] except for the last two.

        ``recall`` is what others call TPR or sensitivity, ``fpr`` is 1 - ``specificity`` and
        ``fnr`` is 1 - ``recall``. The breast-ultrasound literature relates errors to the area of
        the lesion instead (Shareef et al., "STAN", ISBI 2020): ``lesion_fpr`` is the false area
        and ``aer``, the area error ratio, the false and the missed area, both divided by the
        true area. They may exceed 1, and are NaN where there is no lesion.
        """
        tp, fp = self.true_positive, self.false_positive
        fn, tn = self.false_negative, self.true_negative
        recall, specificity = _ratio(tp, tp + fn), _ratio(tn, tn + fp)
        return {
            "dice": _ratio(2 * tp, 2 * tp + fp + fn),
            "iou": _ratio(tp, tp + fp + fn),
            "precision": _ratio(tp, tp + fp),
            "recall": recall,
            "specificity": specificity,
            "pixel_accuracy": _ratio(tp + tn, tp + fp + fn + tn),
            "fpr": 1 - specificity,
            "fnr": 1 - recall,
            "lesion_fpr": _ratio(fp, tp + fn, empty=np.nan),
            "aer": _ratio(fp + fn, tp + fn, empty=np.nan),
        }


def _ratio(numerator: np.ndarray, denominator: np.ndarray, empty: float = 1.0) -> np.ndarray:
    return np.where(denominator == 0, empty, numerator / np.maximum(denominator, 1))


def hausdorff95(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Return the 95th percentile of the distances between two outlines, in pixels.

    The larger of both directions' percentiles (Taha and Hanbury, BMC Medical Imaging 2015). An
    outline is the pixels of a mask that have a neighbour, or the image's border, beside them that
    is not in it.

    Args:
        truth, prediction: bool ``(height, width)``.

    Returns:
        0 if both are empty, NaN if one is.
    """
    if truth.any() != prediction.any():
        return float("nan")
    if not truth.any():
        return 0.0
    window = _bounds(truth | prediction)
    first, second = _outline(truth[window]), _outline(prediction[window])
    one_way, back = _distances(first, second), _distances(second, first)
    return float(max(np.percentile(one_way, 95), np.percentile(back, 95)))


def _bounds(mask: np.ndarray) -> tuple[slice, slice]:
    """Return the smallest window that holds a mask; the distances in it are the same."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _outline(mask: np.ndarray) -> np.ndarray:
    inner = cv2.erode(mask.astype(np.uint8), _CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return mask.astype(bool) & (inner == 0)


def _distances(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return for each pixel of one outline the distance to the nearest of another."""
    away = (~target).astype(np.uint8)
    return cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[source]


def summarise_masks(
    truth: np.ndarray, prediction: np.ndarray, regions: Sequence[str] = ()
) -> dict[str, Any]:
    """Return means over images of each score, the pooled scores and the number of images.

    Args:
        truth: bool or 0/1 array ``(images, height, width, regions)``.
        prediction: likewise.
        regions: what the channels of the masks mark.

    Returns:
        By name the scores of :meth:`Confusion.scores` and ``hd95``, each None where no image has
        it; ``pooled`` with those of all pixels as if they were one image; ``images``, and how many
        of them have a lesion (``lesion_images``), none (``healthy_images``) and an HD95
        (``hd95_images``); ``missed_lesions``, images with a lesion no pixel of which was found, and
        ``false_alarms``, images without one in which something was marked. Of two regions or
        more, an image's score is the mean over those that have it, and ``regions`` holds all of
        the above for each by its name.

    Raises:
        ValueError: the shapes differ, or there are not as many channels as regions.
    """
    whole = Confusion.of(truth, prediction)
    if len(regions) > 1 and truth.shape[-1] != len(regions):
        raise ValueError(f"masks {truth.shape} do not match {len(regions)} regions")
    pairs = list(zip(_channels(truth), _channels(prediction), strict=True))
    confusions = [Confusion.of(*pair) for pair in pairs]
    each = [
        {**confusion.scores(), "hd95": _hausdorff95_of_images(*pair)}
        for confusion, pair in zip(confusions, pairs, strict=True)
    ]
    together = {name: _mean([scores[name] for scores in each]) for name in each[0]}
    summary = _summary(together, whole)
    if len(regions) < 2:
        return summary
    return {**summary, "regions": dict(zip(regions, map(_summary, each, confusions), strict=True))}


def _channels(masks: np.ndarray) -> np.ndarray:
    """Put the channels first, if there are any."""
    return np.moveaxis(masks, -1, 0) if masks.ndim == 4 else masks[np.newaxis]


def _hausdorff95_of_images(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    pairs = zip(truth.astype(bool), prediction.astype(bool), strict=True)
    return np.array([hausdorff95(np.atleast_2d(one), np.atleast_2d(two)) for one, two in pairs])


def _summary(scores: dict[str, np.ndarray], confusion: Confusion) -> dict[str, Any]:
    """Sum up the scores of images, each ``(images,)``, and add those of all their pixels."""
    pooled = confusion.pooled().scores()
    ill = confusion.true_positive + confusion.false_negative > 0
    return {
        **{name: _plain(_mean(values)) for name, values in scores.items()},
        "pooled": {name: _plain(value) for name, value in pooled.items()},
        "images": len(confusion.true_positive),
        "lesion_images": int(np.isfinite(scores["aer"]).sum()),
        "healthy_images": int((~ill).sum()),
        "missed_lesions": int((ill & (confusion.true_positive == 0)).sum()),
        "false_alarms": int((~ill & (confusion.false_positive > 0)).sum()),
        "hd95_images": int(np.isfinite(scores["hd95"]).sum()),
    }


def _mean(values: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Return the mean along the first axis of those that exist, NaN where none does."""
    known = np.isfinite(values)
    return _ratio(np.where(known, values, 0).sum(0), known.sum(0), empty=np.nan)


def _plain(value: np.ndarray) -> float | None:
    return float(value) if np.isfinite(value) else None
