"""The brain tumour project's vision transformer."""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras

from tinyseg.zoo.blocks import same_conv
from tinyseg.zoo.blocks.arguments import check_image, check_rate
from tinyseg.zoo.blocks.attention import DotProductAttention
from tinyseg.zoo.blocks.classification import label_head

_EPSILON = 1e-5


def vit(
    input_shape: tuple[int, int, int] = (128, 128, 3),
    base_width: int = 512,
    depth: int = 10,
    heads: int = 8,
    hidden_width: int = 1024,
    patch_size: int = 16,
    classes: int = 4,
    dropout: float = 0.2,
    name: str = "vit",
) -> keras.Model:
    """Build the vision transformer of M. Tallone's deep-learning-project (2024).

    After A. Dosovitskiy et al., "An Image is Worth 16x16 Words", 2020 (arXiv:2010.11929), with
    the encoder of A. Vaswani et al., 2017 (arXiv:1706.03762), which normalizes after each sum,
    and around each encoder layer another sum and a normalization that all layers share. At
    128 x 128 x 3 it has 21,459,460 parameters.

    Args:
        input_shape: height, width, channels; the sides are multiples of ``patch_size``.
        base_width: features of a token, a multiple of ``heads``.
        depth: number of encoder layers, at least 1.
        heads: of the attention.
        hidden_width: features between the two dense layers of an encoder layer.
        patch_size: side of the square patches that become tokens, in pixels.
        classes: number of classes, at least 2, of which an image has one.
        dropout: rate in [0, 1) after the embedding, each part of a layer, and the logits.
        name: of the model.

    Returns:
        Model from images float32 ``(batch, height, width, channels)`` to probabilities float32
        ``(batch, classes)``.

    Raises:
        ValueError: an argument is out of range.
    """
    check_image(input_shape, patch_size, base_width, classes)
    check_rate(dropout)
    _check_tokens(input_shape, base_width, depth, heads, hidden_width, patch_size)
    image = keras.Input(input_shape, name="image")
    x = keras.layers.Conv2D(base_width, patch_size, strides=patch_size, name="embedding")(image)
    tokens = x.shape[1] * x.shape[2]
    # A map of one column: dense layers are 1x1 convolutions, see blocks/classification.py.
    x = keras.layers.Reshape((tokens, 1, base_width), name="tokens")(x)
    x = ClassToken(name="class_token")(x)
    x = keras.layers.Dropout(dropout, name="embedding_dropout")(x)
    shared_norm = keras.layers.LayerNormalization(epsilon=_EPSILON, name="norm")
    for layer in range(1, depth + 1):
        y = _encoder_layer(x, heads, hidden_width, dropout, f"encoder{layer}")
        x = shared_norm(keras.layers.Add(name=f"encoder{layer}_outer_sum")([x, y]))
    x = keras.layers.Cropping2D(((0, tokens), (0, 0)), name="class_features")(x)
    x = keras.layers.LayerNormalization(epsilon=_EPSILON, name="head_norm")(x)
    return keras.Model(image, label_head(x, classes, dropout=dropout), name=name)


@keras.utils.register_keras_serializable(package="tinyseg")
class ClassToken(keras.layers.Layer):
    """Puts a learned token before the others and adds a learned position to each."""

    def build(self, input_shape: tf.TensorShape) -> None:
        """Create ``token (1, 1, 1, features)`` and ``positions (1, 1 + tokens, 1, features)``."""
        _, tokens, _, features = input_shape
        for name, count in (("token", 1), ("positions", 1 + tokens)):
            normal = keras.initializers.RandomNormal(stddev=1.0)
            shape = (1, count, 1, features)
            setattr(self, name, self.add_weight(name, shape, initializer=normal))
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Take ``(batch, tokens, 1, features)``, return ``(batch, 1 + tokens, 1, features)``."""
        token = tf.convert_to_tensor(self.token)
        first = tf.broadcast_to(token, (tf.shape(inputs)[0], *token.shape[1:]))
        return tf.concat([first, inputs], axis=1) + tf.convert_to_tensor(self.positions)


def _encoder_layer(
    x: keras.KerasTensor, heads: int, hidden_width: int, dropout: float, name: str
) -> keras.KerasTensor:
    """Attend and transform; each part is added to its input and normalized."""
    width = x.shape[-1]
    parts = [
        same_conv(x, width, 1, name=f"{name}_{part}", activation=None)
        for part in ("query", "key", "value")
    ]
    y = DotProductAttention(heads, dropout, name=f"{name}_attention")(parts)
    y = same_conv(y, width, 1, name=f"{name}_output", activation=None)
    x = _add_and_normalize(x, y, dropout, f"{name}_attention")
    y = same_conv(x, hidden_width, 1, name=f"{name}_widen")
    y = keras.layers.Dropout(dropout, name=f"{name}_hidden_dropout")(y)
    y = same_conv(y, width, 1, name=f"{name}_narrow", activation=None)
    return _add_and_normalize(x, y, dropout, f"{name}_dense")


def _add_and_normalize(
    x: keras.KerasTensor, y: keras.KerasTensor, dropout: float, name: str
) -> keras.KerasTensor:
    y = keras.layers.Dropout(dropout, name=f"{name}_dropout")(y)
    x = keras.layers.Add(name=f"{name}_sum")([x, y])
    return keras.layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}_norm")(x)


def _check_tokens(
    input_shape: tuple[int, int, int],
    base_width: int,
    depth: int,
    heads: int,
    hidden_width: int,
    patch_size: int,
) -> None:
    sizes = {
        "depth": depth,
        "heads": heads,
        "hidden_width": hidden_width,
        "patch_size": patch_size,
    }
    for argument, value in sizes.items():
        if value < 1:
            raise ValueError(f"{argument} must be at least 1, not {value}")
    if base_width % heads:
        raise ValueError(
            f"base_width {base_width} must be divisible by {heads} heads; "
            f"use {-(-base_width // heads) * heads}"
        )
    height, width, _ = input_shape
    if height % patch_size or width % patch_size:
        nearest = [-(-side // patch_size) * patch_size for side in (height, width)]
        raise ValueError(
            f"input {height}x{width} must be divisible by patch_size {patch_size}; "
            f"use {nearest[0]}x{nearest[1]}"
        )
