"""A U-Net whose encoder was trained on photographs."""

from __future__ import annotations

import tf_keras as keras

from tinyseg.zoo.blocks import mask_head
from tinyseg.zoo.blocks.arguments import check_sizes
from tinyseg.zoo.blocks.convolution import depthwise_initializer
from tinyseg.zoo.blocks.encoders import ENCODERS

_DEPTH = 4


def encoder_unet(
    input_shape: tuple[int, int, int] = (128, 128, 1),
    encoder: str = "mobilenet_v1_025",
    decoder_width: int = 8,
    classes: int = 1,
    name: str = "encoder_unet",
) -> keras.Model:
    """Build a U-Net on the encoder of a classification network, with batch normalization.

    The first convolution halves the image at once, so the network is quick for the size of its
    input; the mask has the size of the image. The decoder's stages are a nearest upsampling, the
    encoder's map of that size beside it, and a depthwise separable convolution, of 4, 3 and 2
    times the decoder's width; a last upsampling at that width leads to the mask. The encoder's
    weights can be published ones, see :mod:`tinyseg.zoo.encoder_weights`.

    Args:
        input_shape: height, width, channels; the sides are multiples of 16.
        encoder: a name of :data:`tinyseg.zoo.blocks.encoders.ENCODERS`.
        decoder_width: filters of the decoder's last stage.
        classes: output channels, each an independent sigmoid (labels may overlap).
        name: of the model.

    Returns:
        Model from images float32 ``(batch, height, width, channels)`` in [0, 1] to probabilities
        float32 ``(batch, height, width, classes)``.

    Raises:
        ValueError: an argument is out of range.
    """
    check_sizes(input_shape, decoder_width, _DEPTH, classes, "decoder_width")
    if encoder not in ENCODERS:
        raise ValueError(f"encoder must be {' or '.join(ENCODERS)}, not {encoder}")
    image = keras.Input(input_shape, name="image")
    *skips, x = ENCODERS[encoder](image)
    for level, (skip, factor) in enumerate(zip(reversed(skips), (4, 3, 2), strict=True), start=1):
        # As narrow as what follows, before it is enlarged.
        width = decoder_width * (1 if level == len(skips) else factor)
        x = _pointwise(x, width, f"decoder{level}_narrow")
        x = _enlarge(x, f"decoder{level}_resize")
        x = keras.layers.Concatenate(name=f"decoder{level}_concat")([skip, x])
        layer = keras.layers.DepthwiseConv2D(
            3,
            padding="same",
            use_bias=False,
            depthwise_initializer=depthwise_initializer(x),
            name=f"decoder{level}_depthwise",
        )
        x = _pointwise(layer(x), factor * decoder_width, f"decoder{level}_pointwise")
    x = _pointwise(x, decoder_width, f"decoder{_DEPTH}_narrow")
    x = _enlarge(x, f"decoder{_DEPTH}_resize")
    return keras.Model(image, mask_head(x, classes, 3), name=name)


def _enlarge(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return keras.layers.UpSampling2D(2, interpolation="nearest", name=name)(x)


def _pointwise(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    x = keras.layers.Conv2D(filters, 1, use_bias=False, kernel_initializer="he_normal", name=name)(
        x
    )
    x = keras.layers.BatchNormalization(momentum=0.97, epsilon=1e-3, name=f"{name}_norm")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)
