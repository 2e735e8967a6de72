"""Weight clustering: few values for each channel of a kernel, so that a weight takes few bits.

S. Han et al., "Deep Compression", ICLR 2016 (arXiv:1510.00149): k-means finds the values,
training moves them while every weight keeps its cluster.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_model_optimization.quantization.keras.quantizers import Quantizer

from tinyseg.errors import InputError

MIN_BITS, MAX_BITS = 2, 7
_ITERATIONS = 30


def check_bits(bits: int) -> None:
    """Refuse numbers of bits that weights cannot be stored in.

    Raises:
        InputError: neither 8 nor 2 to 7.
    """
    if bits != 8 and not MIN_BITS <= bits <= MAX_BITS:
        raise InputError(
            f"quantization.weight_bits: {bits} is not 8 (one value for each weight) or "
            f"{MIN_BITS} to {MAX_BITS}"
        )


def cluster(channels: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Find ``2**bits`` values for each channel by k-means (Lloyd's algorithm).

    Args:
        channels: float32 ``(channels, weights)``.
        bits: of a weight.

    Returns:
        Values float32 ``(channels, 2**bits)``, ascending, and for each weight the number of its
        value, int32 in the shape of ``channels``.
    """
    count = 2**bits
    # Evenly filled clusters to begin with: each value is a quantile.
    centres = np.quantile(channels, (np.arange(count) + 0.5) / count, axis=1).T
    for _ in range(_ITERATIONS):
        centres = np.sort(centres, axis=1)
        members = _nearest(channels, centres)
        sums, sizes = np.zeros_like(centres), np.zeros_like(centres)
        rows = np.broadcast_to(np.arange(len(channels))[:, None], channels.shape)
        np.add.at(sums, (rows, members), channels)
        np.add.at(sizes, (rows, members), 1)
        centres = np.where(sizes > 0, sums / np.maximum(sizes, 1), centres)
    centres = np.sort(centres, axis=1)
    return centres.astype(np.float32), _nearest(channels, centres).astype(np.int32)


def _nearest(channels: np.ndarray, centres: np.ndarray) -> np.ndarray:
    borders = (centres[:, 1:] + centres[:, :-1]) / 2
    return np.stack(
        [np.searchsorted(edge, row) for edge, row in zip(borders, channels, strict=True)]
    )


class ClusterQuantizer(Quantizer):
    """Replaces every weight by the value of its cluster; the values are trained.

    Args:
        kernel: float32, its output channels along the last ``axes`` axes.
        axes: 1, or 2 for a depthwise kernel; 0 if all channels share their values.
        bits: of a weight.
        rounding: quantizer that then rounds the kernel to 8 bits.
    """

    def __init__(self, kernel: np.ndarray, axes: int, bits: int, rounding: Quantizer) -> None:
        self._shape, self._rounding = kernel.shape, rounding
        self.limits = rounding.limits
        channels = kernel.reshape(-1, int(np.prod(kernel.shape[kernel.ndim - axes :]))).T
        self._values, self._members = cluster(channels, bits)

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:
        """Create the values ``(channels, 2**bits)``."""
        initial = tf.constant_initializer(self._values)
        return {
            "values": layer.add_weight(f"{name}_values", self._values.shape, initializer=initial)
        }

    def __call__(self, inputs: tf.Tensor, training: Any, weights: Any, **_: Any) -> tf.Tensor:
        """Return the clustered and rounded kernel; the gradient goes to the values."""
        channels = tf.gather(weights["values"], self._members, batch_dims=1)
        kernel = tf.reshape(tf.transpose(channels), self._shape)
        # The weights themselves take part without effect: Keras warns of what has no gradient.
        return self._rounding(kernel + 0 * inputs, training, {})

    def get_config(self) -> dict[str, Any]:
        """Not to be stored; the network is made anew from the float one."""
        raise NotImplementedError
