"""BLU-Net: the lightweight U-Net with residual-binarized kernels and activations."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import tf_keras as keras

from tinyseg.zoo.blocks.convolution import depthwise_initializer
from tinyseg.zoo.blocks.residual_binarization import ResidualSign
from tinyseg.zoo.blocks.residual_binary_convolution import (
    ResidualBinaryConv2D,
    ResidualBinarySeparableConv2D,
)
from tinyseg.zoo.unet import in_first_stage, u_shape


@dataclasses.dataclass(frozen=True)
class _Layers:
    """Makes layers in the place of ordinary ones; attributes as of :func:`blu_net`."""

    conv_levels: int
    depthwise_levels: int
    pointwise_levels: int
    activation_levels: int
    per_channel: bool
    positive: bool
    separable: bool

    def conv(
        self, x: keras.KerasTensor, filters: int, kernel_size: int = 3, *, name: str
    ) -> keras.KerasTensor:
        """Convolve, then binarize."""
        if not self.separable or in_first_stage(name):
            layer = ResidualBinaryConv2D(
                filters,
                kernel_size,
                padding="same",
                kernel_initializer="he_normal",
                levels=self.conv_levels,
                per_channel=self.per_channel,
                name=name,
            )
        else:
            layer = ResidualBinarySeparableConv2D(
                filters,
                kernel_size,
                padding="same",
                depthwise_initializer=depthwise_initializer(x),
                pointwise_initializer="he_normal",
                depthwise_levels=self.depthwise_levels,
                pointwise_levels=self.pointwise_levels,
                per_channel=self.per_channel,
                name=name,
            )
        return ResidualSign(self.activation_levels, self.positive, name=f"{name}_sign")(layer(x))

    def head(self, x: keras.KerasTensor, classes: int) -> keras.KerasTensor:
        """Return the probabilities."""
        layer = ResidualBinaryConv2D(
            classes,
            1,
            activation="sigmoid",
            kernel_initializer="he_normal",
            levels=self.conv_levels,
            per_channel=self.per_channel,
            dtype="float32",
            name="mask",
        )
        return layer(x)


def blu_net(
    input_shape: tuple[int, int, int] = (256, 256, 1),
    base_width: int = 64,
    depth: int = 4,
    classes: int = 1,
    dropout: float | Sequence[float] = 0.0,
    conv_levels: int = 3,
    depthwise_levels: int = 3,
    pointwise_levels: int = 3,
    activation_levels: int = 3,
    per_channel: bool = False,
    positive: bool = False,
    separable: bool = True,
    name: str = "blu_net",
) -> keras.Model:
    """Build :func:`tinyseg.zoo.unet.lw_unet` with binarized kernels, signs instead of ReLU.

    As in C. Zhang's MSc thesis (2022). Kernels are float32 while they are trained; of each
    element ``levels`` bits remain, see :mod:`tinyseg.zoo.blocks.residual_binarization`. The
    first convolution sees the image as it is. With one input channel and three levels everywhere
    it has 11,780,352 bits and 7,044 float parameters.

    A layer has the name, and in front of its gammas the weights, of its counterpart in
    ``lw_unet``, and is followed by an activation layer ``..._sign``. Only the output layer is
    not: it has a sigmoid.

    Args:
        input_shape, base_width, depth, classes, dropout: as of :func:`tinyseg.zoo.unet.unet`.
        conv_levels: of the ordinary kernels, those of the first stage and the output.
        depthwise_levels: of the depthwise kernels.
        pointwise_levels: of the pointwise kernels.
        activation_levels: of the activations.
        per_channel: gammas for each output channel of a kernel; BLU-Net has them for the whole.
        positive: activations from zero up instead of around it, see :class:`ResidualSign`;
            BLU-Net's are around it.
        separable: whether convolutions beyond the first stage are. Ordinary ones make it the
            counterpart of :func:`tinyseg.zoo.unet.unet`; with one level everywhere they are
            products of signs alone.
        name: of the model.

    Returns:
        Model from images float32 ``(batch, height, width, channels)`` to probabilities float32
        ``(batch, height, width, classes)``.

    Raises:
        ValueError: an argument is out of range.
        InputError: a number of levels is below 1.
    """
    layers = _Layers(
        conv_levels,
        depthwise_levels,
        pointwise_levels,
        activation_levels,
        per_channel,
        positive,
        separable,
    )
    return u_shape(
        input_shape, base_width, depth, classes, dropout, name, conv=layers.conv, head=layers.head
    )
