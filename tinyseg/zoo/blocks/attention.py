"""Attention between the tokens of a transformer."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf
import tf_keras as keras


@keras.utils.register_keras_serializable(package="tinyseg")
class DotProductAttention(keras.layers.Layer):
    """Scaled dot-product attention with several heads (A. Vaswani et al., 2017, arXiv:1706.03762).

    It has no weights: query, key and value come from layers of their own.

    Args:
        heads: the features are divided among so many.
        dropout: rate in [0, 1) of the attention weights.
    """

    def __init__(self, heads: int, dropout: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.heads, self.dropout = heads, dropout

    def call(self, inputs: list[tf.Tensor], training: bool | None = None) -> tf.Tensor:
        """Take query, key, value ``(batch, tokens, 1, features)``; return the like of one."""
        query, key, value = (self._split(tensor) for tensor in inputs)
        scores = tf.matmul(query, key, transpose_b=True) / math.sqrt(query.shape[-1])
        weights = tf.nn.softmax(scores)
        if training and self.dropout:
            weights = tf.nn.dropout(weights, self.dropout)
        mixed = tf.transpose(tf.matmul(weights, value), (0, 2, 1, 3))
        return tf.reshape(mixed, (-1, *inputs[0].shape[1:]))

    def _split(self, tensor: tf.Tensor) -> tf.Tensor:
        """Return ``(batch, heads, tokens, features / heads)``."""
        _, tokens, _, features = tensor.shape
        parts = tf.reshape(tensor, (-1, tokens, self.heads, features // self.heads))
        return tf.transpose(parts, (0, 2, 1, 3))

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image: of the scores, and of the values' mixture."""
        _, tokens, _, features = self.input_shape[0]
        return 2 * tokens * tokens * features

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "heads": self.heads, "dropout": self.dropout}
