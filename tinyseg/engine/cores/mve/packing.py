"""Weights and channels as kernels for Helium read them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tinyseg.engine.program import Data, Node

# Bytes of a vector, and channels of a product's group.
VECTOR, GROUP = 16, 4
# Shifts that leave a negative sum's sign, and nothing of it.
_SIGN, _NOTHING = -31, 32


class Layer(NamedTuple):
    """Parameters of a portable convolution.

    Attributes:
        window: height, width, strides, dilations, padding above and on the left.
        border: zero points of input and output, least and most of the output.
        own: what a kind of convolution has besides.
        weights: int8, of one dimension.
        channels: biases, multipliers and shifts, int64 ``(phases, channels, 3)``.
    """

    window: tuple[int, ...]
    border: tuple[int, ...]
    own: tuple[int, ...]
    weights: np.ndarray
    channels: np.ndarray

    @classmethod
    def of(cls, node: Node) -> Layer:
        """Return the parameters of a node, whose kernel is a portable one."""
        numbers = [p for p in node.params if isinstance(p, int)]
        weights, channels = (p.content for p in node.params if isinstance(p, Data))
        packed = np.frombuffer(channels, "<i4").astype(np.int64)
        return cls(
            tuple(numbers[:8]),
            tuple(numbers[8:12]),
            tuple(numbers[12:]),
            np.frombuffer(weights, np.int8),
            packed.reshape(-1, node.channels, 3),
        )

    def fits(self, magnitudes: np.ndarray) -> bool:
        """Return whether sums fit 32 bits, and no factor shifts to the left.

        Args:
            magnitudes: sums of the weights' magnitudes, as ``channels`` without its last axis.
        """
        sums = np.abs(self.channels[..., 0]) + 128 * magnitudes
        shifts = self.channels[..., 2]
        return bool(sums.max() < 2**31 and shifts.max() <= 0 and shifts.min() >= -31)


def sources(nodes: tuple[Node, ...], node: Node) -> list[Node] | None:
    """Return the nodes that a node reads; None where one of them is a constant.

    Kernels read beyond rows, and beyond a constant there may be no memory.
    """
    found = [nodes[link.source] for link in node.links]
    return None if any(source.constant is not None for source in found) else found


def starts(channels: int) -> list[int]:
    """Return the first channel of each group; the last ends with the last channel."""
    return [*range(0, max(channels - GROUP, 0), GROUP), max(channels - GROUP, 0)]


def product(weights: np.ndarray, channels: np.ndarray) -> tuple[Data, Data, int]:
    """Return ``GemmParams`` of params.h.

    Args:
        weights: int8 ``(channels, bytes of a pixel)``.
        channels: biases, multipliers and shifts ``(channels, 3)``.
    """
    count, depth = weights.shape
    steps = -(-depth // VECTOR)
    least = max(count, GROUP)
    padded = np.zeros((least, steps * VECTOR), np.int8)
    padded[:count, :depth] = weights
    facts = np.zeros((least, 3), np.int64)
    facts[:count] = channels
    order = np.add.outer(starts(count), np.arange(GROUP))
    groups = padded[order].reshape(len(order), GROUP, steps, VECTOR).swapaxes(1, 2)
    biases, multipliers, shifts = np.moveaxis(facts[order], 2, 0)
    signs = np.where(shifts == 0, _NOTHING, _SIGN)
    packed = np.concatenate([np.repeat(biases, 2, axis=1), multipliers, shifts, signs], axis=1)
    return Data(groups.tobytes()), Data(packed.astype("<i4").tobytes()), steps
