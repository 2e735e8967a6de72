"""Batch normalization whose statistics are those of the whole batch of several workers."""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras


class SharedNorm(keras.layers.BatchNormalization):
    """What :func:`share` makes of batch normalization over the last axis.

    Keras' own synchronised form takes ``E(x²) - E(x)²`` for the variance, which cancels, and leaves
    out the correction for the size of the sample that its kernel for one worker adds to the moving
    variance. This one does as that kernel.
    """

    def call(
        self,
        inputs: tf.Tensor,
        training: bool | None = None,
        mask: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """See Keras."""
        if not self._get_training_value(training):
            return super().call(inputs, training=False, mask=mask)
        x = tf.cast(inputs, self._param_dtype)
        axes = list(range(len(x.shape) - 1))
        count = _everyones(tf.cast(tf.size(x) / tf.shape(x)[-1], x.dtype))
        mean = _everyones(tf.reduce_sum(x, axes)) / count
        centred = x - mean
        variance = _everyones(tf.reduce_sum(tf.square(centred), axes)) / count
        share = 1.0 - self.momentum
        self.moving_mean.assign_sub((self.moving_mean - mean) * share)
        kept = variance * count / tf.maximum(count - 1, 1) if self._corrected else variance
        self.moving_variance.assign_sub((self.moving_variance - kept) * share)
        scale = tf.math.rsqrt(variance + self.epsilon)
        outputs = centred * (scale if self.gamma is None else scale * self.gamma)
        return tf.cast(outputs if self.beta is None else outputs + self.beta, inputs.dtype)


def _everyones(value: tf.Tensor) -> tf.Tensor:
    """Return the sum over all workers."""
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)


def share(network: keras.Model) -> None:
    """Make all batch normalization of a network, in place, take its statistics over all workers."""
    for layer in network.submodules:
        # Subclasses compute what they please.
        if type(layer) is not keras.layers.BatchNormalization:
            continue
        corrected = bool(layer.fused)
        layer.synchronized, layer.fused = True, False
        if not layer.renorm and list(layer.axis) == [len(layer.input_shape) - 1]:
            layer.__class__ = SharedNorm
            layer._corrected = corrected
