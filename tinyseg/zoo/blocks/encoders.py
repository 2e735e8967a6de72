"""Encoders of networks that were trained on photographs, as far as a U-shaped network takes them.

Each returns its last feature map at a half, a quarter, an eighth and a sixteenth of the image's
sides. Layers are named by these levels, ``encoder1_`` to ``encoder3_`` and ``bottleneck_``; those
with weights come in the order of the published files, see :mod:`tinyseg.zoo.encoder_weights`.
"""

from __future__ import annotations

from collections.abc import Callable

import tf_keras as keras

from tinyseg.zoo.blocks.convolution import depthwise_initializer

# Of the published networks.
_EPSILON = 1e-3
_LEVELS = ("encoder1", "encoder2", "encoder3", "bottleneck")
# Filters and strides of MobileNet's blocks, a quarter as wide as the original.
_MOBILENET = ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), (128, 1))
# Kernel, stride, expansion, filters and repetitions of EfficientNet-Lite0's stages.
_EFFICIENTNET = ((3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3))
_EFFICIENTNET_LAST = (5, 1, 6, 112, 3)


def mobilenet_v1_025(image: keras.KerasTensor) -> list[keras.KerasTensor]:
    """Apply the first seven blocks of MobileNetV1 at a quarter of its width.

    A. Howard et al., "MobileNets", 2017 (arXiv:1704.04861), as MLPerf Tiny has it for visual wake
    words.

    Args:
        image: ``(batch, height, width, channels)``; the sides are multiples of 16.

    Returns:
        Maps of 16, 32, 64 and 128 channels at a half to a sixteenth of the sides.
    """
    x = _norm(_conv(image, 8, 3, 2, "encoder1_stem"), "encoder1_stem", "relu")
    level, maps = 0, []
    for number, (filters, stride) in enumerate(_MOBILENET, start=1):
        if stride == 2:
            maps.append(x)
            level += 1
        name = f"{_LEVELS[level]}_block{number}"
        x = _norm(_depthwise(x, 3, stride, f"{name}_depthwise"), f"{name}_depthwise", "relu")
        x = _norm(_conv(x, filters, 1, 1, f"{name}_pointwise"), f"{name}_pointwise", "relu")
    return [*maps, x]


def efficientnet_lite0(image: keras.KerasTensor) -> list[keras.KerasTensor]:
    """Apply the first eleven blocks of EfficientNet-Lite0.

    M. Tan and Q. Le, "EfficientNet", 2019 (arXiv:1905.11946), in the form without squeeze and
    excitation, with ReLU6, made for integers.

    Args:
        image: ``(batch, height, width, channels)``; the sides are multiples of 16.

    Returns:
        Maps of 16, 24, 40 and 112 channels at a half to a sixteenth of the sides.
    """
    x = _norm(_conv(image, 32, 3, 2, "encoder1_stem"), "encoder1_stem", "relu6")
    level, number, maps = 0, 0, []
    for size, stride, expansion, filters, count in (*_EFFICIENTNET, _EFFICIENTNET_LAST):
        if stride == 2:
            maps.append(x)
            level += 1
        for step in range(count):
            name = f"{_LEVELS[level]}_block{number}"
            x = _inverted(x, size, 1 if step else stride, (expansion, filters), name)
            number += 1
    return [*maps, x]


ENCODERS: dict[str, Callable[[keras.KerasTensor], list[keras.KerasTensor]]] = {
    "mobilenet_v1_025": mobilenet_v1_025,
    "efficientnet_lite0": efficientnet_lite0,
}


def _inverted(
    x: keras.KerasTensor, size: int, stride: int, widths: tuple[int, int], name: str
) -> keras.KerasTensor:
    """Widen, filter each channel, narrow, and add the input where it has the same shape."""
    expansion, filters = widths
    shortcut = x
    if expansion > 1:
        x = _conv(x, expansion * x.shape[-1], 1, 1, f"{name}_expand")
        x = _norm(x, f"{name}_expand", "relu6")
    x = _norm(_depthwise(x, size, stride, f"{name}_depthwise"), f"{name}_depthwise", "relu6")
    x = _norm(_conv(x, filters, 1, 1, f"{name}_project"), f"{name}_project", None)
    if stride == 1 and shortcut.shape[-1] == filters:
        x = keras.layers.Add(name=f"{name}_sum")([shortcut, x])
    return x


def _conv(
    x: keras.KerasTensor, filters: int, size: int, stride: int, name: str
) -> keras.KerasTensor:
    return keras.layers.Conv2D(
        filters,
        size,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(x)


def _depthwise(x: keras.KerasTensor, size: int, stride: int, name: str) -> keras.KerasTensor:
    return keras.layers.DepthwiseConv2D(
        size,
        strides=stride,
        padding="same",
        use_bias=False,
        depthwise_initializer=depthwise_initializer(x),
        name=name,
    )(x)


def _norm(x: keras.KerasTensor, name: str, activation: str | None) -> keras.KerasTensor:
    x = keras.layers.BatchNormalization(momentum=0.97, epsilon=_EPSILON, name=f"{name}_norm")(x)
    if activation is None:
        return x
    return keras.layers.ReLU(6.0 if activation == "relu6" else None, name=f"{name}_relu")(x)
