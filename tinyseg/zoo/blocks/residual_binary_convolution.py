"""Convolutions with residual-binarized kernels, as in BLU-Net (C. Zhang, MSc thesis, 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from tinyseg.zoo.blocks.residual_binarization import (
    check_levels,
    initial_gammas,
    residual_binarize,
)

# What it is mixed into; as a real base it would come before the layers in the order of methods.
if TYPE_CHECKING:
    from tf_keras.layers import Layer as _Layer
else:
    _Layer = object

_FIT_ROUNDS = 20
_registered = keras.utils.register_keras_serializable(package="tinyseg")


class ResidualBinaryKernels(_Layer):
    """What the convolutions share; mixed into a Keras layer that owns float32 latent kernels.

    Training moves the latent kernels and the gammas; every call sees the binarized kernels. The
    bias is added as it is. Weights are in the order of the Keras layer, then the gammas.

    Attributes:
        kernel_levels: number of levels by kernel, ``kernel``, or ``depthwise_kernel`` and
            ``pointwise_kernel``.
        per_channel: whether every output channel has gammas of its own, which BLU-Net's have not.
    """

    kernel_levels: dict[str, int]
    per_channel: bool

    def build(self, input_shape: tf.TensorShape) -> None:
        """Create the kernels, the bias and the gammas ``(levels,)`` or ``(levels, channels)``.

        A depthwise kernel has its channels in two dimensions: ``(levels, inputs, multiplier)``.
        """
        super().build(input_shape)
        for name, levels in self.kernel_levels.items():
            gammas = name.replace("kernel", "gammas")
            shape = (levels, *getattr(self, name).shape[self._shared_axes(name) :])
            setattr(self, gammas, self.add_weight(gammas, shape, initializer=initial_gammas))

    def _shared_axes(self, name: str) -> int:
        """Return how many leading axes of a kernel share a gamma."""
        if not self.per_channel:
            return 4
        return 2 if name == "depthwise_kernel" else 3

    def fit_gammas(self) -> None:
        """Set the gammas to what suits the latent kernels, such as those of a trained net.

        They start as the mean magnitude of their level's residual (M. Rastegari et al.,
        "XNOR-Net", 2016, arXiv:1603.05279, level by level), then signs and the gammas of least
        squared error for them are found in turn. ReBNet's initial values do not look at the
        kernels.
        """
        for name in self.kernel_levels:
            gammas, kernel = getattr(self, name.replace("kernel", "gammas")), getattr(self, name)
            axes = self._shared_axes(name)
            columns = kernel.numpy().reshape(np.prod(kernel.shape[:axes], dtype=int), -1)
            fitted = np.stack([_fit_gammas(c, gammas.shape[0]) for c in columns.T], axis=1)
            gammas.assign(fitted.reshape(gammas.shape))

    def binarize(self, name: str) -> tf.Tensor:
        """Return a kernel as the convolution uses it; ``name`` is a key of ``kernel_levels``."""
        return residual_binarize(
            tf.convert_to_tensor(getattr(self, name)),
            tf.convert_to_tensor(getattr(self, name.replace("kernel", "gammas"))),
        )

    def binarized_kernels(self) -> dict[str, np.ndarray]:
        """Return the kernels as the convolution uses them, float32, by ``kernel_levels``' keys."""
        return {name: self.binarize(name).numpy() for name in self.kernel_levels}

    def finish(self, outputs: tf.Tensor) -> tf.Tensor:
        """Add the bias and apply the activation."""
        if self.use_bias:
            outputs = keras.backend.bias_add(outputs, self.bias, self.data_format)
        return outputs if self.activation is None else self.activation(outputs)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        levels = {
            name.replace("kernel", "levels"): levels for name, levels in self.kernel_levels.items()
        }
        return {**super().get_config(), **levels, "per_channel": self.per_channel}


def fit_gammas(model: keras.Model) -> None:
    """Fit the gammas of every binarized kernel of a network.

    With the initial gammas random kernels take two values; like this they take all, as trained
    ones do.
    """
    for layer in model.layers:
        if isinstance(layer, ResidualBinaryKernels):
            layer.fit_gammas()


