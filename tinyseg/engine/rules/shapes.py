"""Operators that move bytes: concatenation, padding, slices, resizing by repetition, reshaping."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinyseg.engine.builder import Builder, Shape
from tinyseg.engine.program import Data, Kernel, Link, Need, Node, whole
from tinyseg.engine.rules import factors
from tinyseg.tflite.nodes import Operator, Tensor

_ROWS, _WIDTH, _CHANNELS = range(3)


def concatenation(builder: Builder, operator: Operator) -> None:
    """Add a CONCATENATION; along channels it is no work until somebody needs it in one piece."""
    output = operator.outputs[0]
    sources = tuple(tensor for tensor in operator.inputs if tensor is not None)
    axis = _axis(operator.options.axis, output)
    if axis == _CHANNELS and builder.shape(output)[:2] != (1, 1):
        builder.join(output, sources)
        return
    links, parts, at = [], [], 0
    for tensor in sources:
        source = builder.node(tensor, operator.index)
        _, width, channels = shape = builder.shape(tensor)
        need = Need(1, -at, -at) if axis == _ROWS else Need()
        to = [at if axis == k else 0 for k in range(3)]
        links.append(Link(source, need))
        parts += [0, 0, to[_WIDTH], to[_CHANNELS], width, channels, 1]
        at += shape[axis]
    params = (builder.nodes[links[0].source].element, 0, *parts)
    builder.add(output, Kernel.COPY_ROWS, tuple(links), params, op=operator.index)


def pad(builder: Builder, operator: Operator) -> None:
    """Add a PAD or PADV2."""
    data, paddings, *value = operator.first(len(operator.inputs))
    output = operator.outputs[0]
    before = [int(first) for first, _ in paddings.array().reshape(-1, 2)]
    shape = builder.shape(data)
    up, left, front = [0] * (3 - len(before)) + before[-3:]
    if any(before[:-3]):
        raise ValueError("it pads the batch")
    fill = int(value[0].array().ravel()[0]) if value else factors.scale_of(output)[1]
    source = builder.node(data, operator.index)
    params = (1, fill, 0, 0, left, front, shape[_WIDTH], shape[_CHANNELS], 1)
    links = (Link(source, Need(1, -up, -up)),)
    builder.add(output, Kernel.COPY_ROWS, links, params, op=operator.index)


def piece(builder: Builder, operator: Operator) -> None:
    """Add a SLICE or STRIDED_SLICE."""
    data, output = operator.input(0), operator.outputs[0]
    begin = [int(start) for start in operator.input(1).array().ravel()]
    steps = [1] * len(begin)
    if operator.opcode == "STRIDED_SLICE":
        begin, steps = _strided(operator, begin)
    shrunk = getattr(operator.options, "shrinkAxisMask", 0)
    _cut(builder, operator.index, (data, output), begin, steps, shrunk)


def split(builder: Builder, operator: Operator) -> None:
    """Add a SPLIT or SPLIT_V: a slice for each part."""
    first = operator.opcode == "SPLIT"
    data, axis = map(operator.input, (1, 0) if first else (0, 2))
    dimension = int(axis.array().ravel()[0]) % len(data.shape)
    begin = [0] * len(data.shape)
    for output in operator.outputs:
        _cut(builder, operator.index, (data, output), list(begin), [1] * len(begin))
        begin[dimension] += output.shape[dimension]


def _strided(operator: Operator, begin: list[int]) -> tuple[list[int], list[int]]:
    options, data = operator.options, operator.input(0)
    steps = [int(step) for step in operator.input(3).array().ravel()]
    if options.ellipsisMask or options.newAxisMask or min(steps) < 1:
        raise ValueError("it has masks or steps that the engine does not know")
    starts = []
    for axis, (start, size) in enumerate(zip(begin, data.shape, strict=True)):
        ignored = options.beginMask >> axis & 1
        starts.append(0 if ignored else start + size if start < 0 else start)
    return starts, steps


def _cut(
    builder: Builder,
    op: int,
    tensors: tuple[Tensor, Tensor],
    begin: list[int],
    steps: list[int],
    shrunk: int = 0,
) -> None:
    data, output = tensors
    up, left, front = ([0] * 3 + begin)[-3:]
    down, right, deep = ([1] * 3 + steps)[-3:]
    if any(begin[:-3]) or deep != 1:
        raise ValueError("it takes steps along channels or batches")
    shape = _kept(data, output, shrunk)
    source = builder.node(data, op)
    element = builder.nodes[source].element
    params = (element, 0, left, front, 0, 0, shape[_WIDTH], shape[_CHANNELS], right)
    links = (Link(source, Need(down, up, up)),)
    if shape == builder.shape(output):
        builder.add(output, Kernel.COPY_ROWS, links, params, op=op)
        return
    node = Node(Kernel.COPY_ROWS, links, *shape, element=element, params=params, name="", op=op)
    made = reshaped(node, builder.append(node), builder.shape(output), op)
    builder.add(output, Kernel.RESHAPE, made.links, op=op)


def _kept(data: Tensor, output: Tensor, shrunk: int) -> Shape:
    """Return rows, width and channels of a slice before it drops the dimensions of a mask."""
    left = iter(output.shape)
    sizes = [1 if shrunk >> axis & 1 else next(left) for axis in range(len(data.shape))]
    rows, width, channels = ([1] * 3 + sizes)[-3:]
    return rows, width, channels


def reshape(builder: Builder, operator: Operator) -> None:
    """Add an operator that only changes the shape."""
    data, output = operator.input(0), operator.outputs[0]
    target = builder.shape(output)
    if builder.shape(data) == target:
        builder.rename(output, data)
        return
    source = builder.node(data, operator.index)
    made = reshaped(builder.nodes[source], source, target, operator.index)
    builder.add(output, Kernel.RESHAPE, made.links, op=operator.index)


def reshaped(node: Node, index: int, shape: Shape, op: int) -> Node:
    """Return a node of the same elements in another shape."""
    rows, width, channels = shape
    taken = width * channels
    own = node.width * node.channels
    shared = math.gcd(taken, own)
    need = Need(taken // shared, 0, taken // shared - 1, own // shared)
    links = (Link(index, need),)
    return Node(
        Kernel.RESHAPE, links, rows, width, channels, element=node.element, name=node.name, op=op
    )


def transpose(builder: Builder, operator: Operator) -> None:
    """Add a TRANSPOSE of up to four dimensions."""
    data, order = operator.first(2)
    axes = [int(axis) for axis in order.array().ravel()]
    strides = [int(np.prod(data.shape[axis + 1 :])) for axis in range(len(axes))]
    steps = [strides[axis] for axis in axes]
    sizes = [data.shape[axis] for axis in axes]
    while len(sizes) > 3 and sizes[0] == 1:
        sizes, steps = sizes[1:], steps[1:]
    steps = [0] * (3 - len(steps)) + steps
    if len(sizes) > 3:
        raise ValueError("it has more than three dimensions beside the batch")
    source = builder.node(data, operator.index)
    node = builder.nodes[source]
    params = (node.element, 1, *steps, 0)
    links = (Link(source, whole(node.rows)),)
    builder.add(operator.outputs[0], Kernel.TRANSPOSE, links, params, op=operator.index)


def nearest(builder: Builder, operator: Operator) -> None:
    """Add a RESIZE_NEAREST_NEIGHBOR."""
    data, output = operator.input(0), operator.outputs[0]
    source = builder.node(data, operator.index)
    node = builder.nodes[source]
    rows, width, _ = builder.shape(output)
    lines = _nearest(node.rows, rows, operator.options)
    columns = _nearest(node.width, width, operator.options)
    need = _line(lines, node.rows)
    params = (Data(columns.astype("<u2").tobytes()), node.element)
    links = (Link(source, need),)
    builder.add(output, Kernel.RESIZE_NEAREST, links, params, op=operator.index)


def _nearest(size: int, target: int, options: Any) -> np.ndarray:
    """Return where each place of the output is taken from, as TFLite's float32 finds it."""
    places = np.arange(target, dtype=np.float32)
    align = options.alignCorners and target > 1
    scale = np.float32(size - 1 if align else size) / np.float32(target - 1 if align else target)
    offset = np.float32(0.5 if options.halfPixelCenters else 0)
    scaled = (places + offset) * scale
    found = np.floor(scaled + np.float32(0.5)) if options.alignCorners else np.floor(scaled)
    return np.clip(found.astype(np.int64), 0, size - 1)


