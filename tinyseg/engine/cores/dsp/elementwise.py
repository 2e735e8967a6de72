"""Operators that take elements one by one: MUL, ADD and SUB, tables, pooling, copies."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from tinyseg.engine.cores.dsp.finish import finishes
from tinyseg.engine.program import Data, Kernel, Link, Node, Program

# Values less zero points.
_MOST = 255
# Bytes whose sum fits 16 bits.
_MOST_TAPS = 256
# A factor of a half: what ADD makes of the operand of the larger scale.
_HALF = (1 << 30, 0)


class _Operand(NamedTuple):
    """``Operand`` of params.h."""

    step_x: int
    step_c: int
    zero: int
    multiplier: int
    shift: int


class _Params(NamedTuple):
    """``ElementwiseParams`` of params.h."""

    first: _Operand
    second: _Operand
    left_shift: int
    multiplier: int
    shift: int
    zero: int
    least: int
    most: int


class _Gate(NamedTuple):
    """Sources and the first parameters of a gate: ``GateParams`` of the kernels."""

    links: tuple[Link, ...]
    params: tuple[int, ...]


def multiply(_: Program, node: Node) -> Node | None:
    """Return a MUL of two tensors of a shape, or of one that has a value for each pixel."""
    gated = _gate(node)
    if gated is not None:
        return _of(node, Kernel.DSP_GATE, links=gated.links, params=(*gated.params, 0, 0))
    params, links = _params(node), node.links
    first, second = params.first, params.second
    if not _is_whole(second, node):
        first, second, links = second, first, links[::-1]
    by_pixel = not _is_whole(first, node)
    if not _is_whole(second, node) or (by_pixel and not _is_by_pixel(first, node)):
        return None
    finish = _finish(params, _MOST * _MOST)
    if finish is None:
        return None
    numbers = (
        *(first.zero, second.zero, int(by_pixel)),
        *finish,
        *(params.least, params.most),
    )
    return _of(node, Kernel.DSP_MULTIPLY, links=links, params=numbers)


def add(_: Program, node: Node) -> Node | None:
    """Return an ADD or SUB of two tensors of a shape, one of which has a factor of a half."""
    params, links = _params(node), node.links
    operands = [params.first, params.second]
    signs = [1, 1 if params.second.multiplier > 0 else -1]
    if operands[0][3:] != _HALF:
        operands, signs, links = operands[::-1], signs[::-1], links[::-1]
    plain, other = operands
    shift, multiplier = -other.shift, abs(other.multiplier)
    if not all(_is_whole(operand, node) for operand in operands):
        return None
    if (abs(plain.multiplier), plain.shift) != _HALF or not 0 <= shift <= 30:
        return None
    finish = _finish(params, _MOST << params.left_shift)
    if finish is None:
        return None
    # A sum is doubled and so is what is multiplied, once more where nothing would be shifted.
    scale = signs[0] << params.left_shift
    inner = 1 << params.left_shift + (1 if shift else 2)
    shift = max(shift, 1)
    numbers = (
        *(scale, -plain.zero * scale, inner, -other.zero * inner),
        *(multiplier, 1 << shift - 1, shift, 2 * signs[1]),
        *finish,
        *(params.least, params.most),
    )
    return _of(node, Kernel.DSP_ADD, links=links, params=numbers)


def table(program: Program, node: Node) -> Node:
    """Return a table that is read four elements at a time, or at once with the gate before."""
    tables, by_channel = node.params
    (source,) = (link.source for link in node.links)
    before = program.nodes[source]
    is_alone = source not in program.outputs and len(program.readers()[source]) == 1
    if by_channel and before.kernel == Kernel.MULTIPLY and is_alone:
        gated = _gate(before)
        if gated is not None:
            params = (*gated.params, 1, tables)
            return _of(node, Kernel.DSP_GATE, links=gated.links, params=params)
    return _of(node, Kernel.DSP_TABLE)


def max_pool(_: Program, node: Node) -> Node | None:
    """Return a MAX_POOL_2D of four channels at a time."""
    return _of(node, Kernel.DSP_MAX_POOL) if node.channels >= 4 else None


def average_pool(_: Program, node: Node) -> Node | None:
    """Return an AVERAGE_POOL_2D of four channels at a time, whose sums fit 16 bits."""
    numbers = [part for part in node.params if isinstance(part, int)]
    ready = node.channels >= 4 and numbers[0] * numbers[1] <= _MOST_TAPS
    return _of(node, Kernel.DSP_AVERAGE_POOL) if ready else None


def resize_nearest(_: Program, node: Node) -> Node:
    """Return a RESIZE_NEAREST_NEIGHBOR that copies words."""
    return _of(node, Kernel.DSP_RESIZE_NEAREST)


def _gate(node: Node) -> _Gate | None:
    """Return a MUL by a value for each pixel with no output below the zero point, if it is one."""
    params, links = _params(node), node.links
    gate, other = params.first, params.second
    if not _is_by_pixel(gate, node):
        gate, other, links = other, gate, links[::-1]
    right = -params.shift
    if not (_is_by_pixel(gate, node) and _is_whole(other, node)) or node.channels % 4:
        return None
    if (params.zero, params.least, params.most) != (-128, -128, 127) or not 2 <= right <= 15:
        return None
    # Twice the factor, so far up that the upper half of a word is the output; half a unit more of
    # what is shifted out the first time, and half of what is the second.
    bits = 17 - right
    rounding = (1 << 15) + (1 << bits - 2)
    return _Gate(links, (gate.zero, other.zero, bits, params.multiplier, rounding))


def _of(node: Node, kernel: Kernel, **changes: Any) -> Node:
    return dataclasses.replace(node, kernel=kernel, **changes)


def _params(node: Node) -> _Params:
    numbers = [part for part in node.params if not isinstance(part, Data)]
    return _Params(_Operand(*numbers[:5]), _Operand(*numbers[5:10]), *numbers[10:16])


def _is_whole(operand: _Operand, node: Node) -> bool:
    """Tell whether an operand has the shape of the output."""
    steps = (node.channels if node.width > 1 else 0, int(node.channels > 1))
    return (operand.step_x, operand.step_c) == steps


def _is_by_pixel(operand: _Operand, node: Node) -> bool:
    """Tell whether an operand has one channel of several, and all pixels."""
    return (operand.step_x, operand.step_c) == (int(node.width > 1), 0) and node.channels > 1


def _finish(params: _Params, bound: int) -> list[int] | None:
    """Return multiplier, rounding and shift of sums up to a bound."""
    channel = np.array([[0, params.multiplier, params.shift]])
    finish = finishes(channel, [bound], params.zero, signed=True)
    return None if finish is None else [int(number) for number in finish[0, 1:]]
