"""Undo what lowering does for the sake of TFLM's kernels alone: the same bytes, fewer rows.

Our own engine computes transposed convolutions and broadcasts as they are. Their lowered forms
cost it memory, for rows that are padded and parts that wait to be put together; strips cost it
work, for rows that are computed twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numpy as np

from tinyseg.tflite.graph import Graph, activation, constant, is_constant, make
from tinyseg.tflite.model import TfliteModel
from tinyseg.tflite.nodes import Operator, Quantization, Tensor
from tinyseg.tflite.packing import is_packed, pack, unpacked
from tinyseg.tflite.patching.join import join_strips
from tinyseg.tflite.schema import ActivationFunctionType, Padding

_RESIZE = "RESIZE_NEAREST_NEIGHBOR"
_Part = TypeVar("_Part", Operator, Tensor)
_Found = TypeVar("_Found", Operator, Tensor)


def raised(model: TfliteModel) -> TfliteModel:
    """Return a file with its graph raised, see :func:`raise_graph`; itself if nothing changes."""
    plain = unpacked(model)
    graph = Graph(plain.content, model.path)
    if not raise_graph(graph):
        return model
    content = graph.to_bytes()
    return TfliteModel.parse(pack(content) if is_packed(model) else content, model.path)


def raise_graph(graph: Graph) -> list[str]:
    """Put whole maps, transposed convolutions and broadcasts where lowering has others; exact.

    Returns:
        Names of the outputs of the new operators; of strips, of those that put them together.
    """
    return [*join_strips(graph), *_raise_transposed(graph), *_raise_broadcasts(graph)]


def _try(find: Callable[[Graph, _Part], _Found | None], graph: Graph, part: _Part) -> _Found | None:
    """Return what is found; nothing in a file that lacks tensors or values, as rules will tell."""
    try:
        return find(graph, part)
    except (AttributeError, IndexError, ValueError, ZeroDivisionError):
        return None


class _Phase(NamedTuple):
    """A convolution that makes some of the phases of a transposed one.

    Attributes:
        source: what it reads, before padding.
        top, left: rows and columns of padding before the source.
        weights: int8 ``(channels of all its phases, height, width, in)``.
        bias: int32, of its channels.
        scales: of its channels.
    """

    source: Tensor
    top: int
    left: int
    weights: np.ndarray
    bias: np.ndarray
    scales: np.ndarray


def _raise_transposed(graph: Graph) -> list[str]:
    made = []
    for operator in list(graph.operators):
        if operator.opcode == "DEPTH_TO_SPACE":
            found = _try(_transposed, graph, operator)
            if found is not None:
                graph.replace(operator, [found])
                made.append(found.outputs[0].name)
    graph.remove_dead()
    return made


def _transposed(graph: Graph, operator: Operator) -> Operator | None:
    """Return the transposed convolution of which an operator puts the phases together."""
    producers = graph.producers()
    depth, target, stride = operator.input(0), operator.outputs[0], operator.options.blockSize
    joined = producers.get(id(depth))
    parts = [depth]
    if joined is not None and joined.opcode == "CONCATENATION":
        parts = joined.first(len(joined.inputs))
        if joined.options.axis not in (3, -1):
            return None
    phases = [_phase(producers, part, target) for part in parts]
    known = [phase for phase in phases if phase is not None]
    channels = target.shape[-1]
    if len(known) < len(phases) or any(phase.source is not known[0].source for phase in known):
        return None
    if any(len(phase.weights) % channels for phase in known):
        return None
    kernel = _kernel(known, stride, channels)
    if kernel is None:
        return None
    source = known[0].source
    biases = np.concatenate([phase.bias for phase in known]).reshape(-1, channels)
    scales = np.concatenate([phase.scales for phase in known]).reshape(-1, channels)
    if (biases != biases[0]).any() or (scales != scales[0]).any():
        return None
    name = target.name
    sizes = constant(f"{name}/sizes", np.array(target.shape, np.int32))
    zeros = [0] * channels
    weights = constant(f"{name}/raised", kernel, Quantization(scales[0].tolist(), zeros, 0))
    offsets = constant(f"{name}/raised_bias", biases[0])
    offsets.quantization = Quantization(
        (source.scales[0] * scales[0]).astype(np.float32).tolist(), zeros, 0
    )
    return make(
        "TRANSPOSE_CONV",
        [sizes, weights, source, offsets],
        target,
        padding=Padding.SAME,
        strideH=stride,
        strideW=stride,
    )


def _phase(producers: dict[int, Operator], part: Tensor, target: Tensor) -> _Phase | None:
    """Return a convolution of stride 1 without padding of its own, that the target's scale has."""
    operator = producers.get(id(part))
    if operator is None or operator.opcode != "CONV_2D" or len(operator.inputs) < 3:
        return None
    data, weights, bias = operator.inputs[:3]
    settings = operator.options
    plain = (
        settings.strideH == settings.strideW == 1
        and settings.dilationHFactor == settings.dilationWFactor == 1
        and settings.fusedActivationFunction == ActivationFunctionType.NONE
    )
    if not plain or data is None or weights is None or bias is None or data.dtype != "int8":
        return None
    if not is_constant(weights) or not is_constant(bias) or weights.dtype != "int8":
        return None
    if not _same_scale(part, target):
        return None
    values, rows, columns = weights.array(), (0, 0), (0, 0)
    pad = producers.get(id(data))
    if pad is not None and pad.opcode == "PAD" and _same_scale(pad.input(0), data):
        paddings = pad.input(1)
        if not is_constant(paddings):
            return None
        (_, rows, columns, _), data = paddings.array().tolist(), pad.input(0)
    # Each window's last row is within the padded source for as many rows as the source has.
    if part.shape[:3] != data.shape[:3]:
        return None
    if (sum(rows), sum(columns)) != (values.shape[1] - 1, values.shape[2] - 1):
        return None
    scales = np.broadcast_to(weights.scales, len(values))
    return _Phase(data, rows[0], columns[0], values, bias.array(), scales)


