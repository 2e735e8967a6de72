"""Pooling, means, softmax, products of matrices."""

from __future__ import annotations

import numpy as np

from tinyseg.engine.builder import Builder
from tinyseg.engine.program import Data, Kernel, Link, Need, whole
from tinyseg.engine.rules import factors
from tinyseg.tflite.activations import clamp_range
from tinyseg.tflite.arithmetic import multiply, quantize_multiplier
from tinyseg.tflite.functions import exponential
from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.ops.padding import same_padding

# Bits before the point of softmax's differences, and of the sum of their exponentials.
_DIFFERENCE_BITS = 5


def pool(builder: Builder, operator: Operator) -> None:
    """Add a MAX_POOL_2D or AVERAGE_POOL_2D."""
    data, output, options = operator.input(0), operator.outputs[0], operator.options
    source = builder.node(data, operator.index)
    node = builder.nodes[source]
    rows, width, _ = builder.shape(output)
    window = (options.filterHeight, options.filterWidth)
    strides = (options.strideH, options.strideW)
    top, left = (
        same_padding(options.padding, size, target, extent, stride)[0]
        for size, target, extent, stride in zip(
            (node.rows, node.width), (rows, width), window, strides, strict=True
        )
    )
    params = (
        *(*window, *strides, 1, 1, top, left),
        *clamp_range(output, options),
    )
    kernel = Kernel.MAX_POOL if operator.opcode == "MAX_POOL_2D" else Kernel.AVERAGE_POOL
    links = (Link(source, Need(strides[0], -top, window[0] - 1 - top)),)
    builder.add(output, kernel, links, params, op=operator.index)


def mean(builder: Builder, operator: Operator) -> None:
    """Add a MEAN or SUM over rows and columns, one of them, or channels."""
    data, axes = operator.first(2)
    output = operator.outputs[0]
    offset = 3 - len(data.shape)
    over = {int(axis) % len(data.shape) + offset for axis in axes.array().ravel()}
    source = builder.node(data, operator.index)
    node = builder.nodes[source]
    sizes = (node.rows, node.width, node.channels)
    over = {axis for axis in over if axis >= 0 and sizes[axis] > 1}
    if 2 in over and over != {2}:
        raise ValueError("it takes the mean over channels and places together")
    count = int(np.prod([sizes[axis] for axis in over]))
    scale, zero = factors.scale_of(data)
    target, target_zero = factors.scale_of(output)
    params = (
        *(int(2 in over), int(0 in over), int(1 in over)),
        *(zero, target_zero),
        *(
            _shared(scale / target, count)
            if operator.opcode == "MEAN"
            else factors.factor(scale / target)
        ),
        count,
    )
    need = whole(node.rows) if 0 in over else Need()
    rows, width, channels = (1 if axis in over else size for axis, size in enumerate(sizes))
    if (rows, width, channels) == builder.shape(output):
        builder.add(output, Kernel.MEAN, (Link(source, need),), params, op=operator.index)
        return
    _reshaped_mean(builder, operator, (Link(source, need),), params, (rows, width, channels))


def _shared(real: float, count: int) -> tuple[int, int]:
    """Return a factor divided by a number of elements, in the integers of TFLite's MEAN."""
    multiplier, shift = factors.factor(real)
    bits = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << bits) // count, shift - bits


def _reshaped_mean(
    builder: Builder,
    operator: Operator,
    links: tuple[Link, ...],
    params: tuple[int, ...],
    shape: tuple[int, int, int],
) -> None:
    """Add a mean that drops its dimensions: the mean, and its bytes in another shape."""
    from tinyseg.engine.program import Node
    from tinyseg.engine.rules.shapes import reshaped

    output = operator.outputs[0]
    node = Node(
        Kernel.MEAN, links, *shape, params=params, name=f"{output.name} (kept)", op=operator.index
    )
    kept = builder.append(node)
    made = reshaped(node, kept, builder.shape(output), operator.index)
    builder.add(output, Kernel.RESHAPE, made.links, op=operator.index)


def softmax(builder: Builder, operator: Operator) -> None:
    """Add a SOFTMAX over the channels: its exponentials are a table of the 256 differences."""
    data, output = operator.input(0), operator.outputs[0]
    scale, _ = factors.scale_of(data)
    source = builder.node(data, operator.index)
    real = min(scale * operator.options.beta * (1 << (31 - _DIFFERENCE_BITS)), 2.0**31 - 1)
    multiplier, shift = quantize_multiplier(real)
    whole_bits = ((1 << _DIFFERENCE_BITS) - 1) * 2.0 ** (31 - _DIFFERENCE_BITS)
    least = -int(np.floor(whole_bits / 2.0 ** int(shift)))
    differences = -np.arange(256, dtype=np.int64)
    counted = differences >= least
    fixed = multiply(np.where(counted, differences, 0), multiplier, shift)
    table = np.where(counted, exponential(fixed, _DIFFERENCE_BITS), 0)
    params = (Data(table.astype("<i4").tobytes()),)
    builder.add(output, Kernel.SOFTMAX, (Link(source),), params, op=operator.index)


def matrices(builder: Builder, operator: Operator) -> None:
    """Add a BATCH_MATMUL: each row of the nodes is a matrix."""
    first, second, output = *operator.first(2), operator.outputs[0]
    if operator.options.adjX:
        raise ValueError("its first operand is transposed")
    sources = [builder.node(tensor, operator.index) for tensor in (first, second)]
    one, two = (builder.nodes[source] for source in sources)
    rows, width, channels = builder.shape(output)
    if one.rows != rows or two.rows not in (1, rows):
        raise ValueError("its matrices are repeated")
    (a, a_zero), (b, b_zero), (target, zero) = map(factors.scale_of, (first, second, output))
    product = np.float64(np.float32(a) * np.float32(b))
    params = (
        *(one.channels, int(bool(operator.options.adjY))),
        *(a_zero, b_zero, zero, -128, 127),
        *factors.factor(product / np.float64(np.float32(target))),
    )
    needs = (Need(), Need() if two.rows == rows else Need(0, 0, 0))
    links = tuple(Link(source, need) for source, need in zip(sources, needs, strict=True))
    macs = width * channels * one.channels
    builder.add(output, Kernel.MATRIX_MULTIPLY, links, params, macs=macs, op=operator.index)
