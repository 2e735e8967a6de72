"""Programs for the tests of the planner: from files, as far as rows matter, and by hand."""

from __future__ import annotations

import dataclasses

from tinyseg.engine.program import Data, Kernel, Link, Need, Node, Program, whole
from tinyseg.tflite.model import Operator, TfliteModel
from tinyseg.tflite.ops.padding import same_padding

_POINTWISE = Need()


def program_of(path: str, shared_concatenation: bool = True) -> Program:
    """Return rows, bytes and multiply-accumulates of a file of a U-Net; weights only as bytes."""
    model = TfliteModel.read(path)
    nodes = [_input(tensor.shape) for tensor in model.inputs]
    where = {tensor.index: (place,) for place, tensor in enumerate(model.inputs)}
    folded = {}
    for operator in model.operators:
        data = [t for t in operator.inputs if t is not None and not t.constant]
        target = operator.outputs[0]
        if operator.opcode == "CONCATENATION" and shared_concatenation:
            where[target.index] = tuple(p for t in data for p in where[t.index])
            continue
        if operator.opcode in ("MUL", "ADD") and len(data) == 1 and _alone(model, data[0].index):
            if data[0].index in folded:
                where[target.index] = where[data[0].index]
                continue
            folded[target.index] = True
        links = tuple(
            Link(place, _need(operator, tensor.shape[1]))
            for tensor in data
            for place in where[tensor.index]
        )
        where[target.index] = (len(nodes),)
        nodes.append(_node(operator, links))
    outputs = tuple(where[tensor.index][0] for tensor in model.outputs)
    return Program(tuple(nodes), len(model.inputs), outputs, path)


def _alone(model: TfliteModel, tensor: int) -> bool:
    readers = [o for o in model.operators if any(t and t.index == tensor for t in o.inputs)]
    return len(readers) == 1


def _input(shape: tuple[int, ...]) -> Node:
    return Node(None, (), shape[1], shape[2], shape[3], name="image")


def _node(operator: Operator, links: tuple[Link, ...]) -> Node:
    _, rows, width, channels = operator.outputs[0].shape
    data = next(t for t in reversed(operator.inputs) if t is not None and not t.constant)
    per_row = 0
    if operator.opcode == "CONV_2D":
        _, height, columns, depth = operator.inputs[1].shape
        per_row = height * columns * depth * width * channels
    elif operator.opcode == "DEPTHWISE_CONV_2D":
        per_row = operator.inputs[1].shape[1] * operator.inputs[1].shape[2] * width * channels
    elif operator.opcode == "TRANSPOSE_CONV":
        kernel = operator.inputs[1].elements
        per_row = kernel * data.shape[1] * data.shape[2] // rows
    kernel = _KERNELS.get(operator.opcode, Kernel.TABLE)
    constants = [t for t in operator.inputs if t is not None and t.constant]
    return Node(
        kernel,
        links,
        rows,
        width,
        channels,
        params=tuple(Data(tensor.data) for tensor in constants),
        macs=per_row,
        name=operator.outputs[0].name,
        op=operator.index,
    )


_KERNELS = {
    "CONV_2D": Kernel.CONVOLUTION,
    "DEPTHWISE_CONV_2D": Kernel.DEPTHWISE,
    "TRANSPOSE_CONV": Kernel.TRANSPOSED,
    "MAX_POOL_2D": Kernel.MAX_POOL,
    "AVERAGE_POOL_2D": Kernel.AVERAGE_POOL,
    "RESIZE_NEAREST_NEIGHBOR": Kernel.RESIZE_NEAREST,
    "RESIZE_BILINEAR": Kernel.RESIZE_BILINEAR,
    "ADD": Kernel.ADD,
    "MUL": Kernel.MULTIPLY,
    "CONCATENATION": Kernel.COPY_ROWS,
}


def _need(operator: Operator, height: int) -> Need:
    """Return which rows of an input of so many rows a row of the output needs."""
    rows = operator.outputs[0].shape[1]
    options = operator.options
    if operator.opcode in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        extent = (operator.inputs[1].shape[1] - 1) * options.dilationHFactor + 1
        top, _ = same_padding(options.padding, height, rows, extent, options.strideH)
        return Need(options.strideH, -top, extent - 1 - top, 1)
    if operator.opcode in ("MAX_POOL_2D", "AVERAGE_POOL_2D"):
        extent = options.filterHeight
        top, _ = same_padding(options.padding, height, rows, extent, options.strideH)
        return Need(options.strideH, -top, extent - 1 - top, 1)
    if operator.opcode == "TRANSPOSE_CONV":
        extent, stride = operator.inputs[1].shape[1], options.strideH
        top, _ = same_padding(options.padding, rows, height, extent, stride)
        return Need(1, top - extent + stride, top, stride)
    if operator.opcode == "RESIZE_NEAREST_NEIGHBOR":
        return Need(1, 0, 0, rows // height)
    if operator.opcode in ("MEAN", "FULLY_CONNECTED", "SOFTMAX"):
        return whole(height)
    return _POINTWISE


def chain(*needs: Need, rows: int = 16, heights: tuple[int, ...] = (), row: int = 32) -> Program:
    """Return an input of so many rows and nodes after one another, each with a need."""
    nodes = [Node(None, (), rows, row, 1)]
    for place, need in enumerate(needs):
        height = heights[place] if heights else rows
        nodes.append(Node(Kernel.COPY_ROWS, (Link(place, need),), height, row, 1, macs=1))
    return Program(tuple(nodes), 1, (len(needs),))


def u_net(depth: int = 2, rows: int = 32, row: int = 64, scratch: int = 0) -> Program:
    """Return a U-Net whose rows have equal bytes on every level."""
    window, half, twice = Need(1, -1, 1, 1), Need(2, 0, 1, 1), Need(1, 0, 0, 2)
    nodes = [Node(None, (), rows, row // 4, 1, name="image")]

    def add(links: list[Link], height: int, macs: int, name: str) -> int:
        node = Node(Kernel.CONVOLUTION, tuple(links), height, row, 1, macs=macs, name=name)
        nodes.append(dataclasses.replace(node, scratch=scratch))
        return len(nodes) - 1

    last, height, skips = 0, rows, []
    for level in range(depth):
        first = add([Link(last, window)], height, 10, f"down{level}")
        skips.append((add([Link(first, window)], height, 20, f"skip{level}"), height))
        height //= 2
        last = add([Link(skips[-1][0], half)], height, 0, f"pool{level}")
    last = add([Link(add([Link(last, window)], height, 20, "deep"), window)], height, 20, "bottom")
    for level, (skip, tall) in reversed(list(enumerate(skips))):
        up = add([Link(last, twice)], tall, 10, f"up{level}")
        joined = add([Link(up, window), Link(skip, window)], tall, 40, f"join{level}")
        last = add([Link(joined, window)], tall, 20, f"out{level}")
    return Program(tuple(nodes), 1, (last,))