def _kernel(phases: list[_Phase], stride: int, channels: int) -> np.ndarray | None:
    """Return the kernel int8 ``(channels, height, width, in)`` of a transposed convolution.

    Tap k of it meets, for output ``stride * j + phase``, input ``j + (phase + pad - k) / stride``.
    """
    taps: dict[tuple[int, int], np.ndarray] = {}
    number = 0
    for part in phases:
        for weights in part.weights.reshape(-1, channels, *part.weights.shape[1:]):
            row, column = divmod(number, stride)
            number += 1
            for y, x in np.ndindex(*weights.shape[1:3]):
                tap = weights[:, y, x]
                if tap.any():
                    place = row - stride * (y - part.top), column - stride * (x - part.left)
                    taps[place] = tap
    if number != stride * stride or not taps:
        return None
    least = [min(place[axis] for place in taps) for axis in (0, 1)]
    most = [max(place[axis] for place in taps) for axis in (0, 1)]
    sides = [_side(*ends, stride) for ends in zip(least, most, strict=True)]
    if None in sides:
        return None
    (height, top), (width, left) = (side for side in sides if side is not None)
    kernel = np.zeros((channels, height, width, phases[0].weights.shape[3]), np.int8)
    for (y, x), tap in taps.items():
        kernel[:, y + top, x + left] = tap
    return kernel


def _side(least: int, most: int, stride: int) -> tuple[int, int] | None:
    """Return the size of a kernel with taps between two places, and the padding that goes with it.

    With SAME padding a kernel of size k loses ``(k - stride) // 2`` rows before the output.
    """
    for size in range(stride, stride + 2 * (most - least + stride) + 1):
        pad = (size - stride) // 2
        if least + pad >= 0 and most + pad < size:
            return size, pad
    return None


def _raise_broadcasts(graph: Graph) -> list[str]:
    """Let MUL and ADD read a gate of one channel, and a constant of the channels, themselves."""
    made = []
    for operator in graph.operators:
        if operator.opcode not in ("MUL", "ADD") or len(operator.inputs) != 2:
            continue
        for number, tensor in enumerate(operator.first(2)):
            narrow = _try(_narrow, graph, tensor)
            other = operator.input(1 - number)
            if narrow is not None and other.shape == operator.outputs[0].shape:
                operator.inputs[number] = narrow
                made.append(operator.outputs[0].name)
    graph.remove_dead()
    return made


def _narrow(graph: Graph, tensor: Tensor) -> Tensor | None:
    """Return what was repeated to make a tensor, in one channel or one pixel."""
    producers = graph.producers()
    producer = producers.get(id(tensor))
    if producer is None:
        return None
    if _repeats(producer):
        return producer.input(0)
    if producer.opcode != _RESIZE:
        return None
    source = producer.input(0)
    if is_constant(source) and source.shape[1:3] == (1, 1):
        return source
    before = producers.get(id(source))
    if before is None or not _repeats(before) or not _same_scale(before.input(0), tensor):
        return None
    gate = before.input(0)
    wide = activation(f"{tensor.name}/one", (*tensor.shape[:3], 1), tensor)
    clone = producer.clone([gate, *producer.inputs[1:]], wide)
    graph.operators.insert(graph.operators.index(producer), clone)
    return wide


def _repeats(operator: Operator) -> bool:
    """Whether an operator repeats one channel for several, by weights of exactly one."""
    if operator.opcode != "CONV_2D" or len(operator.inputs) < 3:
        return False
    source, weights, bias = operator.inputs[:3]
    if source is None or weights is None or bias is None or source.shape[-1] != 1:
        return False
    if not is_constant(weights) or not is_constant(bias) or weights.shape[1:] != (1, 1, 1):
        return False
    ones = (weights.array() == 1).all() and (weights.scales == 1).all()
    plain = operator.options.fusedActivationFunction == ActivationFunctionType.NONE
    same = source.shape[:3] == operator.outputs[0].shape[:3]
    return bool(ones and plain and same and not bias.array().any()) and _same_scale(
        source, operator.outputs[0]
    )


def _same_scale(one: Tensor, other: Tensor) -> bool:
    return (
        one.dtype == other.dtype
        and np.array_equal(one.scales, other.scales)
        and np.array_equal(one.zero_points, other.zero_points)
    )
