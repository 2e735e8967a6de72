"""Convolution blocks shared by the U-Net family."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tf_keras as keras


def depthwise_initializer(x: keras.KerasTensor) -> keras.initializers.Initializer:
    """Return an initializer of depthwise kernels that keeps the variance of the features x.

    Keras counts all channels into the fan-in of a depthwise kernel, though each output sees one;
    with its He initialization features fade away layer by layer.
    """
    return keras.initializers.VarianceScaling(x.shape[-1], "fan_in")


def same_conv(
    x: keras.KerasTensor,
    filters: int,
    kernel_size: int = 3,
    *,
    name: str,
    separable: bool = False,
    strides: int = 1,
    activation: str | None = "relu",
) -> keras.KerasTensor:
    """Apply a SAME convolution with bias, ordinary or depthwise separable.

    The separable form is Keras' ``SeparableConv2D``: a depthwise convolution without
    bias or activation, then a pointwise one with both (Chollet, Xception, 2017).

    Args:
        x: feature map ``(batch, height, width, channels)``.
        filters: output channels.
        kernel_size: side of the square kernel in pixels.
        name: layer name; it becomes the operator's name in the ``.tflite`` file.
        separable: use a depthwise separable convolution.
        strides: step in pixels in both directions.
        activation: fused activation, or None.

    Returns:
        Feature map ``(batch, ceil(height / strides), ceil(width / strides), filters)``.
    """
    settings = {"strides": strides, "activation": activation, "name": name}
    return _convolution(x, filters, kernel_size, separable, settings)


def normalized_conv(
    x: keras.KerasTensor,
    filters: int,
    kernel_size: int = 3,
    *,
    name: str,
    separable: bool = False,
) -> keras.KerasTensor:
    """Apply :func:`same_conv` with a batch normalization in place of the bias, then ReLU.

    Args:
        x, filters, kernel_size, name, separable: as of :func:`same_conv`.

    Returns:
        Feature map ``(batch, height, width, filters)``.
    """
    x = _convolution(x, filters, kernel_size, separable, {"use_bias": False, "name": name})
    # Moving averages of about 30 batches: small sets of images make few.
    x = keras.layers.BatchNormalization(momentum=0.97, epsilon=1e-3, name=f"{name}_norm")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)


def _convolution(
    x: keras.KerasTensor,
    filters: int,
    kernel_size: int,
    separable: bool,
    settings: Mapping[str, Any],
) -> keras.KerasTensor:
    if separable:
        layer = keras.layers.SeparableConv2D(
            filters,
            kernel_size,
            padding="same",
            depthwise_initializer=depthwise_initializer(x),
            pointwise_initializer="he_normal",
            **settings,
        )
    else:
        layer = keras.layers.Conv2D(
            filters, kernel_size, padding="same", kernel_initializer="he_normal", **settings
        )
    return layer(x)


def double_conv(
    x: keras.KerasTensor,
    filters: int,
    *,
    name: str,
    separable: bool = False,
    dropout: float = 0.0,
) -> keras.KerasTensor:
    """Apply two 3x3 convolutions with ReLU and dropout between them.

    Args:
        x: feature map ``(batch, height, width, channels)``.
        filters: output channels of both convolutions.
        name: prefix of the layer names.
        separable: use depthwise separable convolutions.
        dropout: rate in [0, 1) between the convolutions; 0 adds no layer.

    Returns:
        Feature map ``(batch, height, width, filters)``.
    """
    x = same_conv(x, filters, name=f"{name}_conv1", separable=separable)
    if dropout:
        x = keras.layers.Dropout(dropout, name=f"{name}_dropout")(x)
    return same_conv(x, filters, name=f"{name}_conv2", separable=separable)


def mask_head(x: keras.KerasTensor, classes: int, kernel_size: int = 1) -> keras.KerasTensor:
    """Turn features into one probability map a class.

    Args:
        x: feature map ``(batch, height, width, channels)``.
        classes: number of maps.
        kernel_size: side of the square kernel in pixels.

    Returns:
        Probabilities ``(batch, height, width, classes)``, float32 under mixed precision too.
    """
    return keras.layers.Conv2D(
        classes,
        kernel_size,
        padding="same",
        activation="sigmoid",
        kernel_initializer="he_normal",
        dtype="float32",
        name="mask",
    )(x)
