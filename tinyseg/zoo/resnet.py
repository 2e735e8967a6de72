"""Residual networks of 50 and 101 layers, made for transfer learning."""

from __future__ import annotations

from collections.abc import Sequence

import tf_keras as keras

from tinyseg.zoo.blocks.arguments import check_image
from tinyseg.zoo.blocks.classification import label_head


def resnet50(
    input_shape: tuple[int, int, int] = (224, 224, 3),
    base_width: int = 64,
    classes: int = 3,
    name: str = "resnet50",
) -> keras.Model:
    """Build ResNet-50 (K. He et al., 2015, arXiv:1512.03385).

    Layers have the names and weights of Keras Applications, whose files without top can be
    loaded, see :mod:`tinyseg.zoo.pretrained`.

    Args:
        input_shape: height, width, channels; the sides are at least 32.
        base_width: filters of the first stage; the other widths keep their proportion to it.
        classes: number of classes, at least 2, of which an image has one.
        name: of the model.

    Returns:
        Model from images float32 ``(batch, height, width, channels)`` to probabilities float32
        ``(batch, classes)``.

    Raises:
        ValueError: an argument is out of range.
    """
    return _resnet(input_shape, base_width, classes, name, blocks=(3, 4, 6, 3))


def resnet101(
    input_shape: tuple[int, int, int] = (224, 224, 3),
    base_width: int = 64,
    classes: int = 3,
    name: str = "resnet101",
) -> keras.Model:
    """Build ResNet-101 (K. He et al., 2015, arXiv:1512.03385).

    Args:
        input_shape, base_width, classes, name: as of :func:`resnet50`.

    Returns:
        Model as of :func:`resnet50`.

    Raises:
        ValueError: an argument is out of range.
    """
    return _resnet(input_shape, base_width, classes, name, blocks=(3, 4, 23, 3))


def _resnet(
    input_shape: tuple[int, int, int],
    base_width: int,
    classes: int,
    name: str,
    *,
    blocks: Sequence[int],
) -> keras.Model:
    check_image(input_shape, 32, base_width, classes)
    image = keras.Input(input_shape, name="image")
    x = keras.layers.ZeroPadding2D(3, name="conv1_pad")(image)
    x = _conv(x, base_width, 7, "conv1_conv", "conv1_bn", strides=2, padding="valid")
    x = keras.layers.ReLU(name="conv1_relu")(x)
    x = keras.layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = keras.layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for stage, count in enumerate(blocks):
        for block in range(count):
            x = _bottleneck(
                x,
                base_width * 2**stage,
                strides=2 if stage and not block else 1,
                project=not block,
                name=f"conv{stage + 2}_block{block + 1}",
            )
    x = keras.layers.GlobalAveragePooling2D(keepdims=True, name="avg_pool")(x)
    return keras.Model(image, label_head(x, classes), name=name)


def _bottleneck(
    x: keras.KerasTensor, filters: int, *, strides: int, project: bool, name: str
) -> keras.KerasTensor:
    """Narrow, convolve, widen to ``4 * filters``, and add the input or a projection of it."""
    shortcut = x
    if project:
        shortcut = _conv(x, 4 * filters, 1, f"{name}_0_conv", f"{name}_0_bn", strides=strides)
    x = _conv(x, filters, 1, f"{name}_1_conv", f"{name}_1_bn", strides=strides)
    x = keras.layers.ReLU(name=f"{name}_1_relu")(x)
    x = _conv(x, filters, 3, f"{name}_2_conv", f"{name}_2_bn")
    x = keras.layers.ReLU(name=f"{name}_2_relu")(x)
    x = _conv(x, 4 * filters, 1, f"{name}_3_conv", f"{name}_3_bn")
    x = keras.layers.Add(name=f"{name}_add")([shortcut, x])
    return keras.layers.ReLU(name=f"{name}_out")(x)


def _conv(
    x: keras.KerasTensor,
    filters: int,
    kernel_size: int,
    name: str,
    norm: str,
    *,
    strides: int = 1,
    padding: str = "same",
) -> keras.KerasTensor:
    x = keras.layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding=padding,
        kernel_initializer="he_normal",
        name=name,
    )(x)
    return keras.layers.BatchNormalization(epsilon=1.001e-5, name=norm)(x)
