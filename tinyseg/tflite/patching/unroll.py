"""Unroll a network into strips: the operators, and the pieces of tensors between them."""

from __future__ import annotations

import functools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tinyseg.tflite.arena.planner import align
from tinyseg.tflite.model import TfliteModel
from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.ops.registry import rule
from tinyseg.tflite.ops.rows import Margin, RowRule, Rows, activations

# TFLM's CONCATENATION takes no more.
MAX_CONCATENATION = 10
_WHOLE, _SEVERAL = -1, -2


class StripPiece(NamedTuple):
    """Some rows of a tensor, perhaps with zeros around.

    Attributes:
        tensor: its index.
        rows: which.
        margin: zeros around.
        strip: what it belongs to: a number of its own for each strip of a region, or one of
            those for whole tensors and for several strips together.
    """

    tensor: int
    rows: Rows
    margin: Margin = Margin()
    strip: int = _WHOLE


class StripStep(NamedTuple):
    """One operator of the new graph.

    Attributes:
        kind: ``op``, ``slice``, ``pad`` or ``concat``.
        operator: the one of the old graph that ``op`` stands for.
        inputs: pieces; of ``op`` those of its activations, in order.
        output: piece.
    """

    kind: str
    operator: Operator | None
    inputs: tuple[StripPiece, ...]
    output: StripPiece


class StripRegion(NamedTuple):
    """Operators that are executed together, in strips or as a whole.

    Attributes:
        sinks: tensors that it computes for later ones, the last one decides the strips.
        stored: tensors that earlier ones have computed.
        strips: number of strips; 1: as a whole.
        waist: tensor whose rows each strip computes at once, before it goes on from there in
            finer strips; None if the strips are not divided. Only for a region of one sink.
        finer: number of finer strips in each strip.
    """

    sinks: tuple[int, ...]
    stored: frozenset[int]
    strips: int = 1
    waist: int | None = None
    finer: int = 1


