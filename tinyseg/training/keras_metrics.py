"""Scores while training: Dice of all images and of those with a lesion, and what went wrong."""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras

from tinyseg.training.losses import without_background


def image_dice(y_true: tf.Tensor, y_pred: tf.Tensor, threshold: float = 0.5) -> tf.Tensor:
    """Return the Dice of each image and class for Keras, with the empty-mask convention.

    Args:
        y_true: float tensor ``(batch, height, width, classes)`` of 0 and 1.
        y_pred: probabilities of the same shape, or with the background in front.
        threshold: probabilities strictly above it are foreground.

    Returns:
        float32 tensor ``(batch,)``, the mean over classes.
    """
    truth, prediction = y_true > 0.5, without_background(y_true, y_pred) > threshold
    overlap = tf.math.count_nonzero(truth & prediction, [1, 2], dtype=tf.float32)
    total = tf.math.count_nonzero(truth, [1, 2], dtype=tf.float32)
    total += tf.math.count_nonzero(prediction, [1, 2], dtype=tf.float32)
    dice = tf.where(total == 0, 1.0, 2 * overlap / tf.maximum(total, 1))
    return tf.reduce_mean(dice, axis=-1)


class LesionDice(keras.metrics.Mean):
    """Mean of :func:`image_dice` over the images whose mask is not empty; 0 if all are.

    The Dice of an empty mask is 1 or 0, as one pixel decides: on a small validation part such
    images would drown what the others show.
    """

    def __init__(self, name: str = "lesion_dice") -> None:
        super().__init__(name)

    def update_state(
        self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None
    ) -> tf.Operation:
        """Take in a batch, see :func:`image_dice`."""
        marked = tf.cast(tf.reduce_any(y_true > 0.5, [1, 2, 3]), tf.float32)
        return super().update_state(image_dice(y_true, y_pred), marked)


class _Count(keras.metrics.Metric):
    """How many images something happened to."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._count = self.add_weight("count", initializer="zeros")

    def result(self) -> tf.Tensor:
        """Return the number so far."""
        return tf.identity(self._count)

    def _add(self, where: tf.Tensor) -> tf.Operation:
        return self._count.assign_add(tf.math.count_nonzero(where, dtype=tf.float32))


class FalseAlarms(_Count):
    """Images without a lesion in which something is marked, at a probability of 0.5."""

    def __init__(self, name: str = "false_alarms") -> None:
        super().__init__(name)

    def update_state(
        self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None
    ) -> tf.Operation:
        """Take in a batch, see :func:`image_dice`."""
        marked = tf.reduce_any(without_background(y_true, y_pred) > 0.5, [1, 2, 3])
        return self._add(marked & ~tf.reduce_any(y_true > 0.5, [1, 2, 3]))


class MissedLesions(_Count):
    """Images with a lesion no pixel of which is marked, at a probability of 0.5."""

    def __init__(self, name: str = "missed_lesions") -> None:
        super().__init__(name)

    def update_state(
        self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None
    ) -> tf.Operation:
        """Take in a batch, see :func:`image_dice`."""
        truth = y_true > 0.5
        hit = tf.reduce_any(truth & (without_background(y_true, y_pred) > 0.5), [1, 2, 3])
        return self._add(tf.reduce_any(truth, [1, 2, 3]) & ~hit)
