"""Convolutions whose weights stay packed in flash: unpacked for four channels at a time."""

from __future__ import annotations

import dataclasses

import numpy as np

from tinyseg.engine.cores.dsp.packed import Packed
from tinyseg.engine.cores.mve.convolutions import convolution
from tinyseg.engine.cores.mve.packing import GROUP, VECTOR, starts
from tinyseg.engine.program import Data, Kernel, Node, Program

# Where params of the plain convolution have its weights.
_WEIGHTS = 13


def packed_convolution(program: Program, node: Node) -> Node | None:
    """Return a PACKED_CONVOLUTION node for Helium; None where its plain form is none."""
    packed = Packed.of(program, node)
    made = convolution(program, packed.plain(node))
    if made is None:
        return None
    height, width = (part for part in node.params[:2] if isinstance(part, int))
    windows = packed.indices.reshape(node.channels, height, width, -1).transpose(0, 2, 1, 3)
    *params, steps = made.params
    assert isinstance(steps, int)
    depth = packed.indices.shape[1]
    params[_WEIGHTS] = _planes(windows.reshape(node.channels, -1), steps, packed.bits)
    rest = depth - VECTOR * (steps - 1)
    return dataclasses.replace(
        made,
        kernel=Kernel.MVE_PACKED_CONVOLUTION,
        params=(*params, steps, packed.tables, packed.bits, packed.step, rest),
        scratch=made.scratch + steps * GROUP * VECTOR,
    )


def _planes(indices: np.ndarray, steps: int, bits: int) -> Data:
    """Return the bits of indices as ``PackedConvolutionParams`` of params.h has them.

    Args:
        indices: ``(channels, bytes of a pixel)``.
        steps: of 16 of them.
        bits: of an index.
    """
    count, depth = indices.shape
    padded = np.zeros((max(count, GROUP), steps * VECTOR), np.uint8)
    padded[:count, :depth] = indices
    order = np.add.outer(starts(count), np.arange(GROUP))
    groups = padded[order].reshape(len(order), GROUP, steps, VECTOR).swapaxes(1, 2)
    digits = groups[..., None, :] >> np.arange(bits, dtype=np.uint8)[:, None] & 1
    return Data(np.packbits(digits, axis=-1, bitorder="little").tobytes())
