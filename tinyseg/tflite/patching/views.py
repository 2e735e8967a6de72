"""What the tensors of a network that was cut into strips are: some rows of whole tensors."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from tinyseg.tflite.graph import Graph, is_constant
from tinyseg.tflite.nodes import Operator, Tensor
from tinyseg.tflite.ops.registry import op_of, rule
from tinyseg.tflite.ops.rows import Margin, RowRule


class View(NamedTuple):
    """Rows of a whole tensor from ``first`` on, perhaps with zeros around.

    Of constants that fill any number of rows ``first`` tells nothing.
    """

    whole: Whole
    first: int
    height: int
    margin: Margin = Margin()


class Copy(NamedTuple):
    """An operator of the graph that computes some rows, and the views it reads."""

    operator: Operator
    sources: tuple[View | None, ...]
    first: int
    how: RowRule


@dataclasses.dataclass(eq=False)
class Whole:
    """A tensor without cuts.

    Attributes:
        tensor: it, once that is known.
        copies: operators that compute rows of it; none of what is not computed here.
        before: rows of padding above its operator's input.
        fills: a resize of one pixel that gives any number of equal rows.
    """

    tensor: Tensor | None = None
    copies: list[Copy] = dataclasses.field(default_factory=list)
    before: int = 0
    fills: Operator | None = None

    @property
    def height(self) -> int:
        """Rows, once all copies are known."""
        if self.copies:
            return max(copy.first + copy.operator.outputs[0].shape[1] for copy in self.copies)
        return _height(self.tensor) if self.tensor is not None else 0


def _height(tensor: Tensor) -> int:
    return tensor.shape[1] if len(tensor.shape) > 1 else 1


class CannotError(Exception):
    """What the graph has is no strip of anything."""


def is_join(operator: Operator) -> bool:
    """Return whether an operator puts rows below each other."""
    return operator.opcode == "CONCATENATION" and operator.options.axis == 1


class Views:
    """What each tensor of a graph is some rows of.

    Attributes:
        order: what is computed, in an order that can be; operators that need their inputs whole
            are themselves.
    """

    def __init__(self, graph: Graph) -> None:
        self._known: dict[int, View] = {}
        self._wholes: dict[Hashable, Whole] = {}
        self.order: list[Whole | Operator] = []
        for operator in graph.operators:
            self._add(operator)
        for tensor in graph.outputs:
            # Outputs keep their names.
            if (whole := self.of(tensor).whole).copies:
                whole.tensor = tensor
        for tensor in graph.outputs:
            if self.whole(tensor) is not tensor:
                raise CannotError

    def of(self, tensor: Tensor) -> View:
        """Return what a tensor is; one that nobody computed is itself."""
        if id(tensor) not in self._known:
            self._known[id(tensor)] = View(Whole(tensor), 0, _height(tensor))
        return self._known[id(tensor)]

    def whole(self, tensor: Tensor) -> Tensor | None:
        """Return the whole tensor that one is, once that is known.

        Raises:
            CannotError: it is a part of one.
        """
        view = self.of(tensor)
        if any(view.margin) or view.first or view.whole.fills is not None:
            raise CannotError
        if view.height != view.whole.height:
            raise CannotError
        return view.whole.tensor

    def _add(self, operator: Operator) -> None:
        target = operator.outputs[0]
        view = None
        if len(operator.outputs) == 1 and len(target.shape) == 4 and not operator.custom:
            view = self._seen(operator)
        if view is None:
            self.order.append(operator)
        else:
            self._known[id(target)] = view

    def _seen(self, operator: Operator) -> View | None:
        """Return what an operator's output is; None if it needs its inputs whole."""
        if operator.opcode == "SLICE":
            return self._sliced(operator)
        if is_join(operator):
            return self._joined(operator)
        if operator.opcode == "PAD":
            return self._padded(operator)
        if all(t is None or is_constant(t) for t in operator.inputs):
            return self._filled(operator)
        how = rule(operator)
        return None if how is None else self._computed(operator, how)

    def _sliced(self, operator: Operator) -> View | None:
        source, begin, size = operator.first(3)
        if not is_constant(begin) or not is_constant(size) or len(source.shape) != 4:
            return None
        first, target = begin.array().tolist(), operator.outputs[0].shape
        view = self.of(source)
        others = (0, 2, 3)
        if any(first[axis] or target[axis] != source.shape[axis] for axis in others):
            return None
        if any(view.margin):
            raise CannotError
        return View(view.whole, view.first + first[1], target[1])

    def _joined(self, operator: Operator) -> View:
        views = [self.of(tensor) for tensor in operator.first(len(operator.inputs))]
        at = views[0].first
        for view in views:
            if view.whole is not views[0].whole or view.first != at or any(view.margin):
                raise CannotError
            at += view.height
        whole, target = views[0].whole, operator.outputs[0]
        if whole.copies and (whole.tensor is None or whole.tensor.shape[1] < target.shape[1]):
            # The name of the map that was cut; of too few rows if that is a part, too.
            whole.tensor = target
        return View(whole, views[0].first, target.shape[1])

    def _padded(self, operator: Operator) -> View | None:
        source, paddings = operator.first(2)
        if not is_constant(paddings) or len(source.shape) != 4:
            return None
        batch, rows, columns, channels = paddings.array().tolist()
        view = self.of(source)
        if any(batch + channels) or any(view.margin):
            return None
        return view._replace(margin=Margin(*rows, *columns))

    def _filled(self, operator: Operator) -> View | None:
        source = operator.input(0)
        if operator.opcode != "RESIZE_NEAREST_NEIGHBOR" or source.shape[1:3] != (1, 1):
            return None
        key = ("filled", id(source), operator.outputs[0].shape[2])
        whole = self._wholes.setdefault(key, Whole(fills=operator))
        return View(whole, 0, operator.outputs[0].shape[1])

    def _computed(self, operator: Operator, how: RowRule) -> View | None:
        sources = tuple(
            None if tensor is None or is_constant(tensor) else self.of(tensor)
            for tensor in operator.inputs
        )
        read = [view for view in sources if view is not None and view.whole.fills is None]
        if not read or any((one.first, one.margin) != read[0][1::2] for one in read):
            return None
        one = read[0]
        # A pooling leaves out what its own padding adds, and not what PAD does.
        if any(one.margin) and not op_of(operator).convolves:
            return None
        key = _key(operator, sources, how, one.margin)
        whole = self._wholes.get(key)
        above = one.margin.top + how.before
        if whole is None:
            whole = self._wholes[key] = Whole(before=above)
            self.order.append(whole)
        first, rest = divmod((one.first - above + whole.before) * how.scale, how.stride)
        # Zeros lie above all rows; and the first copy has the first row.
        if rest or (above and one.first) or first < 0 or (first and not whole.copies):
            raise CannotError
        whole.copies.append(Copy(operator, sources, first, how))
        return View(whole, first, operator.outputs[0].shape[1])


def _key(
    operator: Operator, sources: Sequence[View | None], how: RowRule, margin: Margin
) -> Hashable:
    """Return what copies of one operator have in common."""
    options = vars(operator.options) if operator.options is not None else {}
    target, size = operator.outputs[0], op_of(operator).image_size
    return (
        operator.opcode,
        tuple(sorted((k, repr(v)) for k, v in options.items() if k != "padding")),
        tuple(id(view.whole) if view is not None else None for view in sources),
        tuple(
            id(tensor)
            for number, tensor in enumerate(operator.inputs)
            if is_constant(tensor) and (size is None or number != size[0])
        ),
        (how.left + margin.left, how.right + margin.right),
        (target.shape[2:], target.dtype, target.scales.tobytes(), target.zero_points.tobytes()),
    )
