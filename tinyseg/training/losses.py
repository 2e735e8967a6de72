"""Losses for binary and multi-label segmentation."""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras


def without_background(y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
    """Leave out the first channel of a softmax that has one more than there are regions."""
    return y_pred[..., 1:] if y_pred.shape[-1] == y_true.shape[-1] + 1 else y_pred


@keras.saving.register_keras_serializable("tinyseg")
class BceDiceLoss(keras.losses.Loss):
    """Binary cross-entropy plus soft Dice loss.

    ``BCE + dice_weight * (1 - (2 sum(p t) + 1) / (sum(p) + sum(t) + 1))`` with sums over each
    image and class and a mean over both. The ones keep images without foreground in the
    loss: there it falls as fewer pixels are predicted (Milletari et al., 3DV 2016, with the
    usual smoothing).

    Args:
        dice_weight: weight of the Dice term.
    """

    def __init__(self, dice_weight: float = 1.0, name: str = "bce_dice", **kwargs) -> None:
        super().__init__(name=name, **kwargs)
        self.dice_weight = dice_weight

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Return the loss of each image, ``(batch,)``, from maps ``(batch, h, w, classes)``."""
        y_true = tf.cast(y_true, tf.float32)
        y_pred = without_background(y_true, tf.cast(y_pred, tf.float32))
        cross_entropy = tf.reduce_mean(keras.losses.binary_crossentropy(y_true, y_pred), [1, 2])
        overlap = tf.reduce_sum(y_true * y_pred, [1, 2])
        total = tf.reduce_sum(y_true + y_pred, [1, 2])
        dice = tf.reduce_mean((2 * overlap + 1) / (total + 1), axis=-1)
        return cross_entropy + self.dice_weight * (1 - dice)

    def get_config(self) -> dict:
        """Return the arguments that rebuild this loss."""
        return {**super().get_config(), "dice_weight": self.dice_weight}
