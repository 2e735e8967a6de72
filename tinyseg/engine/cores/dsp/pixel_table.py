"""Convolutions of one channel by one pixel: all channels of an output, for each of 256 values."""

from __future__ import annotations

import dataclasses

import numpy as np

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
    (_, width, _, step, _, _, _, left) = numbers[:8]
    if weights.size != node.channels or len(node.links) != 1 or (width, step, left) != (1, 1, 0):
        return None
    if node.channels % _STEP or node.channels > _MOST_CHANNELS or _pads(program, node):
        return None
    biases, multipliers, shifts = channels.astype(np.int64).T
    sums = _STORED * weights.astype(np.int64) + biases
    values = arithmetic.multiply(sums, multipliers, shifts) + zero
    table = arithmetic.clamp(values, least, most)
    return dataclasses.replace(node, kernel=Kernel.DSP_PIXEL_TABLE, params=(Data(table.tobytes()),))


def _pads(program: Program, node: Node) -> bool:
    """Tell whether some row needs one that its source does not have."""
    (link,) = node.links
    source = program.nodes[link.source]
    need = link.need
    return need.low < 0 or (node.rows - 1) * need.step + need.high >= source.rows
