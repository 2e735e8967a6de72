"""The brain tumour project's AlexNet for small images."""

from __future__ import annotations

import tf_keras as keras

from tinyseg.zoo.blocks.arguments import check_image, scaled
from tinyseg.zoo.blocks.classification import dense, label_head

# Filters, kernel side, stride, padding, and whether a 2x2 pooling follows.
_STAGES = (
    (96, 9, 4, "valid", True),
    (256, 5, 1, "valid", True),
    (384, 3, 1, "same", False),
    (384, 3, 1, "same", False),
    (256, 3, 1, "same", True),
)
_UNITS = (512, 512, 128)
_WIDTH, _SMALLEST = _STAGES[0][0], 69


def alexnet(
    input_shape: tuple[int, int, int] = (128, 128, 3),
    base_width: int = 96,
    classes: int = 4,
    name: str = "alexnet",
) -> keras.Model:
    """Build the AlexNet of M. Tallone's deep-learning-project (2024), there AlexNet_128.

    After A. Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural
    Networks", 2012, with a smaller first kernel and narrower dense layers, without dropout. At
    128 x 128 x 3 it has 4,589,316 parameters.

    Args:
        input_shape: height, width, channels; the sides are at least 69.
        base_width: filters of the first stage; the other widths keep their proportion to it.
        classes: number of classes, at least 2, of which an image has one.
        name: of the model.

    Returns:
        Model from images float32 ``(batch, height, width, channels)`` to probabilities float32
        ``(batch, classes)``.

    Raises:
        ValueError: an argument is out of range.
    """
    check_image(input_shape, _SMALLEST, base_width, classes)
    x = image = keras.Input(input_shape, name="image")
    for stage, (filters, kernel_size, strides, padding, pooled) in enumerate(_STAGES, start=1):
        x = keras.layers.Conv2D(
            scaled(filters, base_width, _WIDTH),
            kernel_size,
            strides=strides,
            padding=padding,
            activation="relu",
            kernel_initializer="he_normal",
            name=f"stage{stage}_conv",
        )(x)
        if pooled:
            x = keras.layers.MaxPooling2D(2, name=f"stage{stage}_pool")(x)
    for layer, units in enumerate(_UNITS, start=1):
        units = scaled(units, base_width, _WIDTH)
        x = dense(x, units, activation="relu", name=f"dense{layer}")
    return keras.Model(image, label_head(x, classes), name=name)
