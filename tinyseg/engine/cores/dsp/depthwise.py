"""Depthwise convolutions, two rows of a window at a time."""

from __future__ import annotations

import dataclasses

import numpy as np

from tinyseg.engine.cores.dsp.finish import finishes
from tinyseg.engine.cores.dsp.parts import parts
from tinyseg.engine.program import Data, Kernel, Node, Program

_MOST_ROWS = 12
# By height, width, steps and dilations of the window.
_SMALL: dict[tuple[int, ...], Kernel] = {
    (3, 3, 1, 1, 1, 1): Kernel.DSP_DEPTHWISE3X3,
    (3, 3, 2, 2, 1, 1): Kernel.DSP_DEPTHWISE3X3_BY2,
    (2, 2, 1, 1, 1, 1): Kernel.DSP_DEPTHWISE2X2,
}
_ONE_PIXEL = [1, 1, 1, 1, 1, 1, 0, 0]
_BIAS, _MULTIPLIER, _ROUNDING, _SHIFT = range(4)


def depthwise(program: Program, node: Node) -> Node | None:
    """Return a depthwise convolution with its weights in pairs."""
    numbers, weights, channels = parts(node)
    window = numbers[:8]
    input_zero, zero, least, most, multiplier = numbers[8:]
    height, width = window[:2]
    if height > _MOST_ROWS:
        return None
    kernel = weights.reshape(height, width, node.channels)
    doubled = kernel.astype(np.int16) * 2
    bounds = np.abs(doubled.astype(np.int64)).sum(axis=(0, 1)) * 64
    finish = finishes(channels, bounds, zero, signed=True)
    if finish is None:
        return None
    sources = [program.nodes[link.source] for link in node.links]
    small = _SMALL.get(tuple(window[:6]))
    if small and multiplier == 1 and _fits(window, sources[0].width, node.width):
        kind, packed = small, _packed_small(doubled, finish)
    elif window == _ONE_PIXEL and multiplier == 1:
        kind, packed = Kernel.DSP_DEPTHWISE1X1, _packed1x1(doubled, finish)
    else:
        kind, packed = Kernel.DSP_DEPTHWISE, _packed(doubled, finish)
    params: tuple[int | Data, ...] = (*window, input_zero, least, most, multiplier, Data(packed))
    scratch = max(-(-source.row_bytes // 4) * 4 for source in sources)
    return dataclasses.replace(node, kernel=kind, params=params, scratch=scratch)


def _fits(window: list[int], columns: int, pixels: int) -> bool:
    """Tell whether at most a column of windows lies beyond the input at either end."""
    width, step, left = window[1], window[3], window[7]
    right = (pixels - 1) * step + width - left - columns
    return left in (0, 1) and right <= 1 and pixels > 1


def _packed_small(kernel: np.ndarray, finish: np.ndarray) -> bytes:
    """Return ``Depthwise3x3Channel`` or ``Depthwise2x2Channel`` of all channels of a kernel."""
    height, width, channels = kernel.shape
    numbers = [kernel[:2].transpose(2, 1, 0).reshape(channels, -1)]
    if height > 2:
        numbers += [kernel[2].T, np.zeros((channels, width % 2), np.int16)]
    pairs = np.concatenate(numbers, axis=1).astype("<i2").view("<i4")
    rest = finish[:, [_MULTIPLIER, _ROUNDING, _BIAS, _SHIFT]]
    return np.concatenate([pairs, rest], axis=1).astype("<i4").tobytes()


def _packed1x1(kernel: np.ndarray, finish: np.ndarray) -> bytes:
    """Return ``Depthwise1x1Channel`` of all channels of a kernel."""
    return np.concatenate([kernel.reshape(-1, 1), finish], axis=1).astype("<i4").tobytes()


def _packed(kernel: np.ndarray, finish: np.ndarray) -> bytes:
    """Return ``DepthwiseChannel`` and weights of all channels of a kernel."""
    height, width, channels = kernel.shape
    padded = np.zeros((-(-height // 2) * 2, width, channels), np.int16)
    padded[:height] = kernel
    pairs = padded.reshape(-1, 2, width, channels).transpose(3, 0, 2, 1).reshape(channels, -1)
    words = np.ascontiguousarray(pairs).astype("<i2").view("<i4")
    return np.concatenate([finish, words], axis=1).astype("<i4").tobytes()
