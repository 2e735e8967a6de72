"""The same network for images of another size, to know its cost without building it."""

from __future__ import annotations

import numpy as np

from tinyseg.errors import InputError
from tinyseg.tflite.graph import Graph, is_constant
from tinyseg.tflite.model import TfliteModel
from tinyseg.tflite.nodes import Buffer, Operator, Tensor
from tinyseg.tflite.ops.registry import op_of


def with_input_size(model: TfliteModel, height: int, width: int) -> TfliteModel:
    """Return a fully convolutional network for another image size.

    Weights and quantization stay, so what it computes is meaningful only as far as those are;
    memory and work are those of a network built at that size.

    Args:
        model: parsed file with a fixed batch (see :mod:`tinyseg.tflite.lowering.fixed_batch`).
        height, width: of the new input; the same multiples of the old one in every stage.

    Raises:
        InputError: a tensor's sides would not be whole, or an operator depends on the size.
    """
    (_, old_height, old_width, _) = model.inputs[0].shape
    ratios = (height, old_height), (width, old_width)
    graph = Graph(model.content)
    for tensor in graph.tensors:
        if not is_constant(tensor) and len(tensor.shape) > 1:
            if len(tensor.shape) != 4:
                raise InputError(f"{model.path}: '{tensor.name}' fixes the image size")
            tensor.shape = _scaled(tensor, ratios, model.path)
    for operator in graph.operators:
        _scale_constant(operator)
    return TfliteModel.parse(graph.to_bytes(), model.path)


def _scaled(tensor: Tensor, ratios: tuple, path: str) -> tuple[int, ...]:
    batch, *sides, channels = tensor.shape
    scaled = []
    for side, (new, old) in zip(sides, ratios, strict=True):
        size, rest = divmod(side * new, old)
        if rest or size < 1:
            raise InputError(
                f"{path}: '{tensor.name}' cannot be {side} * {new} / {old} high or wide"
            )
        scaled.append(size)
    return (batch, *scaled, channels)


def _scale_constant(operator: Operator) -> None:
    place = op_of(operator).image_size
    if place is None:
        return
    number, first = place
    old = operator.input(number)
    if not old.constant:
        return
    values = old.array().copy()
    values[first : first + 2] = operator.outputs[0].shape[1:3]
    operator.inputs[number] = old.with_buffer(Buffer(values.astype(np.int32).tobytes()))