def _fit_gammas(weights: np.ndarray, levels: int) -> np.ndarray:
    """Return gammas ``(levels,)`` for the residual signs of weights that share them."""

    def signs(gammas: np.ndarray) -> np.ndarray:
        residual, columns = weights.astype(np.float64), []
        for gamma in gammas:
            columns.append(np.where(residual >= 0, 1.0, -1.0))
            residual = residual - gamma * columns[-1]
        return np.stack(columns, axis=1)

    def error(gammas: np.ndarray) -> float:
        return float(np.square(signs(gammas) @ gammas - weights).sum())

    residual, start = weights.astype(np.float64), []
    for _ in range(levels):
        start.append(np.abs(residual).mean())
        residual = residual - start[-1] * np.where(residual >= 0, 1.0, -1.0)
    best = np.asarray(start)
    for _ in range(_FIT_ROUNDS):
        solved = np.linalg.lstsq(signs(best), weights, rcond=None)[0]
        # Largest first: the order in which signs are taken.
        candidate = np.sort(np.abs(solved))[::-1]
        if error(candidate) >= error(best):
            break
        best = candidate
    return best.astype(np.float32)


@_registered
class ResidualBinaryConv2D(ResidualBinaryKernels, keras.layers.Conv2D):
    """``Conv2D`` with a residual-binarized kernel; SAME padding adds zeros, which no level has.

    Args:
        filters, kernel_size: as of ``Conv2D``, and so are its other arguments.
        levels: of the kernel ``(height, width, inputs, filters)``.
        per_channel: gammas of their own for each filter.

    Raises:
        InputError: levels below 1.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        *,
        levels: int = 3,
        per_channel: bool = False,
        **kwargs: Any,
    ):
        super().__init__(filters, kernel_size, **kwargs)
        check_levels(self, levels=levels)
        self.kernel_levels = {"kernel": levels}
        self.per_channel = per_channel

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Convolve ``(batch, height, width, inputs)``."""
        return self.finish(self.convolution_op(inputs, self.binarize("kernel")))


@_registered
class ResidualBinaryDepthwiseConv2D(ResidualBinaryKernels, keras.layers.DepthwiseConv2D):
    """``DepthwiseConv2D`` with a residual-binarized kernel.

    Args:
        kernel_size: as of ``DepthwiseConv2D``, and so are its other arguments.
        depthwise_levels: of the kernel ``(height, width, inputs, multiplier)``.
        per_channel: gammas of their own for each output channel.

    Raises:
        InputError: levels below 1.
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        *,
        depthwise_levels: int = 3,
        per_channel: bool = False,
        **kwargs: Any,
    ):
        super().__init__(kernel_size, **kwargs)
        check_levels(self, depthwise_levels=depthwise_levels)
        self.kernel_levels = {"depthwise_kernel": depthwise_levels}
        self.per_channel = per_channel

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Convolve ``(batch, height, width, inputs)`` channel by channel."""
        outputs = keras.backend.depthwise_conv2d(
            inputs,
            self.binarize("depthwise_kernel"),
            self.strides,
            self.padding,
            self.data_format,
            self.dilation_rate,
        )
        return self.finish(outputs)


@_registered
class ResidualBinarySeparableConv2D(ResidualBinaryKernels, keras.layers.SeparableConv2D):
    """``SeparableConv2D`` with two residual-binarized kernels.

    As in BLU-Net, what the depthwise kernel gives is not binarized before the pointwise one.

    Args:
        filters, kernel_size: as of ``SeparableConv2D``, and so are its other arguments.
        depthwise_levels: of the kernel ``(height, width, inputs, multiplier)``.
        pointwise_levels: of the kernel ``(1, 1, inputs * multiplier, filters)``.
        per_channel: gammas of their own for each output channel of either kernel.

    Raises:
        InputError: levels below 1.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        *,
        depthwise_levels: int = 3,
        pointwise_levels: int = 3,
        per_channel: bool = False,
        **kwargs: Any,
    ):
        super().__init__(filters, kernel_size, **kwargs)
        check_levels(self, depthwise_levels=depthwise_levels, pointwise_levels=pointwise_levels)
        self.kernel_levels = {
            "depthwise_kernel": depthwise_levels,
            "pointwise_kernel": pointwise_levels,
        }
        self.per_channel = per_channel

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Convolve ``(batch, height, width, inputs)``, first by channel, then by pixel."""
        outputs = keras.backend.separable_conv2d(
            inputs,
            self.binarize("depthwise_kernel"),
            self.binarize("pointwise_kernel"),
            self.strides,
            self.padding,
            self.data_format,
            self.dilation_rate,
        )
        return self.finish(outputs)
