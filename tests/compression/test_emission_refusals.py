"""Networks of which no file of bits can be made."""

import pytest
import tf_keras as keras

from tests import fixtures
from tinyseg.compression.quantization_aware import quantization_aware
from tinyseg.errors import InputError
from tinyseg.zoo.blocks.residual_binarization import ResidualSign
from tinyseg.zoo.blocks.residual_binary_convolution import (
    ResidualBinaryConv2D,
)

SIDE = 16
IMAGES = fixtures.pictures(4, size=SIDE)


L = keras.layers


def first_and_sign(*between):
    image = keras.Input((SIDE, SIDE, 3))
    x = ResidualBinaryConv2D(4, 3, padding="same", name="first")(image)
    for layer in between:
        x = layer(x)
    return keras.Model(image, ResidualSign(2, name="lonely")(x))


def shared():
    image = keras.Input((SIDE, SIDE, 3))
    x = ResidualBinaryConv2D(4, 3, padding="same", name="first")(image)
    return keras.Model(image, L.Concatenate()([x, ResidualSign(2, name="lonely")(x)]))


@pytest.mark.parametrize(
    "build",
    [lambda: first_and_sign(L.MaxPooling2D(2)), lambda: first_and_sign(L.ReLU()), shared],
    ids=["pooling", "relu", "shared"],
)
def test_signs_that_follow_no_convolution_are_named(build):
    message = "^lonely: a residual sign must follow a convolution that nothing else uses$"
    with pytest.raises(InputError, match=message):
        quantization_aware(build(), IMAGES)
