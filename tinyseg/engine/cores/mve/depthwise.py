"""Depthwise convolutions whose products are added in 16 bits as long as they fit there."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Mapping

import numpy as np

from tinyseg.engine.cores.mve.packing import VECTOR, Layer, sources
from tinyseg.engine.program import Data, Kernel, Node, Program

_TAPS = 9
# Of windows with more taps: what a kernel has room for, and rows that it reads in their place.
_MOST_TAPS, _MOST_ROWS = 50, 7
# Sizes of groups of taps, the fastest first, with their number in the kernel: where vectors follow
# each other by 16 bytes, and where they do not.
_EVEN = {(5, 4): 0, (3, 3, 3): 1, (3, 2, 2, 2): 2, (2, 2, 2, 2, 1): 3}
_ANY = {(2, 2): 0, (3, 3, 3): 1, (3, 2, 2, 2): 2, (2, 2, 2, 2, 1): 3}
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
    if read is None or layer.own != (1,) or taps > _MOST_TAPS or not fits:
        return None
    pixels = VECTOR // node.channels
    pixels = pixels if 1 <= pixels <= node.width else 1
    kernel, patterns = _kernel(taps, pixels * node.channels)
    grouped = _grouped(magnitudes, patterns)
    if grouped is None:
        return None
    order, kind = grouped
    padding = _padding(layer, node, read[0])
    is_small = pixels == 1 and kernel is not Kernel.MVE_DEPTHWISE_MANY
    in_place = layer.window[3] == len(read) == 1 and height <= _MOST_ROWS
    copied = not (in_place and (not padding or is_small))
    columns = node.width + (width - 1) * layer.window[5] // layer.window[3]
    scratch = height * layer.window[3] * columns * node.channels if copied else padding
    packed = np.pad(weights, ((0, len(order) - taps), (0, 0)))[order]
    places = _places(layer, node, [int(t) if t < taps else 0 for t in order], columns * copied)
    params: tuple[int | Data, ...] = (
        *(*layer.window, *layer.border, int(copied)),
        *(kind, pixels, -(-pixels * node.channels // VECTOR)),
        *(len(order), Data(np.array(places, "<i4").tobytes())),
        _chunks(np.tile(packed, pixels), np.tile(layer.channels[0], (pixels, 1))),
    )
    return dataclasses.replace(node, kernel=kernel, params=params, scratch=scratch + VECTOR)


def _kernel(taps: int, step: int) -> tuple[Kernel, Mapping[tuple[int, ...], int]]:
    """Return which kernel adds so many taps, and its groups of them.

    Args:
        taps: of the window.
        step: bytes of the output from one vector of a pixel, or of several, to the next one's.
    """
    if taps > _TAPS:
        return Kernel.MVE_DEPTHWISE_MANY, {(2,) * -(-taps // 2): 0}
    if step % VECTOR:
        return Kernel.MVE_DEPTHWISE_ANY, _ANY
    return Kernel.MVE_DEPTHWISE, _EVEN


def _padding(layer: Layer, node: Node, source: Node) -> int:
    """Return the bytes of padding that windows meet at once: a row, a pixel, or none."""
    height, width, stride_y, stride_x, dilation_y, dilation_x, top, left = layer.window
    last_row = (node.rows - 1) * stride_y - top + (height - 1) * dilation_y
    last_column = (node.width - 1) * stride_x - left + (width - 1) * dilation_x
    if top > 0 or last_row >= source.rows:
        return source.row_bytes
    return source.channels if left > 0 or last_column >= source.width else 0


def _places(layer: Layer, node: Node, taps: list[int], columns: int) -> list[int]:
    """Return where each tap finds its bytes: row and offset, as ``DepthwiseTap`` of params.h.

    Args:
        layer: of the node.
        node: the convolution.
        taps: numbers in the window; those that it lacks have no weights, and any bytes do.
        columns: that a copied row has for each phase of the stride; 0 if it is not copied.
    """
    _, width, _, stride, _, dilation, _, left = layer.window
    found = []
    for tap in taps:
        row, column = tap // width, tap % width * dilation
        at = column - left
        if columns:
            row, at = 0, (row * stride + column % stride) * columns + column // stride
        found += [row, at * node.channels]
    return found


def _grouped(
    magnitudes: np.ndarray, patterns: Mapping[tuple[int, ...], int]
) -> tuple[np.ndarray, int] | None:
    """Return an order of the taps, also of those that are missing, and the kind of its groups.

    Args:
        magnitudes: of the weights ``(taps, channels)``.
        patterns: kinds of groups by their sizes, the fastest first.
    """
    taps = len(magnitudes)
    count = max(_TAPS, *map(sum, patterns))
    padded = np.pad(magnitudes, ((0, count - taps), (0, 0)))
    random = np.random.default_rng(0)
    orders = [np.arange(count), *(random.permutation(count) for _ in range(_ORDERS))]
    most = magnitudes.sum(axis=0).max(initial=0)
    for sizes, kind in patterns.items():
        if most > _MOST * len(sizes):
            continue
        starts = np.cumsum((0, *sizes[:-1]))
        for order in orders:
            used = order[order < taps] if sum(sizes) < count else order
            if len(used) > sum(sizes):
                break
            full = order
            if len(used) < count:
                full = np.concatenate([used, np.setdiff1d(np.arange(count), used)])
            first = padded[full[: sum(sizes)]]
            if np.add.reduceat(first, starts, axis=0).max() <= _MOST:
                return full, kind
    return None


def _chunks(weights: np.ndarray, channels: np.ndarray) -> Data:
    """Return ``DepthwiseChunk`` of params.h for each vector of a pixel, or of several pixels.

    Args:
        weights: int8 ``(taps, channels)``, in their order.
        channels: biases, multipliers and shifts ``(channels, 3)``.
    """
    count = weights.shape[1]
    missing = -count % VECTOR
    weights = np.pad(weights, ((0, 0), (0, missing)))
    channels = np.pad(channels, ((0, missing), (0, 0)))
    chunks = []
    for start in range(0, count, VECTOR):
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
