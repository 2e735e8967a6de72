"""What stands in for operators that TensorFlow Lite Micro, or training for it, cannot take.

Networks that hold such operators have an argument ``deployable``. If it is true, GELU and Mish
become ReLU, which costs nothing after a convolution, and any resizing becomes bilinear with
half-pixel centres. Weights keep their number and shapes. Which operators decide stands in the
registry, ``tinyseg.zoo.Network.stopped_by``.
"""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras

_registered = keras.utils.register_keras_serializable(package="tinyseg")
# PyTorch's cubic; TensorFlow's has -0.5.
_CUBIC = -0.75


def activate(x: keras.KerasTensor, kind: str, *, deployable: bool, name: str) -> keras.KerasTensor:
    """Apply an activation function, or the ReLU that stands in for it.

    Args:
        x: feature map ``(batch, height, width, channels)``.
        kind: ``gelu`` (D. Hendrycks and K. Gimpel, 2016, arXiv:1606.08415, the exact form) or
            ``mish`` (D. Misra, 2019, arXiv:1908.08681).
        deployable: apply a ReLU.
        name: of the layer.

    Returns:
        Feature map of the same shape.
    """
    return keras.layers.Activation("relu" if deployable else kind, name=name)(x)


def upsample(
    x: keras.KerasTensor, method: str, *, deployable: bool, name: str
) -> keras.KerasTensor:
    """Double height and width.

    Args:
        x: feature map ``(batch, height, width, channels)``.
        method: ``align_corners`` or ``bicubic``.
        deployable: resize bilinearly with half-pixel centres.
        name: of the layer.

    Returns:
        Feature map ``(batch, 2 * height, 2 * width, channels)``.
    """
    if deployable:
        return keras.layers.UpSampling2D(2, interpolation="bilinear", name=name)(x)
    layers = {"align_corners": AlignCornersUpsampling2D, "bicubic": BicubicUpsampling2D}
    return layers[method](name=name)(x)


class _Doubling(keras.layers.Layer):
    """A layer without weights that doubles height and width."""

    def compute_output_shape(self, input_shape: tf.TensorShape) -> tf.TensorShape:
        """Return ``(batch, 2 * height, 2 * width, channels)``."""
        batch, height, width, channels = input_shape
        return tf.TensorShape((batch, 2 * height, 2 * width, channels))


@_registered
class AlignCornersUpsampling2D(_Doubling):
    """Bilinear upsampling that leaves the four corners in place: PyTorch's UpsamplingBilinear2d."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return ``(batch, 2 * height, 2 * width, channels)``."""
        size = [2 * side for side in inputs.shape[1:3]]
        resized = tf.raw_ops.ResizeBilinear(images=inputs, size=size, align_corners=True)
        return tf.cast(resized, inputs.dtype)


@_registered
class BicubicUpsampling2D(_Doubling):
    """Bicubic upsampling with half-pixel centres as PyTorch and OpenCV compute it.

    R. Keys, "Cubic convolution interpolation", 1981, with a = -0.75; pixels beyond the border
    are those on it.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return ``(batch, 2 * height, 2 * width, channels)``."""
        return _double_width(_double_height(inputs))


def _double_height(x: tf.Tensor) -> tf.Tensor:
    _, height, width, channels = x.shape
    first, last = x[:, :1], x[:, -1:]
    rows = tf.concat([first, first, x, last, last], axis=1)
    # New rows lie a quarter of a pixel above and below the old ones.
    taps = [_cubic(distance) for distance in (1.75, 0.75, 0.25, 1.25)]
    # ADD_N, unlike ADD, has no integer form.
    above = sum(w * rows[:, k : k + height] for k, w in enumerate(taps))
    below = sum(w * rows[:, k + 1 : k + 1 + height] for k, w in enumerate(taps[::-1]))
    return tf.reshape(tf.stack([above, below], axis=2), (-1, 2 * height, width, channels))


def _double_width(x: tf.Tensor) -> tf.Tensor:
    swap = (0, 2, 1, 3)
    return tf.transpose(_double_height(tf.transpose(x, swap)), swap)


def _cubic(distance: float) -> float:
    """Return the weight of a pixel at a distance in [0, 2) from the new one."""
    if distance <= 1:
        return (_CUBIC + 2) * distance**3 - (_CUBIC + 3) * distance**2 + 1
    return _CUBIC * (distance**3 - 5 * distance**2 + 8 * distance - 4)