class StripNetwork:
    """A network of one input and one output, and how its regions unroll.

    Args:
        model: parsed file.

    Attributes:
        model: the same.
        rules: of each operator, by its index; None where it cannot be computed in strips.
        producers: the operator that makes a tensor, by the tensor's index.
        bytes: of each tensor in the arena.
    """

    def __init__(self, model: TfliteModel) -> None:
        self.model = model
        self.producers = {t.index: op for op in model.operators for t in op.outputs}
        self.rules = {op.index: rule(op) for op in model.operators}
        self._items = [_item_size(t.dtype) for t in model.tensors]
        self.bytes = [
            align(math.prod(t.shape) * item)
            for t, item in zip(model.tensors, self._items, strict=True)
        ]
        # What each operator reads: tensors and their heights.
        self._reads = {
            op.index: tuple((t.index, _height(t.shape)) for t in activations(op))
            for op in model.operators
        }
        self.closure = functools.cache(self._closure)

    def _closure(self, sinks: tuple[int, ...], stored: frozenset[int]) -> tuple[Operator, ...]:
        """Return the operators between stored tensors and sinks, in order."""
        found: dict[int, Operator] = {}
        waiting = [sink for sink in sinks if sink not in stored]
        while waiting:
            operator = self.producers[waiting.pop()]
            if operator.index not in found:
                found[operator.index] = operator
                reads = self._reads[operator.index]
                waiting += [tensor for tensor, _ in reads if tensor not in stored]
        return tuple(found[index] for index in sorted(found))

    def born(self, tensor: int) -> int:
        """Return the position of a tensor in the order of execution."""
        return self.producers[tensor].index if tensor in self.producers else -1

    def read_by(self, operators: Sequence[Operator]) -> set[int]:
        """Return the activations that operators read."""
        return {tensor for op in operators for tensor, _ in self._reads[op.index]}

    def rule(self, operator: Operator) -> RowRule:
        """Return the rule of an operator that can be computed in strips."""
        how = self.rules[operator.index]
        if how is None:
            raise ValueError(f"{operator.opcode} cannot be computed in strips")
        return how

    def height(self, tensor: int) -> int:
        """Return a tensor's rows."""
        return _height(self.model.tensors[tensor].shape)

    def whole(self, tensor: int) -> StripPiece:
        """Return the piece that is a whole tensor."""
        return StripPiece(tensor, Rows(0, self.height(tensor)))

    def shape(self, piece: StripPiece) -> tuple[int, ...]:
        """Return the shape of a piece."""
        shape = self.model.tensors[piece.tensor].shape
        if len(shape) != 4:
            return shape
        top, bottom, left, right = piece.margin
        return (shape[0], piece.rows.height + top + bottom, shape[2] + left + right, shape[3])

    def size(self, piece: StripPiece) -> int:
        """Return a piece's bytes in the arena."""
        return align(math.prod(self.shape(piece)) * self._items[piece.tensor])

    def can_strip(self, region: StripRegion) -> bool:
        """Return whether every operator and sink of a region can be computed in its strips."""
        operators = self.closure(region.sinks, region.stored)
        parts = region.strips * region.finer
        return all(self.rules[operator.index] for operator in operators) and all(
            self.height(sink) >= parts for sink in region.sinks
        )

    def unroll(self, region: StripRegion) -> list[StripStep]:
        """Return all steps of a region."""
        if region.strips == 1 and region.waist is None:
            return [
                StripStep(
                    "op",
                    operator,
                    tuple(self.whole(tensor) for tensor, _ in self._reads[operator.index]),
                    self.whole(operator.outputs[0].index),
                )
                for operator in self.closure(region.sinks, region.stored)
            ]
        steps: list[StripStep] = []
        parts: dict[int, list[StripPiece]] = {sink: [] for sink in region.sinks}
        for strip in range(region.strips):
            unrolled, made = self.strip(region, strip)
            steps += unrolled
            for piece in made:
                parts[piece.tensor].append(piece)
        for pieces in parts.values():
            steps += self._join(pieces)
        return steps

    def strip(self, region: StripRegion, number: int) -> tuple[list[StripStep], list[StripPiece]]:
        """Return the steps of one strip of a region, and its pieces of the sinks."""
        wanted = {
            sink: _share(Rows(0, self.height(sink)), number, region.strips) for sink in region.sinks
        }
        stored = {tensor: self.whole(tensor) for tensor in region.stored}
        name = number * (region.finer + 1)
        if region.waist is None:
            operators = self.closure(region.sinks, region.stored)
            steps, made = self._pass(operators, wanted, stored, name)
            return _cut_early(steps), made
        (sink,) = region.sinks
        finer = self.closure((sink,), region.stored | {region.waist})
        rows = self._rows(finer, wanted)[region.waist]
        operators = self.closure((region.waist,), region.stored)
        steps, made = self._pass(operators, {region.waist: rows}, stored, name)
        stored[region.waist] = made[0]
        pieces = []
        for part in range(region.finer):
            share = {sink: _share(wanted[sink], part, region.finer)}
            more, made = self._pass(finer, share, stored, name + 1 + part)
            steps += more
            pieces += made
        return _cut_early(steps), pieces

    def _pass(
        self,
        operators: Sequence[Operator],
        wanted: Mapping[int, Rows],
        stored: Mapping[int, StripPiece],
        name: int,
    ) -> tuple[list[StripStep], list[StripPiece]]:
        """Compute rows of sinks from pieces that are there."""
        rows = self._rows(operators, wanted)
        steps: dict[StripPiece, StripStep] = {}

        def piece(tensor: int, part: Rows) -> StripPiece:
            """Return rows of a tensor, cut out where more of them are there."""
            there = stored.get(tensor) or StripPiece(tensor, rows[tensor], strip=name)
            if there.rows == part:
                return there
            cut = StripPiece(tensor, part, strip=name)
            steps.setdefault(cut, StripStep("slice", None, (there,), cut))
            return cut

        for operator in operators:
            how = self.rule(operator)
            target = operator.outputs[0].index
            output = StripPiece(target, rows[target], strip=name)
            inputs = []
            for tensor, height in self._reads[operator.index]:
                needed, margin = how.needs(output.rows, height)
                source = piece(tensor, needed)
                if not how.pads and any(margin):
                    padded = source._replace(margin=margin, strip=name)
                    steps.setdefault(padded, StripStep("pad", None, (source,), padded))
                    source = padded
                inputs.append(source)
            steps[output] = StripStep("op", operator, tuple(inputs), output)
        made = [piece(sink, part) for sink, part in wanted.items()]
        return list(steps.values()), made

    def _rows(self, operators: Sequence[Operator], wanted: Mapping[int, Rows]) -> dict[int, Rows]:
        """Return the rows of each tensor that rows of the sinks depend on."""
        rows = dict(wanted)
        for operator in reversed(operators):
            how, target = self.rule(operator), operator.outputs[0].index
            if how.scale > 1:
                rows[target] = rows[target].aligned(how.scale, self.height(target))
            for tensor, height in self._reads[operator.index]:
                if how.pads:
                    rows[target] = how.reaching(rows[target], height)
                needed, _ = how.needs(rows[target], height)
                there = rows.get(tensor)
                rows[tensor] = needed if there is None else needed.hull(there)
        return rows

    def _join(self, pieces: list[StripPiece]) -> list[StripStep]:
        """Concatenate the strips of a sink, in several steps if there are many."""
        steps = []
        whole = self.whole(pieces[0].tensor)
        while len(pieces) > 1:
            joined = []
            groups = -(-len(pieces) // MAX_CONCATENATION)
            for group in np.array_split(np.arange(len(pieces)), groups):
                members = tuple(pieces[index] for index in group)
                span = members[0].rows.hull(members[-1].rows)
                several = StripPiece(whole.tensor, span, strip=_SEVERAL)
                joined.append(whole if span == whole.rows else several)
                steps.append(StripStep("concat", None, members, joined[-1]))
            pieces = joined
        return steps


def _share(rows: Rows, number: int, parts: int) -> Rows:
    """Return one of several nearly equal parts."""
    first, last = (rows.first + rows.height * end // parts for end in (number, number + 1))
    return Rows(first, last)


def _cut_early(steps: list[StripStep]) -> list[StripStep]:
    """Move cuts that are the last to read a piece to where nothing else needs all of it."""
    readers: dict[StripPiece, list[StripStep]] = defaultdict(list)
    makers = {step.output: step for step in steps}
    for step in steps:
        for source in step.inputs:
            readers[source].append(step)
    followers: dict[StripPiece, StripStep] = {}
    for source, reading in readers.items():
        *before, last = reading
        if last.kind == "slice" and source in makers:
            followers[(before[-1] if before else makers[source]).output] = last
    moved = {step.output for step in followers.values()}
    ordered: list[StripStep] = []
    for step in steps:
        following = None if step.output in moved else step
        while following is not None:
            ordered.append(following)
            following = followers.get(following.output)
    return ordered


def _height(shape: tuple[int, ...]) -> int:
    return shape[1] if len(shape) == 4 else 1


def _item_size(dtype: str) -> int:
    return np.dtype(dtype).itemsize
