"""Operands of equal shapes for MUL and ADD, whose kernels are slow when one is broadcast.

A factor of one channel, as attention gates have, is repeated for every channel of the other by
a 1x1 convolution with weights of exactly one, where it is small: before it is resized. A
constant of each channel is repeated for every pixel by RESIZE_NEAREST_NEIGHBOR.
"""

from __future__ import annotations

import numpy as np

from tinyseg.tflite.graph import Graph, activation, constant, is_constant, make
from tinyseg.tflite.nodes import Operator, Quantization, Tensor
from tinyseg.tflite.schema import Padding

_RESIZE = "RESIZE_NEAREST_NEIGHBOR"


def match_shapes(graph: Graph) -> list[str]:
    """Give MUL and ADD operands of equal shapes; exact.

    Returns:
        Names of the results.
    """
    matched = []
    for operator in list(graph.operators):
        if operator.opcode not in ("MUL", "ADD"):
            continue
        made: list[Operator] = []
        shape = operator.outputs[0].shape
        operands = operator.first(len(operator.inputs))
        operator.inputs = [_match(graph, tensor, shape, made) for tensor in operands]
        if made:
            graph.replace(operator, [*made, operator])
            matched.append(operator.outputs[0].name)
    graph.remove_dead()
    return matched


def _match(graph: Graph, tensor: Tensor, shape: tuple[int, ...], made: list[Operator]) -> Tensor:
    """Return a tensor in another shape, or itself; appends the operators that this takes."""
    if len(shape) != 4 or tensor.shape == shape or tensor.dtype != "int8":
        return tensor
    of_channels = (shape[3],), (1, 1, 1, shape[3])
    if is_constant(tensor) and tensor.shape in of_channels and shape[0] == 1:
        return _over_pixels(tensor, shape, made)
    if not is_constant(tensor) and tensor.shape == (*shape[:3], 1):
        return _over_channels(graph, tensor, shape[3], made)
    return tensor


def _over_pixels(tensor: Tensor, shape: tuple[int, ...], made: list[Operator]) -> Tensor:
    pixel = constant(f"{tensor.name}/pixel", tensor.array()[None, None, None], tensor.quantization)
    pixel.shape = (1, 1, 1, shape[3])
    wide = activation(f"{tensor.name}/pixels", shape, tensor)
    size = constant(f"{wide.name}/size", np.array(shape[1:3], np.int32))
    made.append(make(_RESIZE, [pixel, size], wide))
    return wide


def _over_channels(graph: Graph, gate: Tensor, channels: int, made: list[Operator]) -> Tensor:
    producer = graph.producers().get(id(gate))
    if producer is None or producer.opcode != _RESIZE:
        return _repeat(gate, channels, made)
    small = _repeat(producer.input(0), channels, made)
    wide = activation(f"{gate.name}/channels", (*gate.shape[:3], channels), gate)
    made.append(producer.clone([small, *producer.inputs[1:]], wide))
    return wide


def _repeat(source: Tensor, channels: int, made: list[Operator]) -> Tensor:
    target = activation(f"{source.name}/channels", (*source.shape[:3], channels), source)
    ones = Quantization([1.0] * channels, [0] * channels, 0)
    scales = [float(source.scales[0])] * channels
    zeros = Quantization(scales, [0] * channels, 0)
    kernel = constant(f"{target.name}/kernel", np.ones((channels, 1, 1, 1), np.int8), ones)
    bias = constant(f"{target.name}/bias", np.zeros(channels, np.int32), zeros)
    made.append(make("CONV_2D", [source, kernel, bias], target, padding=Padding.VALID))
    return target