def _line(lines: np.ndarray, size: int) -> Need:
    """Return the rule that gives these rows, one each.

    Raises:
        ValueError: there is none.
    """
    count = len(lines)
    rows = np.arange(count)
    candidates = [(size, 0, count), (2 * size, size, 2 * count)]
    if count > 1:
        candidates.append((2 * (size - 1), count - 1, 2 * (count - 1)))
    for step, low, divisor in candidates:
        shared = math.gcd(math.gcd(step, low), divisor)
        step, low, divisor = step // shared, low // shared, divisor // shared
        if np.array_equal((rows * step + low) // divisor, lines):
            return Need(step, low, low, divisor)
    raise ValueError("it takes rows in an order that the engine does not know")


def bilinear(builder: Builder, operator: Operator) -> None:
    """Add a RESIZE_BILINEAR, in the fixed point of TFLite's int8 kernel."""
    data, output = operator.input(0), operator.outputs[0]
    source = builder.node(data, operator.index)
    node = builder.nodes[source]
    rows, width, _ = builder.shape(output)
    vertical = _bilinear(node.rows, rows, operator.options)
    horizontal = _bilinear(node.width, width, operator.options)
    params = tuple(Data(axis.astype("<i4").tobytes()) for axis in (vertical, horizontal))
    links = (Link(source, _hull(vertical)),)
    builder.add(output, Kernel.RESIZE_BILINEAR, links, params, op=operator.index)


def _bilinear(size: int, target: int, options: Any) -> np.ndarray:
    """Return lower and upper place and the upper one's weight in 1024ths, ``(target, 3)``."""
    if options.alignCorners and target > 1:
        scale = ((size - 1) * 1024 + (target - 1) // 2) // (target - 1)
    else:
        scale = (size * 1024 + target // 2) // target
    places = np.arange(target, dtype=np.int64)
    scaled = places * scale
    if options.halfPixelCenters:
        scaled = scaled + scale // 2 - 512
    lower = np.maximum(np.trunc(scaled / 1024).astype(np.int64), 0)
    upper = np.minimum(np.trunc((scaled + 1023) / 1024).astype(np.int64), size - 1)
    return np.stack([lower, upper, scaled - 1024 * lower], axis=1)


def _hull(axis: np.ndarray) -> Need:
    """Return the tightest rule of the slope of the resizing that covers all rows it reads."""
    rows = np.arange(len(axis))
    step, divisor = int(axis[-1, 0] - axis[0, 0]) or 1, max(len(axis) - 1, 1)
    low = int((axis[:, 0] * divisor - rows * step).min())
    high = int((axis[:, 1] * divisor - rows * step).max())
    return Need(step, low, high, divisor)


def depth_to_space(builder: Builder, operator: Operator) -> None:
    """Add a DEPTH_TO_SPACE."""
    _blocks(builder, operator, Kernel.DEPTH_TO_SPACE)


def space_to_depth(builder: Builder, operator: Operator) -> None:
    """Add a SPACE_TO_DEPTH."""
    _blocks(builder, operator, Kernel.SPACE_TO_DEPTH)


def _blocks(builder: Builder, operator: Operator, kernel: Kernel) -> None:
    size = operator.options.blockSize
    source = builder.node(operator.input(0), operator.index)
    widens = kernel == Kernel.DEPTH_TO_SPACE
    need = Need(1, 0, 0, size) if widens else Need(size, 0, size - 1)
    params = (size, builder.nodes[source].element)
    links = (Link(source, need),)
    builder.add(operator.outputs[0], kernel, links, params, op=operator.index)


def _axis(axis: int, tensor: Tensor) -> int:
    """Return which of rows, width and channels an axis is."""
    place = axis % len(tensor.shape) - len(tensor.shape) + 3
    if place < 0:
        raise ValueError("it joins along the batch")
    return place
