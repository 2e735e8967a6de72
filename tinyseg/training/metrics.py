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
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf

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
    first, second = _outline(truth), _outline(prediction)
    one_way, back = _distances(first, second), _distances(second, first)
    return float(max(np.percentile(one_way, 95), np.percentile(back, 95)))


def _outline(mask: np.ndarray) -> np.ndarray:
    inner = cv2.erode(mask.astype(np.uint8), _CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return mask.astype(bool) & (inner == 0)


def _distances(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return for each pixel of one outline the distance to the nearest of another."""
    away = (~target).astype(np.uint8)
    return cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[source]


def summarise(
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
        of them have a lesion (``lesion_images``) and an HD95 (``hd95_images``). With two regions or
        more the means are over these too, and ``regions`` holds the same of each by its name.
    """
    if len(regions) < 2:
        return _summarise(truth, prediction)
    each = {
        name: _summarise(truth[..., [number]], prediction[..., [number]])
        for number, name in enumerate(regions)
    }
    together = _summarise(truth, prediction, distances=False)
    for key in next(iter(each.values())):
        if key not in ("pooled", "images", "lesion_images", "hd95_images"):
            known = [scores[key] for scores in each.values() if scores[key] is not None]
            together[key] = float(np.mean(known)) if known else None
    together["hd95_images"] = max(scores["hd95_images"] for scores in each.values())
    return {**together, "regions": each}


def _summarise(truth: np.ndarray, prediction: np.ndarray, distances: bool = True) -> dict[str, Any]:
    confusion = Confusion.of(truth, prediction)
    scores = confusion.scores()
    if distances:
        pairs = zip(truth, prediction, strict=True)
        scores["hd95"] = np.array([hausdorff95(_flat(one), _flat(two)) for one, two in pairs])
    pooled = {name: _plain(value) for name, value in confusion.pooled().scores().items()}
    return {
        **{name: _plain(values) for name, values in scores.items()},
        "pooled": pooled,
        "images": len(truth),
        "lesion_images": int(np.isfinite(scores["aer"]).sum()),
        "hd95_images": int(np.isfinite(scores.get("hd95", [])).sum()),
    }


def _flat(mask: np.ndarray) -> np.ndarray:
    return np.atleast_2d(mask[..., 0] if mask.ndim == 3 else mask)


def _plain(values: np.ndarray) -> float | None:
    """Return the mean of the values that exist, None if none does."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None


def image_dice(y_true: tf.Tensor, y_pred: tf.Tensor, threshold: float = 0.5) -> tf.Tensor:
    """Return the Dice of each image and class for Keras, with the empty-mask convention.

    Args:
        y_true: float tensor ``(batch, height, width, classes)`` of 0 and 1.
        y_pred: probabilities of the same shape.
        threshold: probabilities strictly above it are foreground.

    Returns:
        float32 tensor ``(batch,)``, the mean over classes.
    """
    import tensorflow as tf

    truth, prediction = y_true > 0.5, y_pred > threshold
    overlap = tf.math.count_nonzero(truth & prediction, [1, 2], dtype=tf.float32)
    total = tf.math.count_nonzero(truth, [1, 2], dtype=tf.float32)
    total += tf.math.count_nonzero(prediction, [1, 2], dtype=tf.float32)
    dice = tf.where(total == 0, 1.0, 2 * overlap / tf.maximum(total, 1))
    return tf.reduce_mean(dice, axis=-1)
