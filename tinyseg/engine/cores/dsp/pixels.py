"""Convolutions by a window of one pixel, from one channel or to one."""

from __future__ import annotations

import dataclasses

import numpy as np

from tinyseg.engine.cores.dsp.finish import finishes
from tinyseg.engine.cores.dsp.parts import parts
from tinyseg.engine.program import Data, Kernel, Node, Program
from tinyseg.tflite import arithmetic

# Channels are copied by eights. Larger tables would take more flash than they are worth.
_STEP, _MOST_CHANNELS = 8, 16
_STORED = np.arange(-128, 128).reshape(-1, 1)


def pixel_table(program: Program, node: Node) -> Node | None:
    """Return a convolution as a table, if its input and window have one value."""
    numbers, weights, channels = parts(node)
    _, zero, least, most = numbers[8:]
    if weights.size != node.channels or not _is_one_pixel(program, node):
        return None
    if node.channels % _STEP or node.channels > _MOST_CHANNELS:
        return None
    biases, multipliers, shifts = channels.astype(np.int64).T
    sums = _STORED * weights.astype(np.int64) + biases
    values = arithmetic.multiply(sums, multipliers, shifts) + zero
    table = arithmetic.clamp(values, least, most)
    return dataclasses.replace(node, kernel=Kernel.DSP_PIXEL_TABLE, params=(Data(table.tobytes()),))


def dot(program: Program, node: Node) -> Node | None:
    """Return a convolution to one channel as one product of vectors a pixel."""
    numbers, weights, channels = parts(node)
    _, zero, least, most = numbers[8:]
    if node.channels != 1 or node.width < 2 or weights.size % 4:
        return None
    if not _is_one_pixel(program, node):
        return None
    doubled = weights.astype(np.int64) * 2
    finish = finishes(channels, [int(np.abs(doubled).sum()) * 64], zero, signed=True)
    if finish is None:
        return None
    pairs = doubled.reshape(-1, 2, 2).transpose(0, 2, 1).astype("<i2")
    params: tuple[int | Data, ...] = (
        *(int(number) for number in finish[0]),
        least,
        most,
        Data(pairs.tobytes()),
    )
    return dataclasses.replace(node, kernel=Kernel.DSP_DOT, params=params)


def _is_one_pixel(program: Program, node: Node) -> bool:
    """Tell whether windows are single pixels of one source, neighbours, and inside it."""
    numbers, _, _ = parts(node)
    height, width, _, step, _, _, _, left = numbers[:8]
    if len(node.links) != 1 or (height, width, step, left) != (1, 1, 1, 0):
        return False
    (link,) = node.links
    need, source = link.need, program.nodes[link.source]
    last = (node.rows - 1) * need.step + need.high
    return need.low >= 0 and last < source.rows and node.width <= source.width
