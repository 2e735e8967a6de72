"""Residual binarization: tensors as sums of a few scaled signs.

With scales gamma_1 ... gamma_M a tensor t becomes the sum of e_1 ... e_M, where
e_m = abs(gamma_m) * sign(r_m), r_1 = t and r_(m+1) = r_m - e_m: one of 2**M values for each
element. M. Ghasemzadeh, M. Samragh and F. Koushanfar, "ReBNet: Residual Binarized Neural
Network", FCCM 2018 (arXiv:1711.01243) do so for activations, C. Zhang's BLU-Net (MSc thesis,
2022) for kernels too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from tinyseg.errors import InputError


@tf.custom_gradient
def clipped_sign(x: tf.Tensor) -> tf.Tensor:
    """Return the sign of x, with the gradient of clip(x, -1, 1): 1 where abs(x) <= 1, else 0.

    BLU-Net has sign(0) = 0; here it is 1, so that M levels never need more than M bits.
    """

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        return upstream * tf.cast(tf.abs(x) <= 1, x.dtype)

    # Arithmetic on casts takes two thirds of the time of a selection.
    return 2 * tf.cast(x >= 0, x.dtype) - 1, gradient


def residual_binarize(tensor: tf.Tensor, gammas: tf.Tensor) -> tf.Tensor:
    """Approximate a tensor by as many scaled signs as there are gammas.

    The gradient reaches the tensor and the gammas through every level.

    Args:
        tensor: of any shape, float.
        gammas: ``(levels,)``, or ``(levels, ...)`` with trailing dimensions that broadcast
            against those of the tensor; only their absolute values count.

    Returns:
        Of the tensor's shape and type, with at most ``2**levels`` values for each gamma.
    """
    terms, residual = [], tensor
    for gamma in tf.unstack(tf.abs(gammas)):
        terms.append(gamma * clipped_sign(residual))
        residual -= terms[-1]
    return tf.add_n(terms)


def initial_gammas(shape: tuple[int, ...], dtype: tf.DType | None = None) -> tf.Tensor:
    """Return ReBNet's ladder (M, M - 1, ..., 1) / sum along the first axis: a Keras initializer."""
    ladder = np.arange(shape[0], 0, -1) / np.arange(1, shape[0] + 1).sum()
    ladder = ladder.reshape(-1, *[1] * (len(shape) - 1))
    return tf.cast(np.broadcast_to(ladder, shape), dtype or tf.float32)


def check_levels(layer: keras.layers.Layer, **levels: int) -> None:
    """Refuse numbers of levels that are no numbers of levels.

    Raises:
        InputError: naming the layer and the argument.
    """
    for argument, value in levels.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(
                f"{layer.name}: {argument} must be a whole number of at least 1, not {value}; "
                "BLU-Net takes 3"
            )


@keras.utils.register_keras_serializable(package="tinyseg")
class ResidualSign(keras.layers.Layer):
    """Residual-binarized activation with one trainable gamma a level.

    Args:
        levels: M, at least 1.
        positive: add the sum of the gammas, so that the lowest value is zero, as after a ReLU.
            The bits are the same; but SAME padding, which adds zeros, then adds what the
            lowest value is and not what lies between the two middle ones.
        offset: subtracted from the inputs, which an integer network shifts to be positive.

    Raises:
        InputError: fewer levels.
    """

    def __init__(self, levels: int = 3, positive: bool = False, offset: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        check_levels(self, levels=levels)
        self.levels, self.positive, self.offset = levels, positive, offset

    def build(self, input_shape: tf.TensorShape) -> None:
        """Create the gammas ``(levels,)``."""
        self.gammas = self.add_weight("gammas", (self.levels,), initializer=initial_gammas)
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return one of ``2**levels`` values for each element, in the shape of the inputs."""
        inputs = inputs - self.offset if self.offset else inputs
        outputs = residual_binarize(inputs, self.gammas)
        return outputs + tf.reduce_sum(tf.abs(self.gammas)) if self.positive else outputs

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        arguments = {"levels": self.levels, "positive": self.positive, "offset": self.offset}
        return {**super().get_config(), **arguments}
