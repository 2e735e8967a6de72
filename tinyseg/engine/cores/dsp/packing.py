"""Weights of matrix products, in pairs of depths and of channels."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tinyseg.engine.cores.dsp.finish import finishes, is_signed
from tinyseg.engine.cores.dsp.parts import parts
from tinyseg.engine.program import Data, Node, Program


@dataclasses.dataclass(frozen=True)
class Border:
    """Zero points of input and output, least and most of the output."""

    input_zero: int
    zero: int
    least: int
    most: int

    @property
    def signed(self) -> bool:
        """Whether sums below zero are rounded other than those above."""
        return is_signed(self.zero, self.least)


class Windows(NamedTuple):
    """Weights of a convolution, as its windows meet rows of the input.

    Attributes:
        window: as the portable kernel's.
        border: zero points and clamp.
        depths: channels of each source.
        is_whole: whether the columns under a window's row lie together.
        runs: weights ``(channels, bytes)`` of bytes that lie together.
        channels: biases, multipliers and shifts ``(channels, 3)``.
    """

    window: list[int]
    border: Border
    depths: list[int]
    is_whole: bool
    runs: list[np.ndarray]
    channels: np.ndarray


def windows(program: Program, node: Node) -> Windows:
    """Return the weights of a CONVOLUTION."""
    numbers, weights, channels = parts(node)
    window, border = numbers[:8], Border(*numbers[8:])
    height, width, dilation = window[0], window[1], window[5]
    depths = [program.nodes[link.source].channels for link in node.links]
    kernel = weights.reshape(node.channels, height, width, sum(depths))
    is_whole = len(depths) == 1 and (dilation == 1 or width == 1)
    if is_whole:
        runs = [kernel[:, y].reshape(node.channels, -1) for y in range(height)]
    else:
        ends = np.cumsum(depths)[:-1]
        runs = [
            part
            for y in range(height)
            for x in range(width)
            for part in np.split(kernel[:, y, x], ends, axis=1)
        ]
    return Windows(window, border, depths, is_whole, runs, channels)


def pairs_of(runs: Sequence[int]) -> int:
    """Return the pairs of depths of runs of so many bytes."""
    return sum((size + 1) // 4 * 2 + (size % 4 in (1, 2)) for size in runs)


def packed(runs: list[np.ndarray], channels: np.ndarray, zero: int, signed: bool) -> Data | None:
    """Return channels and weights as ``ChannelPair`` and what follows it.

    Args:
        runs: weights ``(channels, bytes)`` of each run.
        channels: biases, multipliers and shifts ``(channels, 3)``.
        zero: zero point of the output.
        signed: whether sums below zero are rounded other than those above.

    Returns:
        None if the kernel cannot compute a channel.
    """
    weights = np.concatenate([_in_pairs(run) for run in runs], axis=1)
    bounds = np.abs(weights.astype(np.int64)).sum(axis=(1, 2)) * 128
    finish = finishes(channels, bounds, zero, signed)
    if finish is None:
        return None
    content = bytearray()
    last = len(channels) - 1
    for first in range(0, len(channels), 2):
        # The last pair may overlap the one before; one channel is computed twice.
        both = [max(min(first, last - 1), 0), min(first + 1, last)]
        content += finish[both, 0].astype("<i4").tobytes()
        content += finish[both, 1:].astype("<i4").tobytes()
        content += weights[both].transpose(1, 2, 0).tobytes()
    # Words are unpacked four at a time.
    return Data(bytes(content) + bytes(12))


def _in_pairs(run: np.ndarray) -> np.ndarray:
    """Return a run's weights ``(channels, bytes)`` as ``(channels, pairs, 2)``.

    Of four bytes the first and third are a pair, and the second and fourth; one or two bytes left
    over are one more, of three the last is with a zero.
    """
    channels, size = run.shape
    words = (size + 1) // 4
    rest = 2 * (size % 4 in (1, 2))
    padded = np.zeros((channels, 4 * words + rest), np.int8)
    padded[:, :size] = run
    whole = padded[:, : 4 * words].reshape(channels, words, 2, 2).transpose(0, 1, 3, 2)
    tail = padded[:, 4 * words :].reshape(channels, rest // 2, 2)
    return np.concatenate([whole.reshape(channels, 2 * words, 2), tail], axis=1)
