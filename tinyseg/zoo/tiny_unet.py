"""TinyU-Net: a U-Net of cascaded multi-receptive fields."""

from __future__ import annotations

import tf_keras as keras

from tinyseg.zoo.blocks import mask_head
from tinyseg.zoo.blocks.arguments import check_sizes
from tinyseg.zoo.blocks.convolution import depthwise_initializer
from tinyseg.zoo.blocks.deployment import activate, upsample


def tiny_unet(
    input_shape: tuple[int, int, int] = (256, 256, 3),
    base_width: int = 64,
    depth: int = 4,
    classes: int = 1,
    receptive_fields: int = 8,
    deployable: bool = True,
    name: str = "tiny_unet",
) -> keras.Model:
    """Build TinyU-Net.

    J. Chen et al., "TinyU-Net: Lighter yet Better U-Net with Cascaded Multi-Receptive Fields",
    MICCAI 2024. There is no bottleneck: the last pooled map goes straight to the decoder. At one
    class it has 481,105 trainable parameters.

    Args:
        input_shape: height, width, channels; the sides are multiples of ``2**depth``.
        base_width: filters of the first stage, a multiple of ``2 * receptive_fields``; each
            further stage doubles them.
        depth: number of encoder stages, each followed by a pooling; at least 1.
        classes: output channels, each an independent sigmoid (labels may overlap).
        receptive_fields: the paper's N: a block's first convolution divides its filters by N,
            and N - 1 depthwise convolutions follow each other.
        deployable: ReLU and bilinear upsampling instead of the paper's GELU and bicubic one.
        name: of the model.

    Returns:
        Model from images float32 ``(batch, height, width, channels)`` to probabilities float32
        ``(batch, height, width, classes)``.

    Raises:
        ValueError: an argument is out of range.
    """
    check_sizes(input_shape, base_width, depth, classes)
    _check_division(base_width, receptive_fields)
    image = keras.Input(input_shape, name="image")
    x, skips = image, []
    for stage in range(depth):
        x = cascaded_receptive_fields(
            x,
            base_width * 2**stage,
            receptive_fields,
            deployable=deployable,
            name=f"encoder{stage + 1}",
        )
        skips.append(x)
        x = keras.layers.MaxPooling2D(2, name=f"encoder{stage + 1}_pool")(x)
    for stage, skip in enumerate(reversed(skips), start=1):
        x = upsample(x, "bicubic", deployable=deployable, name=f"decoder{stage}_upsample")
        x = keras.layers.Concatenate(name=f"decoder{stage}_concat")([x, skip])
        x = cascaded_receptive_fields(
            x, skip.shape[-1], receptive_fields, deployable=deployable, name=f"decoder{stage}"
        )
    return keras.Model(image, mask_head(x, classes), name=name)


def cascaded_receptive_fields(
    x: keras.KerasTensor, filters: int, receptive_fields: int, *, deployable: bool, name: str
) -> keras.KerasTensor:
    """Apply TinyU-Net's CMRF block.

    The paper splits the channels of the first convolution by parity. Here each half comes from a
    convolution of its own, ``odd`` from the filters 0, 2, 4, ... and ``even`` from 1, 3, 5, ...
    of the paper's one: the same weights and results, and no operator that splits.

    Args:
        x: feature map ``(batch, height, width, channels)``.
        filters: output channels, a multiple of ``2 * receptive_fields``.
        receptive_fields: the paper's N.
        deployable: ReLU instead of GELU.
        name: prefix of the layer names.

    Returns:
        Feature map ``(batch, height, width, filters)``.
    """

    def pointwise(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
        x = keras.layers.Conv2D(
            filters, 1, use_bias=False, kernel_initializer="he_normal", name=name
        )(x)
        return activate(_norm(x, name), "gelu", deployable=deployable, name=f"{name}_activation")

    skip = x
    half = filters // (2 * receptive_fields)
    odd, x = (pointwise(x, half, f"{name}_{part}") for part in ("odd", "even"))
    fields = [keras.layers.Add(name=f"{name}_sum")([odd, x])]
    for step in range(1, receptive_fields):
        layer = keras.layers.DepthwiseConv2D(
            3,
            padding="same",
            use_bias=False,
            depthwise_initializer=depthwise_initializer(x),
            name=f"{name}_field{step}",
        )
        x = _norm(layer(x), layer.name)
        fields.append(x)
    if len(fields) > 1:
        fields = [keras.layers.Concatenate(name=f"{name}_fields")(fields)]
    (x,) = fields
    x = pointwise(x, filters, f"{name}_mix")
    if skip.shape[-1] == filters:
        x = keras.layers.Add(name=f"{name}_shortcut")([x, skip])
    return x


def _norm(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return keras.layers.BatchNormalization(momentum=0.97, epsilon=1e-3, name=f"{name}_norm")(x)


def _check_division(base_width: int, receptive_fields: int) -> None:
    if receptive_fields < 1:
        raise ValueError(f"receptive_fields must be at least 1, not {receptive_fields}")
    step = 2 * receptive_fields
    if base_width % step:
        raise ValueError(
            f"base_width {base_width} must be divisible by {step} at {receptive_fields} "
            f"receptive_fields; use {-(-base_width // step) * step}"
        )
