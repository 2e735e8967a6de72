"""Segmentation metrics, per image and pooled, from confusion counts.

Empty-mask convention: a ratio whose denominator is zero is 1, for then nothing was there to
be found and nothing was wrongly found. So an image without lesion scores Dice = IoU = 1 if no
pixel is predicted and 0 otherwise; precision without predicted pixels and recall without
true ones are 1.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf


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
        """Return dice, iou, precision, recall, specificity and pixel accuracy in [0, 1]."""
        tp, fp = self.true_positive, self.false_positive
        fn, tn = self.false_negative, self.true_negative
        return {
            "dice": _ratio(2 * tp, 2 * tp + fp + fn),
            "iou": _ratio(tp, tp + fp + fn),
            "precision": _ratio(tp, tp + fp),
            "recall": _ratio(tp, tp + fn),
            "specificity": _ratio(tn, tn + fp),
            "pixel_accuracy": _ratio(tp + tn, tp + fp + fn + tn),
        }


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return np.where(denominator == 0, 1.0, numerator / np.maximum(denominator, 1))


def summarise(truth: np.ndarray, prediction: np.ndarray) -> dict:
    """Return the mean over images of each score, the pooled scores and the number of images.

    Args:
        truth: bool or 0/1 array ``(images, ...)``.
        prediction: likewise.
    """
    confusion = Confusion.of(truth, prediction)
    means = {name: float(values.mean()) for name, values in confusion.scores().items()}
    pooled = {name: float(value) for name, value in confusion.pooled().scores().items()}
    return {**means, "pooled": pooled, "images": len(truth)}


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
