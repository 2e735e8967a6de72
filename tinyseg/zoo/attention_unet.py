"""Attention U-Net of edgeml-project, with ordinary or depthwise separable convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import tf_keras as keras

from tinyseg.zoo.blocks import attention_gate, double_conv

DEPTH = 4


def attention_unet(
    input_shape: tuple[int, int, int] = (256, 256, 3),
    base_width: int = 32,
    depth: int = 4,
    classes: int = 1,
    dropout: float | Sequence[float] | None = None,
    separable: bool = False,
    name: str = "attention_unet",
) -> keras.Model:
    rates = _dropout_rates(dropout, depth)
    image = keras.Input(input_shape, name="image")
    x = image
    skips = []
    for stage in range(depth):
        skip = double_conv(
            x,
            base_width * 2**stage,
            name=f"encoder{stage + 1}",
            separable=separable,
            dropout=rates[stage],
        )
        skips.append(skip)
        x = keras.layers.MaxPooling2D(2, name=f"encoder{stage + 1}_pool")(skip)
    x = double_conv(x, base_width * 2**depth, name="bottleneck", separable=separable, dropout=rates[depth])
    for stage in range(depth):
        skip = skips.pop()
        filters = skip.shape[-1]
        gated = attention_gate(x, skip, name=f"attention{stage + 1}", separable=separable)
        x = keras.layers.Conv2DTranspose(filters, 3, strides=2, padding="same", name=f"decoder{stage + 1}_upsample")(x)
        x = keras.layers.Concatenate(name=f"decoder{stage + 1}_concat")([x, gated])
        x = double_conv(x, filters, name=f"decoder{stage + 1}", separable=separable, dropout=rates[depth + 1 + stage])
    mask = keras.layers.Conv2D(classes, 1, activation="sigmoid", name="mask")(x)
    return keras.Model(image, mask, name=name)

def _dropout_rates(dropout, depth):
    if dropout is None:
        down = [0.1 if stage < depth / 2 else 0.2 for stage in range(depth)]
        return [*down, 0.3, *reversed(down)]
    if isinstance(dropout, (int, float)):
        return [float(dropout)] * (2 * depth + 1)
    return list(dropout)
