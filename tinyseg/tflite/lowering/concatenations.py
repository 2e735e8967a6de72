"""Avoid concatenations of channels, which hold everything twice.

A depthwise convolution of a concatenation is the concatenation of depthwise convolutions. The
tensor of all channels then is never padded, nor needed with the rows around. A convolution of
one pixel reads the concatenation in any order: some rows after the others.
"""

from __future__ import annotations

import numpy as np

from tinyseg.tflite.graph import Graph, activation, constant, cut_rows, is_constant, make
from tinyseg.tflite.nodes import Operator, Quantization, Tensor

# Rows are divided into so many parts.
_PARTS = 4


def split_depthwise(graph: Graph) -> list[str]:
    """Let depthwise convolutions of a concatenation take its parts; exact.

    Returns:
        Names of the outputs that are now concatenations.
    """
    split = []
    for operator in list(graph.operators):
        if operator.opcode != "DEPTHWISE_CONV_2D" or not _suits(graph, operator):
            continue
        joined = _concatenation(graph, operator)
        if joined is None:
            continue
        parts, first = [], 0
        for source in joined.first(len(joined.inputs)):
            part = _part(operator, source, first)
            parts.append(part)
            first += source.shape[3]
        (target,) = operator.outputs
        outputs = [part.outputs[0] for part in parts]
        graph.replace(operator, [*parts, joined.clone(outputs, target)])
        graph.operators.remove(joined)
        split.append(target.name)
    return split


def divide_concatenation(graph: Graph, position: int) -> list[str]:
    """Concatenate some rows at a time where a 1x1 convolution alone reads them; exact.

    Args:
        graph: edited in place.
        position: of the concatenation among the operators.

    Returns:
        Names of the convolution's output; empty if there is no such pair of operators.
    """
    readers = graph.consumers()[id(graph.operators[position].outputs[0])]
    if len(readers) != 1 or not _reads_pixels(readers[0]):
        return []
    (operator,) = readers
    joined = _concatenation(graph, operator)
    (target,) = operator.outputs
    if joined is None or len(target.shape) != 4 or target.shape[1] < _PARTS:
        return []
    height = target.shape[1]
    made: list[Operator] = []
    results: list[Tensor] = []
    for part in range(_PARTS):
        first, last = height * part // _PARTS, height * (part + 1) // _PARTS
        sources = [cut_rows(t, first, last, made) for t in joined.first(len(joined.inputs))]
        label, channels = f"/rows_{first}_{last}", operator.input(0)
        shape = (1, last - first, *channels.shape[2:])
        rows = activation(channels.name + label, shape, channels)
        result = activation(target.name + label, (*shape[:3], target.shape[3]), target)
        made.append(joined.clone(sources, rows))
        made.append(operator.clone([rows, *operator.inputs[1:]], result))
        results.append(result)
    made.append(make("CONCATENATION", results, target, axis=1))
    graph.replace(operator, made)
    graph.operators.remove(joined)
    return [target.name]


def join_rows(graph: Graph) -> list[str]:
    """Undo :func:`divide_concatenation`, whose parts no strip can cut; exact.

    Returns:
        Names of the convolutions' outputs.
    """
    made = []
    for operator in list(graph.operators):
        if operator.opcode == "CONCATENATION" and operator.options.axis == 1:
            found = _whole(graph, operator)
            if found is not None:
                graph.replace(operator, found)
                made.append(operator.outputs[0].name)
    graph.remove_dead()
    return made


def _whole(graph: Graph, rows: Operator) -> list[Operator] | None:
    """Return concatenation and convolution of which an operator puts the rows together."""
    target, end = rows.outputs[0], 0
    found: list[tuple[Operator, Operator, list[Tensor]]] = []
    for part in rows.inputs:
        piece = None if part is None else _piece(graph, rows, part, end)
        if piece is None:
            return None
        found.append(piece)
        end += piece[0].outputs[0].shape[1]
    operator, joined, sources = found[0]
    if end != sources[0].shape[1]:
        return None
    for other, _, read in found[1:]:
        constants = zip(operator.inputs[1:], other.inputs[1:], strict=True)
        same = all(a is b for a, b in (*constants, *zip(sources, read, strict=True)))
        if not same or vars(operator.options) != vars(other.options):
            return None
    narrow = operator.input(0)
    whole = activation(f"{target.name}/joined", (1, end, *narrow.shape[2:]), narrow)
    return [joined.clone(sources, whole), operator.clone([whole, *operator.inputs[1:]], target)]


