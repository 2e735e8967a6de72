"""Which rows of its inputs an operator needs for some rows of its output."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

from tinyseg.tflite.nodes import Operator, Tensor
from tinyseg.tflite.ops.padding import same_padding


class Rows(NamedTuple):
    """Rows ``first`` up to, not including, ``last``."""

    first: int
    last: int

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.last - self.first

    def hull(self, other: Rows | None) -> Rows:
        """Return the smallest range with both."""
        if other is None:
            return self
        return Rows(min(self.first, other.first), max(self.last, other.last))

    def aligned(self, step: int, height: int) -> Rows:
        """Return the smallest range with these rows that starts and ends at multiples."""
        return Rows(self.first // step * step, min(-(-self.last // step) * step, height))


class Margin(NamedTuple):
    """Rows and columns of zeros around an input."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0


@dataclasses.dataclass(frozen=True)
class RowRule:
    """How rows of an operator's output follow from rows of its inputs.

    Output row o reads the input rows ``o * stride // scale - before`` and the ``extent - 1``
    after it.

    Attributes:
        extent, stride: of the window, 1 for operators without.
        scale: output rows for an input row, of operators that enlarge; output rows come in
            multiples of it.
        before: padding above the first row.
        left, right: padding at the sides.
        pads: whether the operator itself is the padding.
    """

    extent: int = 1
    stride: int = 1
    scale: int = 1
    before: int = 0
    left: int = 0
    right: int = 0
    pads: bool = False

    def needs(self, rows: Rows, height: int) -> tuple[Rows, Margin]:
        """Return what an input of so many rows must give for rows of the output.

        Returns:
            Rows of the input, and the zeros around them.
        """
        if self is POINTWISE:
            return rows, _NO_MARGIN
        first = rows.first * self.stride // self.scale - self.before
        last = (rows.last - 1) * self.stride // self.scale - self.before + self.extent
        inside = Rows(min(max(first, 0), height - 1), max(min(last, height), 1))
        top = max(inside.first - first, 0)
        return inside, Margin(top, max(last - inside.last, 0), self.left, self.right)

    def reaching(self, rows: Rows, height: int) -> Rows:
        """Return rows of the padded output of PAD, widened to where it has one of the input.

        Args:
            rows: that are wanted.
            height: rows of the input.
        """
        return Rows(min(rows.first, self.before + height - 1), max(rows.last, self.before + 1))


POINTWISE, _NO_MARGIN = RowRule(), Margin()


def activations(operator: Operator) -> list[Tensor]:
    """Return the inputs that are computed."""
    return [tensor for tensor in operator.inputs if tensor is not None and not tensor.constant]


def pointwise(operator: Operator) -> RowRule | None:
    """Return the rule of an operator that computes each row from the same row of its inputs."""
    height = operator.outputs[0].shape[1]
    for tensor in operator.inputs:
        if tensor is None:
            continue
        if not tensor.constant and tensor.shape[1] != height:
            return None
        if tensor.constant and len(tensor.shape) > 2 and tensor.shape[-3] != 1:
            return None
    return POINTWISE


def convolution(operator: Operator) -> RowRule | None:
    """Return the rule of a convolution, with a constant kernel."""
    data, kernel = operator.first(2)
    if data.constant or not kernel.constant or len(kernel.shape) != 4:
        return None
    options = operator.options
    heights = (kernel.shape[1] - 1) * options.dilationHFactor + 1
    widths = (kernel.shape[2] - 1) * options.dilationWFactor + 1
    output = operator.outputs[0].shape
    top, _ = same_padding(options.padding, data.shape[1], output[1], heights, options.strideH)
    sides = same_padding(options.padding, data.shape[2], output[2], widths, options.strideW)
    made = RowRule(heights, options.strideH, 1, top, *sides)
    return POINTWISE if made == POINTWISE else made
