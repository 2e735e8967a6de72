"""The brain tumour project's attention U-Net."""

from __future__ import annotations

import tf_keras as keras

from tinyseg.zoo.blocks import same_conv
from tinyseg.zoo.blocks.deployment import upsample
from tinyseg.zoo.improved_unet import added_u_shape


def brain_attention_unet(
    input_shape: tuple[int, int, int] = (240, 240, 4),
    base_width: int = 32,
    depth: int = 4,
    classes: int = 1,
    deployable: bool = True,
    name: str = "brain_attention_unet",
) -> keras.Model:
    """Build the attention U-Net of M. Tallone's deep-learning-project (2024).

    It is :func:`tinyseg.zoo.improved_unet.improved_unet` with a gate on every skip connection.
    With four input channels and three classes it has 3,258,263 trainable parameters, 843,319 at
    base width 16. The masks of the gates are the outputs of the layers ``attention..._psi``.

    Args:
        input_shape, base_width, depth, classes, deployable, name: as of ``improved_unet``.

    Returns:
        Model as of ``improved_unet``.

    Raises:
        ValueError: an argument is out of range.
    """

    def gate(decoder: keras.KerasTensor, skip: keras.KerasTensor, name: str) -> keras.KerasTensor:
        width = skip.shape[-1]
        query = same_conv(decoder, width, 1, name=f"{name}_gating", activation=None)
        key = same_conv(skip, width, 1, name=f"{name}_skip", strides=2, activation=None)
        x = keras.layers.Add(name=f"{name}_sum")([query, key])
        x = keras.layers.ReLU(name=f"{name}_relu")(x)
        x = same_conv(x, 1, 1, name=f"{name}_psi", activation="sigmoid")
        x = upsample(x, "align_corners", deployable=deployable, name=f"{name}_upsample")
        return keras.layers.Multiply(name=f"{name}_multiply")([x, skip])

    return added_u_shape(input_shape, base_width, depth, classes, deployable, name, gate=gate)
