"""Attention U-Net of edgeml-project, with ordinary or depthwise separable convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import tf_keras as keras

from tinyseg.zoo.blocks import attention_gate, double_conv, mask_head, oktay_gate, same_conv
from tinyseg.zoo.blocks.arguments import check_sizes, dropout_rates


def attention_unet(
    input_shape: tuple[int, int, int] = (256, 256, 3),
    base_width: int = 32,
    depth: int = 4,
    classes: int = 1,
    dropout: float | Sequence[float] | None = None,
    separable: bool = False,
    gate: str = "edgeml",
    deep_supervision: bool = False,
    name: str = "attention_unet",
) -> keras.Model:
    """Build a U-Net whose skip connections pass through attention gates.

    As in edgeml-project (O. Adel, 2024, after a Kaggle notebook by U. Saxena): no batch
    normalization outside the gates, transposed convolutions for upsampling, every skip gated.
    At 256 x 256 x 3 it has 10,983,941 parameters, 2,658,816 if separable. Gates and supervision
    of Oktay et al., "Attention U-Net", 2018 (arXiv:1804.03999) can be chosen instead; for the
    differences see :mod:`tinyseg.zoo.blocks.attention_gate`.

    Args:
        input_shape: height, width, channels; the sides are multiples of ``2**depth``.
        base_width: filters of the first stage; each further stage doubles them.
        depth: number of encoder stages, at least 1.
        classes: output channels, each an independent sigmoid (labels may overlap).
        dropout: rate in [0, 1) for all stages, or one for each of the ``2 * depth + 1`` from
            the input to the output, or None for the seed's: 0.1 in the outer half, 0.2 in the
            inner half, 0.3 in the bottleneck.
        separable: use depthwise separable convolutions except for upsampling and output.
        gate: ``edgeml``, or ``oktay`` for the paper's own, which leaves the finest skip ungated.
        deep_supervision: make the masks of the maps of all decoder stages, each resized to the
            input, as Oktay et al. do.
        name: of the model.

    Returns:
        Model from images float32 ``(batch, height, width, channels)`` to probabilities float32
        ``(batch, height, width, classes)``.

    Raises:
        ValueError: an argument is out of range.
    """
    check_sizes(input_shape, base_width, depth, classes)
    if gate not in ("edgeml", "oktay"):
        raise ValueError(f"gate is edgeml or oktay, not {gate}")
    rates = _dropout_rates(dropout, depth)
    image = keras.Input(input_shape, name="image")
    x, skips = _encode(image, base_width, rates[: depth + 1], separable)
    maps = _decode(x, skips, rates[depth + 1 :], separable, gate)
    x = _supervise(maps, classes) if deep_supervision else maps[-1]
    return keras.Model(image, mask_head(x, classes), name=name)


def _encode(
    image: keras.KerasTensor, base_width: int, rates: Sequence[float], separable: bool
) -> tuple[keras.KerasTensor, list[keras.KerasTensor]]:
    """Return the bottleneck's map and those of the stages, finest first."""
    x, skips = image, []
    for stage, rate in enumerate(rates[:-1]):
        name, filters = f"encoder{stage + 1}", base_width * 2**stage
        x = double_conv(x, filters, name=name, separable=separable, dropout=rate)
        skips.append(x)
        x = keras.layers.MaxPooling2D(2, name=f"{name}_pool")(x)
    filters = base_width * 2 ** len(skips)
    x = double_conv(x, filters, name="bottleneck", separable=separable, dropout=rates[-1])
    return x, skips


def _decode(
    x: keras.KerasTensor,
    skips: Sequence[keras.KerasTensor],
    rates: Sequence[float],
    separable: bool,
    gate: str,
) -> list[keras.KerasTensor]:
    """Return the maps of the stages, coarsest first."""
    maps = []
    for stage, (skip, rate) in enumerate(zip(reversed(skips), rates, strict=True), start=1):
        name, filters = f"decoder{stage}", skip.shape[-1]
        gated = skip
        if gate == "edgeml":
            gated = attention_gate(x, skip, name=f"attention{stage}", separable=separable)
        elif stage < len(skips):
            gated = oktay_gate(x, skip, name=f"attention{stage}")
        x = keras.layers.Conv2DTranspose(
            filters, 3, strides=2, padding="same", name=f"{name}_upsample"
        )(x)
        x = keras.layers.Concatenate(name=f"{name}_concat")([x, gated])
        x = double_conv(x, filters, name=name, separable=separable, dropout=rate)
        maps.append(x)
    return maps


def _supervise(maps: list[keras.KerasTensor], classes: int) -> keras.KerasTensor:
    """Return the class maps of all decoder stages, coarsest first, at the input's size."""
    sides = []
    for stage, x in enumerate(maps, start=1):
        x = same_conv(x, classes, 1, name=f"supervision{stage}", activation=None)
        if stage < len(maps):
            scale = 2 ** (len(maps) - stage)
            x = keras.layers.UpSampling2D(
                scale, interpolation="bilinear", name=f"supervision{stage}_upsample"
            )(x)
        sides.append(x)
    return keras.layers.Concatenate(name="supervision_concat")(sides) if sides[1:] else sides[0]


def _dropout_rates(dropout: float | Sequence[float] | None, depth: int) -> list[float]:
    if dropout is None:
        encoder = [0.1 if stage < depth / 2 else 0.2 for stage in range(depth)]
        return [*encoder, 0.3, *reversed(encoder)]
    return dropout_rates(dropout, depth)