def _piece(
    graph: Graph, rows: Operator, part: Tensor, first: int
) -> tuple[Operator, Operator, list[Tensor]] | None:
    """Return the convolution that makes some rows, the concatenation before it, and its sources."""
    operator = graph.producers().get(id(part))
    if operator is None or graph.consumers()[id(part)] != [rows] or not _reads_pixels(operator):
        return None
    joined = _concatenation(graph, operator)
    if joined is None:
        return None
    cuts = [graph.producers().get(id(tensor)) for tensor in joined.inputs]
    sources = [cut.input(0) for cut in cuts if cut is not None and _cuts_rows(cut, first)]
    return (operator, joined, sources) if len(sources) == len(cuts) else None


def _cuts_rows(operator: Operator, first: int) -> bool:
    """Whether an operator takes whole rows from a certain one on."""
    if operator.opcode != "SLICE" or not all(map(is_constant, operator.inputs[1:])):
        return False
    source, begin, size = operator.first(3)
    shape = operator.outputs[0].shape
    whole = (shape[0], *shape[2:]) == (source.shape[0], *source.shape[2:])
    return (
        whole
        and begin.array().tolist() == [0, first, 0, 0]
        and size.array().tolist() == list(shape)
    )


def _reads_pixels(operator: Operator) -> bool:
    if operator.opcode != "CONV_2D" or tuple(operator.input(1).shape[1:3]) != (1, 1):
        return False
    return (operator.options.strideH, operator.options.strideW) == (1, 1)


def _suits(graph: Graph, operator: Operator) -> bool:
    (source, kernel), bias = operator.first(2), operator.inputs[2:]
    return (
        _concatenation(graph, operator) is not None
        and is_constant(kernel)
        and all(tensor is None or is_constant(tensor) for tensor in bias)
        and kernel.shape[3] == source.shape[3]
    )


def _concatenation(graph: Graph, operator: Operator) -> Operator | None:
    """Return the concatenation of channels that an operator reads, and nothing else does."""
    source = operator.input(0)
    joined = graph.producers().get(id(source))
    suits = (
        joined is not None
        and joined.opcode == "CONCATENATION"
        and joined.options.axis in (3, -1)
        and len(source.shape) == 4
        and source.shape[0] == 1
        and not any(map(is_constant, joined.inputs))
        and graph.consumers()[id(source)] == [operator]
        and not any(source is output for output in graph.outputs)
    )
    return joined if suits else None


def _part(operator: Operator, source: Tensor, first: int) -> Operator:
    """Return a depthwise convolution for the channels of one part."""
    _, kernel, *rest = operator.inputs
    target, chosen = operator.outputs[0], slice(first, first + source.shape[3])
    output = activation(
        f"{target.name}/channels_{chosen.start}", (*target.shape[:3], source.shape[3]), target
    )
    constants = [
        tensor
        and constant(
            f"{tensor.name}/channels_{chosen.start}",
            np.ascontiguousarray(tensor.array()[..., chosen]),
            _select(tensor.quantization, chosen),
        )
        for tensor in (kernel, *rest)
    ]
    return operator.clone([source, *constants], output)


def _select(quantization: Quantization | None, chosen: slice) -> Quantization | None:
    if quantization is None or len(quantization.scales) == 1:
        return quantization
    zeros = quantization.zero_points
    zeros = zeros[chosen] if len(zeros) == len(quantization.scales) else zeros
    return Quantization(quantization.scales[chosen], zeros, quantization.axis)
