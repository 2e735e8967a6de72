"""Losses for binary and multi-label segmentation."""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras

from tinyseg.plan import TrainingPlan


def without_background(y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
    """Leave out the first channel of a softmax that has one more than there are regions."""
    return y_pred[..., 1:] if y_pred.shape[-1] == y_true.shape[-1] + 1 else y_pred


@keras.saving.register_keras_serializable("tinyseg")
class BceDiceLoss(keras.losses.Loss):
    """Binary cross-entropy plus soft Dice loss, or one of its kin.

    ``BCE + dice_weight * (1 - T) ** focal + presence_weight * P`` with

    ``T = (2 sum(p t) + 1) / (2 sum(p t) + 2 m sum((1 - p) t) + 2 (1 - m) sum(p (1 - t)) + 1)``

    for a weight ``m`` of what is missed: Dice at 0.5, else the index of Tversky (S. Salehi et al.,
    2017, arXiv:1706.05721), with an exponent its focal form (N. Abraham and N. Khan, 2018,
    arXiv:1810.07842, who write the exponent as 1 over a number from 1 to 3). Sums are over each
    image and class, with a mean over both. The ones keep images without foreground in the loss:
    there it falls as fewer pixels are predicted (Milletari et al., 3DV 2016, with the usual
    smoothing).

    ``P`` is the cross-entropy of whether an image has any foreground, the logit for it being the
    mean of the top logits of its pixels: it goes on telling images with and without foreground
    apart where the gradient of ``T`` vanishes.

    Args:
        dice_weight: weight of the Dice term.
        miss_weight: weight of missed pixels in it, 0 to 1; false ones have the rest.
        focal: exponent of the Dice term.
        presence_weight: weight of the term for whole images.
    """

    def __init__(
        self,
        dice_weight: float = 1.0,
        miss_weight: float = 0.5,
        focal: float = 1.0,
        presence_weight: float = 0.0,
        name: str = "bce_dice",
        **kwargs,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.dice_weight, self.miss_weight = dice_weight, miss_weight
        self.focal, self.presence_weight = focal, presence_weight

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Return the loss of each image, ``(batch,)``, from maps ``(batch, h, w, classes)``."""
        y_true = tf.cast(y_true, tf.float32)
        y_pred = without_background(y_true, tf.cast(y_pred, tf.float32))
        cross_entropy = tf.reduce_mean(keras.losses.binary_crossentropy(y_true, y_pred), [1, 2])
        loss = cross_entropy + self.dice_weight * self._distance(y_true, y_pred)
        if self.presence_weight:
            loss += self.presence_weight * presence_loss(y_true, y_pred)
        return loss

    def _distance(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        overlap = tf.reduce_sum(y_true * y_pred, [1, 2])
        if self.miss_weight == 0.5:
            total = tf.reduce_sum(y_true + y_pred, [1, 2])
        else:
            missed = tf.reduce_sum(y_true, [1, 2]) - overlap
            wrong = tf.reduce_sum(y_pred, [1, 2]) - overlap
            total = 2 * (overlap + self.miss_weight * missed + (1 - self.miss_weight) * wrong)
        index = (2 * overlap + 1) / (total + 1)
        if self.focal == 1:
            return 1 - tf.reduce_mean(index, axis=-1)
        # The slope of a root is infinite at zero.
        return tf.reduce_mean(tf.maximum(1 - index, 1e-6) ** self.focal, axis=-1)

    def get_config(self) -> dict:
        """Return the arguments that rebuild this loss."""
        own = ("dice_weight", "miss_weight", "focal", "presence_weight")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


# Share of an image's pixels that speak for it, those with the highest logits.
TOP_SHARE = 0.004
_LEAST = 1e-6


def presence_loss(y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
    """Return the cross-entropy of whether there is foreground in an image.

    Args:
        y_true: float32 masks ``(batch, height, width, classes)``; the largest value of an image
            is the probability that it has foreground.
        y_pred: float32 probabilities of the same shape.

    Returns:
        float32 ``(batch,)``, the mean over classes.
    """
    kept = tf.clip_by_value(y_pred, _LEAST, 1 - _LEAST)
    logits = tf.math.log(kept) - tf.math.log1p(-kept)
    _, height, width, classes = logits.shape
    flat = tf.reshape(tf.transpose(logits, [0, 3, 1, 2]), [-1, classes, height * width])
    top = tf.math.top_k(flat, max(round(TOP_SHARE * height * width), 1), sorted=False).values
    present = tf.reduce_max(y_true, [1, 2])
    losses = tf.nn.sigmoid_cross_entropy_with_logits(present, tf.reduce_mean(top, -1))
    return tf.reduce_mean(losses, -1)


def mask_loss(settings: TrainingPlan) -> BceDiceLoss:
    """Return the loss of masks that a plan asks for."""
    return BceDiceLoss(
        settings.dice_weight, settings.miss_weight, settings.focal, settings.presence_weight
    )
