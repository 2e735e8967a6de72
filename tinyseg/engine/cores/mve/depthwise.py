"""Depthwise convolutions whose products are added in 16 bits as long as they fit there."""

from __future__ import annotations

import dataclasses
import struct

import numpy as np

from tinyseg.engine.cores.mve.packing import VECTOR, Layer, sources
from tinyseg.engine.program import Data, Kernel, Node, Program

_TAPS = 9
# Sizes of groups of taps, the fastest first, as kernels/mve/depthwise.S has them.
_PATTERNS = ((5, 4), (3, 3, 3), (3, 2, 2, 2), (2, 2, 2, 2, 1))
# Sums of weights' magnitudes whose products with bytes fit 16 bits.
_MOST = 255
_ORDERS = 400
# Channels of a vector's sums in 32 bits: these and every fourth on.
_LANES = (0, 2, 1, 3)


def depthwise(program: Program, node: Node) -> Node | None:
    """Return a DEPTHWISE node for Helium; None for many taps and what its sums do not hold."""
    layer, read = Layer.of(node), sources(program.nodes, node)
    height, width = layer.window[:2]
    taps = height * width
    weights = layer.weights.reshape(taps, node.channels)
    magnitudes = np.abs(weights.astype(np.int64))
    fits = layer.fits(magnitudes.sum(axis=0)) and layer.channels[..., 2].max() < 0
    if read is None or layer.own != (1,) or taps > _TAPS or not fits:
        return None
    grouped = _grouped(np.pad(magnitudes, ((0, _TAPS - taps), (0, 0))))
    if grouped is None:
        return None
    order, groups = grouped
    copied = not _lies_ready(layer, node, read)
    pitch = _pitch(node)
    columns = node.width + (width - 1) * layer.window[5] // layer.window[3]
    scratch = height * layer.window[3] * columns * pitch + VECTOR if copied else 0
    packed = np.pad(weights, ((0, _TAPS - taps), (0, 0)))[order]
    params = (
        *(*layer.window, *layer.border, int(copied), pitch, groups),
        # Taps that the window lacks have no weights: any bytes do.
        *(int(tap) if tap < taps else 0 for tap in order),
        _chunks(packed, layer.channels[0], pitch),
    )
    return dataclasses.replace(node, kernel=Kernel.MVE_DEPTHWISE, params=params, scratch=scratch)


def _lies_ready(layer: Layer, node: Node, read: list[Node]) -> bool:
    """Return whether all windows lie inside one source whose columns have the pitch."""
    height, width, stride_y, stride_x, dilation_y, dilation_x, top, left = layer.window
    last_row = (node.rows - 1) * stride_y - top + (height - 1) * dilation_y
    last_column = node.width - 1 - left + (width - 1) * dilation_x
    inside = top <= 0 == left and last_row < read[0].rows and last_column < read[0].width
    return inside and stride_x == len(read) == 1 and _pitch(node) == node.channels


def _pitch(node: Node) -> int:
    """Return the bytes of a column: such that vectors hold whole pixels, or are parts of one."""
    whole = VECTOR % node.channels == 0 and node.width * node.channels >= VECTOR
    return node.channels if whole else -(-node.channels // VECTOR) * VECTOR


def _grouped(magnitudes: np.ndarray) -> tuple[np.ndarray, int] | None:
    """Return an order of the taps, and into how few groups it lets them be added.

    Args:
        magnitudes: of the weights ``(taps, channels)``.
    """
    random = np.random.default_rng(0)
    orders = np.array([np.arange(_TAPS), *(random.permutation(_TAPS) for _ in range(_ORDERS))])
    for sizes in _PATTERNS:
        starts = np.cumsum((0, *sizes[:-1]))
        for order in orders:
            if np.add.reduceat(magnitudes[order], starts, axis=0).max() <= _MOST:
                return order, len(sizes)
    return None


def _chunks(weights: np.ndarray, channels: np.ndarray, pitch: int) -> Data:
    """Return ``DepthwiseChunk`` of params.h for each vector of a pixel, or one of several pixels.

    Args:
        weights: int8 ``(taps, channels)``, in their order.
        channels: biases, multipliers and shifts ``(channels, 3)``.
        pitch: bytes of a column.
    """
    count = weights.shape[1]
    if pitch < VECTOR:
        weights, channels = (
            np.tile(weights, VECTOR // pitch),
            np.tile(channels, (VECTOR // pitch, 1)),
        )
        count = pitch = VECTOR
    weights = np.pad(weights, ((0, 0), (0, pitch - count)))
    channels = np.pad(channels, ((0, pitch - count), (0, 0)))
    chunks = []
    for start in range(0, pitch, VECTOR):
        part = channels[start : start + VECTOR]
        sums = np.stack([part[lane::4].T for lane in _LANES]).astype("<i4")
        stored = min(count - start, VECTOR)
        content = (
            np.ascontiguousarray(weights[:, start : start + VECTOR]).tobytes() + sums.tobytes()
        )
        chunks.append((content, stored))
    size = len(chunks[0][0]) + 12
    steps = [size] * (len(chunks) - 1) + [-size * (len(chunks) - 1)]
    return Data(
        b"".join(
            content + struct.pack("<Iii", (1 << stored) - 1, stored, step)
            for (content, stored), step in zip(chunks, steps, strict=True)
        )
    )
