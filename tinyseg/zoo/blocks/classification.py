"""Dense layers and the head of classification networks.

They are convolutions: TensorFlow Lite and TensorFlow Lite Micro round those alike, but not
FULLY_CONNECTED, which differs by one step in about one of a thousand outputs.
"""

from __future__ import annotations

import tf_keras as keras

from tinyseg.zoo.blocks.deployment import activate


def dense(
    x: keras.KerasTensor,
    units: int,
    *,
    name: str,
    activation: str | None = None,
    deployable: bool = True,
    dropout: float = 0.0,
) -> keras.KerasTensor:
    """Connect every value of a feature map with every unit.

    Args:
        x: feature map ``(batch, height, width, channels)``.
        units: number of outputs.
        name: of the layer.
        activation: ``relu``, one of :func:`tinyseg.zoo.blocks.deployment.activate`, or None.
        deployable: ReLU instead of activations that TensorFlow Lite Micro cannot run.
        dropout: rate in [0, 1) of the result; 0 adds no layer.

    Returns:
        ``(batch, 1, 1, units)``.
    """
    smooth = None if activation == "relu" else activation
    x = keras.layers.Conv2D(
        units,
        x.shape[1:3],
        activation=None if smooth else activation,
        kernel_initializer="he_normal",
        name=name,
    )(x)
    if smooth:
        x = activate(x, smooth, deployable=deployable, name=f"{name}_activation")
    return keras.layers.Dropout(dropout, name=f"{name}_dropout")(x) if dropout else x


def label_head(x: keras.KerasTensor, classes: int, *, dropout: float = 0.0) -> keras.KerasTensor:
    """Turn features into the probability of each class.

    Args:
        x: features ``(batch, height, width, channels)``.
        classes: number of classes, of which an image has one.
        dropout: rate in [0, 1) of the logits; 0 adds no layer.

    Returns:
        Probabilities ``(batch, classes)`` that sum to 1, float32 under mixed precision too.
    """
    x = dense(x, classes, name="logits", dropout=dropout)
    x = keras.layers.Reshape((classes,), name="logits_flat")(x)
    return keras.layers.Activation("softmax", dtype="float32", name="label")(x)
