"""Undo the cutting into strips that saves TFLM memory: the same bytes, no row computed twice.

Strips of a map are computed one after the other by copies of the same operators, with slices
before them and a concatenation behind, and rows near the cuts once for each strip. Each copy is
found to be some rows of what one operator would compute of whole maps, which takes its place.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tinyseg.tflite.graph import Graph, activation, constant, cut_rows, is_constant, pad
from tinyseg.tflite.nodes import Operator, Tensor
from tinyseg.tflite.ops.padding import same_padding
from tinyseg.tflite.ops.registry import op_of
from tinyseg.tflite.ops.rows import POINTWISE
from tinyseg.tflite.patching.views import CannotError, Copy, Views, Whole, is_join
from tinyseg.tflite.schema import Padding


def join_strips(graph: Graph) -> list[str]:
    """Compute maps whole that are computed in strips; exact. All of them, or none.

    Returns:
        Names of the maps that had been put together.
    """
    joins = [op for op in graph.operators if is_join(op)]
    if not joins:
        return []
    try:
        made = _Joined(Views(graph)).operators()
    except (CannotError, AttributeError, IndexError, ValueError):
        return []  # Of a file that lacks tensors or values the rules will tell.
    graph.operators[:] = made
    graph.remove_dead()
    return [operator.outputs[0].name for operator in joins]


class _Joined:
    """Writes operators of whole tensors."""

    def __init__(self, views: Views) -> None:
        self._views = views

    def operators(self) -> list[Operator]:
        return [made for part in self._views.order for made in self._written(part)]

    def _written(self, part: Whole | Operator) -> list[Operator]:
        if isinstance(part, Whole):
            return self._computed(part)
        inputs = [
            tensor if tensor is None or is_constant(tensor) else self._views.whole(tensor)
            for tensor in part.inputs
        ]
        return [dataclasses.replace(part, inputs=inputs)]

    def _computed(self, whole: Whole) -> list[Operator]:
        operator, sources, _, _ = whole.copies[0]
        for copy in whole.copies:
            self._check(copy, whole)
        whole.tensor = _named(whole)
        made: list[Operator] = []
        inputs = list(operator.inputs)
        for number, view in enumerate(sources):
            if view is not None:
                inputs[number] = self._source(view.whole, whole, made)
        new = operator.clone(inputs, whole.tensor)
        if (size := op_of(operator).image_size) is not None:
            sides = np.array(whole.tensor.shape[1:3], np.int32)
            new.inputs[size[0]] = constant(f"{whole.tensor.name}/size", sides)
        if op_of(operator).padding:
            _set_padding(new, whole, made)
        return [*made, new]

    @staticmethod
    def _check(copy: Copy, whole: Whole) -> None:
        """Zeros that a copy reads lie outside the whole source, too."""
        how, height = copy.how, copy.operator.outputs[0].shape[1]
        for view in copy.sources:
            if view is None or view.whole.fills is not None or how is POINTWISE:
                continue
            last = (copy.first + height - 1) * how.stride // how.scale - whole.before + how.extent
            end = view.first + view.height
            if last > end and end != view.whole.height:
                raise CannotError

    def _source(self, source: Whole, whole: Whole, made: list[Operator]) -> Tensor:
        """Return a source as high as an operator needs it, which may be made for it."""
        how, height = whole.copies[0].how, whole.height
        if source.fills is not None:
            old = source.fills.outputs[0]
            tensor = activation(f"{old.name}/{height}", (1, height, *old.shape[2:]), old)
            size = constant(f"{tensor.name}/size", np.array(tensor.shape[1:3], np.int32))
            made.append(source.fills.clone([source.fills.inputs[0], size], tensor))
            return tensor
        assert source.tensor is not None  # Its operators come first.
        needed = (height - 1) * how.stride // how.scale - whole.before + how.extent
        if source.tensor.shape[1] < needed + how.stride:
            return source.tensor
        return cut_rows(source.tensor, 0, needed, made)  # Others had read those below.


def _named(whole: Whole) -> Tensor:
    """Return the tensor of all rows: one of the graph's, if it has one of so many."""
    made = [copy.operator.outputs[0] for copy in whole.copies]
    for tensor in (whole.tensor, *made):
        if tensor is not None and tensor.shape[1] == whole.height:
            return tensor
    shape = (made[0].shape[0], whole.height, *made[0].shape[2:])
    return activation(f"{made[0].name}/joined", shape, made[0])


def _set_padding(operator: Operator, whole: Whole, made: list[Operator]) -> None:
    """Give a window over a whole tensor its padding; appends the operator that pads, if any."""
    old, sources, _, how = whole.copies[0]
    view, data, target = sources[0], operator.input(0), operator.outputs[0]
    assert view is not None
    left, right = how.left + view.margin.left, how.right + view.margin.right
    last = (target.shape[1] - 1) * how.stride - whole.before + how.extent
    rows, columns = (whole.before, max(last - data.shape[1], 0)), (left, right)
    same = same_padding(Padding.SAME, data.shape[1], target.shape[1], how.extent, how.stride)
    same_rows = rows == same and target.shape[1] == -(-data.shape[1] // how.stride)
    if same_rows and old.options.padding == Padding.SAME and not any(view.margin):
        return
    operator.options.padding = Padding.VALID
    operator.inputs[0] = pad(data, (rows, columns), target.name, made)
