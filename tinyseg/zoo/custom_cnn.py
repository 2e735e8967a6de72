"""The brain tumour project's custom classification network."""

from __future__ import annotations

import tf_keras as keras

from tinyseg.zoo.blocks.arguments import check_image, check_rate, scaled
from tinyseg.zoo.blocks.classification import dense, label_head
from tinyseg.zoo.blocks.deployment import activate

# Filters, kernel side, stride, padding, and whether a 2x2 pooling follows.
_STAGES = (
    (96, 9, 4, "valid", True),
    (256, 5, 1, "valid", True),
    (384, 3, 1, "same", False),
    (256, 3, 1, "same", True),
)
_UNITS = (512, 128)
_WIDTH, _SMALLEST = _STAGES[0][0], 69


def custom_cnn(
    input_shape: tuple[int, int, int] = (128, 128, 3),
    base_width: int = 96,
    classes: int = 4,
    dropout: float = 0.4,
    deployable: bool = True,
    name: str = "custom_cnn",
) -> keras.Model:
    """Build the network that M. Tallone's deep-learning-project (2024) calls CustomCNN.

    Batch normalization and Mish after each of four convolutions, then three dense layers. At
    128 x 128 x 3 it has 3,001,156 trainable parameters.

    Args:
        input_shape: height, width, channels; the sides are at least 69.
        base_width: filters of the first stage; the other widths keep their proportion to it.
        classes: number of classes, at least 2, of which an image has one.
        dropout: rate in [0, 1) after the hidden dense layers.
        deployable: ReLU instead of Mish.
        name: of the model.

    Returns:
        Model from images float32 ``(batch, height, width, channels)`` to probabilities float32
        ``(batch, classes)``.

    Raises:
        ValueError: an argument is out of range.
    """
    check_image(input_shape, _SMALLEST, base_width, classes)
    check_rate(dropout)
    x = image = keras.Input(input_shape, name="image")
    for stage, (filters, kernel_size, strides, padding, pooled) in enumerate(_STAGES, start=1):
        x = keras.layers.Conv2D(
            scaled(filters, base_width, _WIDTH),
            kernel_size,
            strides=strides,
            padding=padding,
            kernel_initializer="he_normal",
            name=f"stage{stage}_conv",
        )(x)
        x = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"stage{stage}_norm")(
            x
        )
        x = activate(x, "mish", deployable=deployable, name=f"stage{stage}_activation")
        if pooled:
            x = keras.layers.MaxPooling2D(2, name=f"stage{stage}_pool")(x)
    for layer, units in enumerate(_UNITS, start=1):
        x = dense(
            x,
            scaled(units, base_width, _WIDTH),
            activation="mish",
            deployable=deployable,
            dropout=dropout,
            name=f"dense{layer}",
        )
    return keras.Model(image, label_head(x, classes), name=name)
