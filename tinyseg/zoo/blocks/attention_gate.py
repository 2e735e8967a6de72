"""Additive attention gates on a U-Net skip connection."""

from __future__ import annotations

import tf_keras as keras

from tinyseg.zoo.blocks.convolution import same_conv


def attention_gate(
    gating: keras.KerasTensor,
    skip: keras.KerasTensor,
    *,
    name: str,
    separable: bool = False,
) -> keras.KerasTensor:
    """Weigh a skip connection by a mask computed from the coarser decoder map.

    Follows the gate of edgeml-project, which differs from Oktay et al. (2018,
    arXiv:1804.03999) in its 3x3 kernels, the ReLU before the sum rather than after it,
    nearest instead of linear upsampling and the batch normalization of the product.

    Args:
        gating: decoder map ``(batch, height / 2, width / 2, any)``.
        skip: encoder map ``(batch, height, width, filters)``.
        name: prefix of the layer names.
        separable: use depthwise separable convolutions.

    Returns:
        Gated skip ``(batch, height, width, filters)``.
    """
    filters = skip.shape[-1]
    from_gating = same_conv(gating, filters, name=f"{name}_gating", separable=separable)
    from_skip = same_conv(skip, filters, name=f"{name}_skip", separable=separable, strides=2)
    x = keras.layers.Add(name=f"{name}_sum")([from_gating, from_skip])
    x = same_conv(x, 1, 1, name=f"{name}_psi", separable=separable, activation="sigmoid")
    x = keras.layers.UpSampling2D(2, interpolation="nearest", name=f"{name}_upsample")(x)
    x = keras.layers.Multiply(name=f"{name}_multiply")([x, skip])
    # The default 0.99 needs over a thousand steps before inference matches training.
    return keras.layers.BatchNormalization(momentum=0.95, name=f"{name}_norm")(x)


def oktay_gate(
    gating: keras.KerasTensor, skip: keras.KerasTensor, *, name: str
) -> keras.KerasTensor:
    """Weigh a skip connection as in the paper that introduced attention gates.

    O. Oktay et al., "Attention U-Net", 2018 (arXiv:1804.03999), in two dimensions: 1x1
    convolutions, the skip's with stride 2 to the coarser grid and without bias; ReLU after the
    sum; bilinear resampling of the mask. Gates begin nearly open.

    Args:
        gating: decoder map ``(batch, height / 2, width / 2, any)``.
        skip: encoder map ``(batch, height, width, filters)``.
        name: prefix of the layer names.

    Returns:
        Gated skip ``(batch, height, width, filters)``.
    """
    filters = skip.shape[-1]
    from_gating = same_conv(gating, filters, 1, name=f"{name}_gating", activation=None)
    from_skip = keras.layers.Conv2D(
        filters,
        1,
        strides=2,
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_skip",
    )(skip)
    x = keras.layers.Add(name=f"{name}_sum")([from_gating, from_skip])
    x = keras.layers.ReLU(name=f"{name}_relu")(x)
    # sigmoid(3) = 0.95.
    x = keras.layers.Conv2D(
        1,
        1,
        activation="sigmoid",
        bias_initializer=keras.initializers.Constant(3.0),
        name=f"{name}_psi",
    )(x)
    x = keras.layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_upsample")(x)
    return keras.layers.Multiply(name=f"{name}_multiply")([x, skip])
