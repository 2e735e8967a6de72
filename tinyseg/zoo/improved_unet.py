"""The brain tumour project's improved U-Net: inverted bottlenecks with large kernels."""

from __future__ import annotations

from typing import Protocol

import tf_keras as keras

from tinyseg.zoo.blocks import mask_head, same_conv
from tinyseg.zoo.blocks.arguments import check_sizes
from tinyseg.zoo.blocks.convolution import depthwise_initializer
from tinyseg.zoo.blocks.deployment import upsample


def improved_unet(
    input_shape: tuple[int, int, int] = (240, 240, 4),
    base_width: int = 32,
    depth: int = 4,
    classes: int = 1,
    deployable: bool = True,
    name: str = "improved_unet",
) -> keras.Model:
    """Build the improved U-Net of M. Tallone's deep-learning-project (2024).

    Its blocks are those of Z. Liu et al., "A ConvNet for the 2020s", 2022 (arXiv:2201.03545),
    with batch normalization and ReLU and without the shortcut. Skip connections are added, not
    concatenated. With four input channels and three classes it has 3,082,739 trainable
    parameters, 799,075 at base width 16.

    Args:
        input_shape: height, width, channels; the sides are multiples of ``2**depth``.
        base_width: filters of the first stage; each further stage doubles them.
        depth: number of encoder stages, each followed by a pooling; at least 1.
        classes: output channels, each an independent sigmoid (labels may overlap); the seed has
            three.
        deployable: upsampling with half-pixel centres, which quantization-aware training knows;
            the seed's keeps the corners in place.
        name: of the model.

    Returns:
        Model from images float32 ``(batch, height, width, channels)`` to probabilities float32
        ``(batch, height, width, classes)``.

    Raises:
        ValueError: an argument is out of range.
    """
    return added_u_shape(
        input_shape,
        base_width,
        depth,
        classes,
        deployable,
        name,
        gate=lambda decoder, skip, name: skip,
    )


class SkipGate(Protocol):
    """What a skip connection passes through."""

    def __call__(
        self, decoder: keras.KerasTensor, skip: keras.KerasTensor, name: str
    ) -> keras.KerasTensor:
        """Return the skip connection's ``(batch, height, width, filters)``, weighed.

        The decoder map, from before the upsampling, is ``(batch, height / 2, width / 2, filters)``.
        """


def added_u_shape(
    input_shape: tuple[int, int, int],
    base_width: int,
    depth: int,
    classes: int,
    deployable: bool,
    name: str,
    *,
    gate: SkipGate,
) -> keras.Model:
    """Build the graph that ``improved_unet`` and ``brain_attention_unet`` share.

    Args:
        input_shape, base_width, depth, classes, deployable, name: as of :func:`improved_unet`.
        gate: every skip connection's; the layers of stage n begin with ``attention{n}``.

    Returns:
        Model as of :func:`improved_unet`.
    """
    check_sizes(input_shape, base_width, depth, classes)
    image = keras.Input(input_shape, name="image")
    x, skips = image, []
    for stage in range(1, depth + 1):
        width = base_width * 2 ** (stage - 1)
        x = _double_bottleneck(x, 4 * width, width, f"encoder{stage}")
        skips.append(x)
        x = keras.layers.MaxPooling2D(2, name=f"encoder{stage}_pool")(x)
    x = _double_bottleneck(x, 4 * x.shape[-1], x.shape[-1], "bottleneck")
    for stage, skip in enumerate(reversed(skips), start=1):
        width = skip.shape[-1]
        kept = gate(x, skip, f"attention{stage}")
        x = upsample(x, "align_corners", deployable=deployable, name=f"decoder{stage}_upsample")
        x = keras.layers.Add(name=f"decoder{stage}_add")([x, kept])
        x = _double_bottleneck(x, 4 * width, max(width // 2, base_width), f"decoder{stage}")
    return keras.Model(image, mask_head(x, classes), name=name)


def _double_bottleneck(
    x: keras.KerasTensor, hidden: int, filters: int, name: str
) -> keras.KerasTensor:
    x = _inverted_bottleneck(x, hidden, filters, f"{name}_conv1")
    return _inverted_bottleneck(x, 4 * filters, filters, f"{name}_conv2")


def _inverted_bottleneck(
    x: keras.KerasTensor, hidden: int, filters: int, name: str
) -> keras.KerasTensor:
    """Look around with a 7x7 depthwise kernel, widen to ``hidden`` channels, narrow again."""
    x = keras.layers.DepthwiseConv2D(
        7, padding="same", depthwise_initializer=depthwise_initializer(x), name=f"{name}_depthwise"
    )(x)
    x = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_norm")(x)
    x = same_conv(x, hidden, 1, name=f"{name}_widen")
    return same_conv(x, filters, 1, name=f"{name}_narrow", activation=None)
