"""Depthwise convolutions, two rows of a window at a time."""

from __future__ import annotations

import dataclasses

import numpy as np

from tinyseg.engine.cores.dsp.finish import finishes
from tinyseg.engine.program import Data, Kernel, Node, Program

_MOST_ROWS = 12
_BIAS, _MULTIPLIER, _ROUNDING, _SHIFT = range(4)


def depthwise(program: Program, node: Node) -> Node | None:
    """Return a depthwise convolution with its weights in pairs."""
    *numbers, weights, channels = node.params
    assert isinstance(weights, Data) and isinstance(channels, Data)
    window = numbers[:8]
    input_zero, zero, least, most, multiplier = numbers[8:]
    height, width = window[:2]
    if height > _MOST_ROWS:
        return None
    kernel = np.frombuffer(weights.content, np.int8).reshape(height, width, node.channels)
    doubled = kernel.astype(np.int16) * 2
    records = np.frombuffer(channels.content, np.int32).reshape(-1, 3)
    bounds = np.abs(doubled.astype(np.int64)).sum(axis=(0, 1)) * 64
    finish = finishes(records, bounds, zero, signed=True)
    if finish is None:
        return None
    sources = [program.nodes[link.source] for link in node.links]
    if multiplier == 1 and _steps_by_one(window, sources[0].width, node.width):
        kind, packed = Kernel.DSP_DEPTHWISE3X3, _packed3x3(doubled, finish)
    else:
        kind, packed = Kernel.DSP_DEPTHWISE, _packed(doubled, finish)
    params = (*window, input_zero, least, most, multiplier, Data(packed))
    scratch = max(-(-source.row_bytes // 4) * 4 for source in sources)
    return dataclasses.replace(node, kernel=kind, params=params, scratch=scratch)


def _steps_by_one(window: list[int | Data], columns: int, pixels: int) -> bool:
    """Tell whether a window is 3x3, and at most a column lies beyond the input at either end."""
    left = window[7]
    right = pixels + 2 - columns - left
    return (
        window[:6] == [3, 3, 1, 1, 1, 1]
        and left in (0, 1)
        and right in (0, 1)
        and columns + left > 2
    )


def _packed3x3(kernel: np.ndarray, finish: np.ndarray) -> bytes:
    """Return ``Depthwise3x3Channel`` of all channels of a kernel ``(3, 3, channels)``."""
    upper = kernel[:2].transpose(2, 1, 0).reshape(-1, 6)
    lower = np.zeros((len(upper), 4), np.int16)
    lower[:, :3] = kernel[2].T
    pairs = np.concatenate([upper, lower], axis=1).astype("<i2").view("<i4")
    rest = finish[:, [_MULTIPLIER, _ROUNDING, _BIAS, _SHIFT]]
    return np.concatenate([pairs, rest], axis=1).astype("<i4").tobytes()


def _packed(kernel: np.ndarray, finish: np.ndarray) -> bytes:
    """Return ``DepthwiseChannel`` and weights of all channels of a kernel."""
    height, width, channels = kernel.shape
    padded = np.zeros((-(-height // 2) * 2, width, channels), np.int16)
    padded[:height] = kernel
    pairs = padded.reshape(-1, 2, width, channels).transpose(3, 0, 2, 1).reshape(channels, -1)
    words = np.ascontiguousarray(pairs).astype("<i2").view("<i4")
    return np.concatenate([finish, words], axis=1).astype("<i4").tobytes()
