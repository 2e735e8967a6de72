"""Write a schedule as a graph of standard operators."""

from __future__ import annotations

import numpy as np

from tinyseg.tflite.graph import Graph, activation, constant, is_constant, make
from tinyseg.tflite.model import TfliteModel
from tinyseg.tflite.nodes import Operator, Tensor
from tinyseg.tflite.ops.registry import op_of
from tinyseg.tflite.ops.rows import Margin
from tinyseg.tflite.patching.schedule import StripSchedule
from tinyseg.tflite.patching.unroll import StripNetwork, StripPiece, StripStep
from tinyseg.tflite.schema import Padding


def emit(model: TfliteModel, schedule: StripSchedule) -> bytes:
    """Return the file of a network that is executed as scheduled.

    Args:
        model: the network that the schedule was made for.
        schedule: from :func:`~tinyseg.tflite.patching.search.best_schedule`.
    """
    return _Writer(model, schedule).write()


class _Writer:
    def __init__(self, model: TfliteModel, schedule: StripSchedule) -> None:
        self._schedule = schedule
        self._network = StripNetwork(model)
        self._graph = Graph(model.content)
        self._tensors = list(self._graph.tensors)
        self._old = list(self._graph.operators)
        self._output = model.outputs[0].index
        # Tensors by their pieces: whole ones for all regions, others for one.
        self._whole = {self._network.whole(t.index): self._tensors[t.index] for t in model.inputs}
        self._parts: dict[StripPiece, Tensor] = {}
        # Tensors of the old graph that are made again.
        self._kept: set[int] = set()
        self._constants: dict[bytes, Tensor] = {}
        self._made: list[Operator] = []

    def write(self) -> bytes:
        for region in self._schedule.regions:
            self._parts = {}
            for step in self._network.unroll(region):
                self._made.append(self._operator(step))
            for sink in region.sinks:
                piece = self._network.whole(sink)
                self._whole[piece] = self._parts[piece]
        self._graph.operators[:] = self._made
        return self._graph.to_bytes()

    def _operator(self, step: StripStep) -> Operator:
        if step.operator is not None:
            return self._copy(step, step.operator)
        inputs = [self._find(piece) for piece in step.inputs]
        output = self._new(step.output)
        if step.kind == "concat":
            return make("CONCATENATION", inputs, output, axis=1)
        if step.kind == "pad":
            paddings = _paddings(step.output.margin, len(output.shape))
            return make("PAD", [*inputs, self._constant("paddings", paddings)], output)
        # Where the cut piece starts in the one that it is cut from.
        first = step.output.rows.first - step.inputs[0].rows.first
        begin = self._constant("begin", np.array([0, first, 0, 0], np.int32))
        size = self._constant("size", np.array(output.shape, np.int32))
        return make("SLICE", [*inputs, begin, size], output)

    def _copy(self, step: StripStep, operator: Operator) -> Operator:
        """Return an operator of the old graph for some rows."""
        old = self._old[operator.index]
        pieces = iter(step.inputs)
        inputs = [
            tensor if tensor is None or is_constant(tensor) else self._find(next(pieces))
            for tensor in old.inputs
        ]
        output = self._new(step.output)
        new = old.clone(inputs, output)
        if output.shape == old.outputs[0].shape and not any(map(_padded, step.inputs)):
            return new
        op, how = op_of(operator), self._network.rule(operator)
        if op.padding:
            new.options.padding = Padding.VALID
        elif op.image_size is not None:
            number, _ = op.image_size
            new.inputs[number] = self._constant("size", np.array(output.shape[1:3], np.int32))
        elif how.pads:
            _, margin = how.needs(step.output.rows, operator.input(0).shape[1])
            new.inputs[1] = self._constant("paddings", _paddings(margin, 4))
        return new

    def _find(self, piece: StripPiece) -> Tensor:
        return self._parts[piece] if piece in self._parts else self._whole[piece]

    def _new(self, piece: StripPiece) -> Tensor:
        """Return the tensor of a piece that is being made."""
        old = self._tensors[piece.tensor]
        whole = piece == self._network.whole(piece.tensor)
        if whole and piece.tensor not in self._kept:
            # The first to compute the whole tensor keeps its name.
            made = old
            self._kept.add(piece.tensor)
        else:
            label = f"{old.name}/rows_{piece.rows.first}_{piece.rows.last}"
            label += "/padded" if _padded(piece) else ""
            made = activation(label, self._network.shape(piece), old)
        self._parts[piece] = made
        return made

    def _constant(self, name: str, values: np.ndarray) -> Tensor:
        key = name.encode() + values.tobytes()
        if key not in self._constants:
            label = f"{name}_{'_'.join(str(value) for value in values.reshape(-1))}"
            self._constants[key] = constant(label, values)
        return self._constants[key]


def _padded(piece: StripPiece) -> bool:
    return any(piece.margin)


def _paddings(margin: Margin, rank: int) -> np.ndarray:
    top, bottom, left, right = margin
    return np.array([(0, 0), (top, bottom), (left, right), (0, 0)][:rank], np.int32)
