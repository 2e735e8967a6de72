"""Operators that treat elements, pixels or pieces of rows alike."""

from __future__ import annotations

import dataclasses

import numpy as np

from tinyseg.engine.cores.mve.packing import sources
from tinyseg.engine.program import Data, Kernel, Node, Program

# Where numbers of ElementwiseParams lie: both operands, then what is common.
_FIRST, _SECOND, _COMMON = slice(0, 5), slice(5, 10), slice(10, None)
# A factor of a half: what ADD makes of the operand of the larger scale.
_HALF = (1 << 30, 0)
# Bytes whose sum fits 16 bits.
_MOST_TAPS = 256


def add(program: Program, node: Node) -> Node | None:
    """Return an ADD node for Helium; None unless a factor is a half, and all shift to the right."""
    numbers = [part for part in node.params if isinstance(part, int)]
    operands, (left, multiplier, shift, zero, least, most) = (
        [numbers[_FIRST], numbers[_SECOND]],
        numbers[_COMMON][:6],
    )
    signs = [1, 1 if operands[1][3] > 0 else -1]
    links = node.links
    if tuple(operands[0][3:]) != _HALF:
        operands, signs, links = operands[::-1], signs[::-1], links[::-1]
    plain, other = operands
    whole = [node.channels, 1]
    ready = sources(program.nodes, node) and plain[:2] == other[:2] == whole
    if not ready or (abs(plain[3]), plain[4]) != _HALF or not _between((shift,), -1):
        return None
    # A half is a right shift, too: what is scaled by it is twice as large.
    if (abs(other[3]), other[4]) == _HALF:
        inner = (left + 1, _HALF[0], -1)
    elif _between((other[4],), -1):
        inner = (left, abs(other[3]), other[4])
    else:
        return None
    scale = signs[0] << left - 1
    params = (
        *(scale, -plain[2] * scale, other[2], *inner, signs[1]),
        *(multiplier, shift, zero, least, most),
    )
    return dataclasses.replace(node, kernel=Kernel.MVE_ADD, links=links, params=params)


def multiply(program: Program, node: Node) -> Node | None:
    """Return a MULTIPLY node for Helium: of one shape, or with one value for each pixel."""
    operands = [node.params[part][:2] for part in (_FIRST, _SECOND)]
    dense = (node.channels, 1) in operands and (
        operands[0] == operands[1] or any(step_c == 0 for _, step_c in operands)
    )
    ready = sources(program.nodes, node) and dense
    return _with(node, Kernel.MVE_MULTIPLY) if ready and _between((node.params[12],), -1) else None


def table(program: Program, node: Node) -> Node | None:
    """Return a TABLE node for Helium, whose tables begin with the value 0."""
    content, per_channel = node.params
    if not isinstance(content, Data) or not sources(program.nodes, node):
        return None
    tables = np.frombuffer(content.content, np.int8).reshape(-1, 256)
    turned = Data(np.roll(tables, -128, axis=1).tobytes())
    return dataclasses.replace(node, kernel=Kernel.MVE_TABLE, params=(turned, per_channel))


def max_pool(program: Program, node: Node) -> Node | None:
    """Return a MAX_POOL node for Helium."""
    return _with(node, Kernel.MVE_MAX_POOL) if sources(program.nodes, node) else None


def average_pool(program: Program, node: Node) -> Node | None:
    """Return an AVERAGE_POOL node for Helium; None where sums do not fit 16 bits."""
    height, width = (part for part in node.params[:2] if isinstance(part, int))
    ready = height * width <= _MOST_TAPS and sources(program.nodes, node)
    return _with(node, Kernel.MVE_AVERAGE_POOL) if ready else None


def resize_nearest(program: Program, node: Node) -> Node | None:
    """Return a RESIZE_NEAREST node for Helium."""
    ready = node.element == 1 and sources(program.nodes, node)
    return _with(node, Kernel.MVE_RESIZE_NEAREST) if ready else None


def copy_rows(program: Program, node: Node) -> Node | None:
    """Return a COPY_ROWS node for Helium."""
    return _with(node, Kernel.MVE_COPY_ROWS) if sources(program.nodes, node) else None


def _with(node: Node, kernel: Kernel) -> Node:
    return dataclasses.replace(node, kernel=kernel)


def _between(shifts: tuple[int | Data, ...], most: int) -> bool:
    return all(isinstance(shift, int) and -31 <= shift <= most for shift in shifts)
