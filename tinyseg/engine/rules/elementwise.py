"""ADD, SUB, MUL, MINIMUM, MAXIMUM, SQUARED_DIFFERENCE of two tensors."""

from __future__ import annotations

import numpy as np

from tinyseg.engine.builder import Builder
from tinyseg.engine.program import Kernel, Link, Need
from tinyseg.engine.rules import factors, functions
from tinyseg.tflite.activations import clamp_range
from tinyseg.tflite.arithmetic import ADD_SHIFT
from tinyseg.tflite.nodes import Operator, Tensor

_SQUARED_DIFFERENCE_SHIFT = 7
_NO_FACTOR = (0, 0)


def add(builder: Builder, operator: Operator) -> None:
    """Add an ADD or SUB."""
    if functions.of_constant(builder, operator):
        return
    first, second = operator.first(2)
    scales = [factors.scale_of(tensor)[0] for tensor in (first, second)]
    twice = 2 * max(scales)
    factor_of = [factors.factor(scale / twice) for scale in scales]
    target, _ = factors.scale_of(operator.outputs[0])
    last = factors.factor(twice / ((1 << ADD_SHIFT) * target))
    if operator.opcode == "SUB":
        multiplier, shift = factor_of[1]
        factor_of[1] = (-multiplier, shift)
    _append(builder, operator, Kernel.ADD, factor_of, ADD_SHIFT, last)


def multiply(builder: Builder, operator: Operator) -> None:
    """Add a MUL."""
    if functions.of_constant(builder, operator):
        return
    one, two, target = (
        np.float64(factors.scale_of(t)[0]) for t in (*operator.first(2), operator.outputs[0])
    )
    last = factors.factor(one * two / target)
    _append(builder, operator, Kernel.MULTIPLY, [_NO_FACTOR, _NO_FACTOR], 0, last)


def extreme(builder: Builder, operator: Operator) -> None:
    """Add a MINIMUM or MAXIMUM; all three tensors have one scale."""
    sign = 1 if operator.opcode == "MAXIMUM" else -1
    _append(builder, operator, Kernel.MIN_MAX, [_NO_FACTOR, _NO_FACTOR], 0, _NO_FACTOR, sign)


def squared_difference(builder: Builder, operator: Operator) -> None:
    """Add a SQUARED_DIFFERENCE."""
    scales = [factors.scale_of(tensor)[0] for tensor in operator.first(2)]
    twice = 2 * max(scales)
    factor_of = [factors.factor(scale / twice) for scale in scales]
    target, _ = factors.scale_of(operator.outputs[0])
    shift = _SQUARED_DIFFERENCE_SHIFT
    last = factors.factor(twice * twice / ((1 << 2 * shift) * target))
    _append(builder, operator, Kernel.SQUARED_DIFFERENCE, factor_of, shift, last)


def _append(
    builder: Builder,
    operator: Operator,
    kernel: Kernel,
    factor_of: list[tuple[int, int]],
    left_shift: int,
    last: tuple[int, int],
    sign: int = 0,
) -> None:
    output = operator.outputs[0]
    links, operands = [], []
    for tensor, own in zip(operator.first(2), factor_of, strict=True):
        link, steps = _operand(builder, tensor, output, operator.index)
        links.append(link)
        operands += [*steps, factors.scale_of(tensor)[1], *own]
    params = (
        *operands,
        left_shift,
        *last,
        factors.scale_of(output)[1],
        *clamp_range(output, operator.options),
        sign,
    )
    builder.add(output, kernel, tuple(links), params, op=operator.index)


def _operand(
    builder: Builder, tensor: Tensor, output: Tensor, op: int
) -> tuple[Link, tuple[int, int]]:
    """Return how an operand is read, its sizes of 1 repeated."""
    source = builder.node(tensor, op)
    rows, width, channels = builder.shape(output)
    node = builder.nodes[source]
    sizes = ((node.rows, rows), (node.width, width), (node.channels, channels))
    if any(own not in (1, whole) for own, whole in sizes):
        raise ValueError(f"shapes {tensor.shape} and {output.shape} do not go together")
    need = Need() if node.rows == rows else Need(0, 0, 0)
    steps = (node.channels if node.width > 1 else 0, 1 if node.channels > 1 else 0)
    return Link(source, need), steps
