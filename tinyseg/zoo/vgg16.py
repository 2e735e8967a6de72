"""VGG16."""

from __future__ import annotations

import tf_keras as keras

from tinyseg.zoo.blocks import same_conv
from tinyseg.zoo.blocks.arguments import check_image, check_rate
from tinyseg.zoo.blocks.classification import dense, label_head

# Convolutions of each block, and their filters in units of the base width.
_BLOCKS = ((2, 1), (2, 2), (3, 4), (3, 8), (3, 8))
_UNITS = 64


def vgg16(
    input_shape: tuple[int, int, int] = (128, 128, 3),
    base_width: int = 64,
    classes: int = 4,
    dropout: float = 0.5,
    name: str = "vgg16",
) -> keras.Model:
    """Build configuration D of K. Simonyan and A. Zisserman, 2014 (arXiv:1409.1556).

    As M. Tallone's deep-learning-project (2024) has it, there VGG16_128: at 128 x 128 x 3 it has
    65,070,916 parameters, most of them in the first dense layer. The convolutions have the names
    of Keras Applications, whose weights without top it takes, see
    :mod:`tinyseg.zoo.pretrained`.

    Args:
        input_shape: height, width, channels; the sides are at least 32.
        base_width: filters of the first block; the other widths keep their proportion to it.
        classes: number of classes, at least 2, of which an image has one.
        dropout: rate in [0, 1) after the hidden dense layers.
        name: of the model.

    Returns:
        Model from images float32 ``(batch, height, width, channels)`` to probabilities float32
        ``(batch, classes)``.

    Raises:
        ValueError: an argument is out of range.
    """
    check_image(input_shape, 2 ** len(_BLOCKS), base_width, classes)
    check_rate(dropout)
    x = image = keras.Input(input_shape, name="image")
    for block, (convolutions, factor) in enumerate(_BLOCKS, start=1):
        for index in range(1, convolutions + 1):
            x = same_conv(x, factor * base_width, name=f"block{block}_conv{index}")
        x = keras.layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    for layer in (1, 2):
        x = dense(x, _UNITS * base_width, activation="relu", dropout=dropout, name=f"dense{layer}")
    return keras.Model(image, label_head(x, classes), name=name)
