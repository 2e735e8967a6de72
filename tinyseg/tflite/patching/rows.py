"""Which rows of its inputs an operator needs for some rows of its output."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tinyseg.tflite.model import Operator, Tensor


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
class Rule:
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
        if self is _POINTWISE:
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


_POINTWISE, _NO_MARGIN = Rule(), Margin()


def rule(operator: Operator) -> Rule | None:
    """Return an operator's rule, None if it cannot be computed in strips."""
    maker = _RULES.get(operator.opcode)
    if maker is None or operator.custom or len(operator.outputs) != 1:
        return None
    tensors = (*activations(operator), operator.outputs[0])
    if any(len(tensor.shape) != 4 or tensor.shape[0] != 1 for tensor in tensors):
        return None
    return maker(operator)


def activations(operator: Operator) -> list[Tensor]:
    """Return the inputs that are computed."""
    return [tensor for tensor in operator.inputs if tensor is not None and not tensor.constant]


def _pointwise(operator: Operator) -> Rule | None:
    height = operator.outputs[0].shape[1]
    for tensor in operator.inputs:
        if tensor is None:
            continue
        if not tensor.constant and tensor.shape[1] != height:
            return None
        if tensor.constant and len(tensor.shape) > 2 and tensor.shape[-3] != 1:
            return None
    return _POINTWISE


def _concatenation(operator: Operator) -> Rule | None:
    along_rows = operator.options.axis % 4 in (0, 1)
    return None if along_rows else _pointwise(operator)


def _lookup(operator: Operator) -> Rule | None:
    table, indices, *rest = operator.inputs
    scalar = operator.options is None or operator.options.axis == 0
    fits = table.constant and len(table.shape) == 1 and not indices.constant and not rest
    return _POINTWISE if fits and scalar else None


def _convolution(operator: Operator) -> Rule | None:
    data, kernel = operator.inputs[:2]
    if data.constant or not kernel.constant or len(kernel.shape) != 4:
        return None
    options = operator.options
    heights = (kernel.shape[1] - 1) * options.dilationHFactor + 1
    widths = (kernel.shape[2] - 1) * options.dilationWFactor + 1
    output = operator.outputs[0].shape
    top, _ = same_padding(options.padding, data.shape[1], output[1], heights, options.strideH)
    sides = same_padding(options.padding, data.shape[2], output[2], widths, options.strideW)
    made = Rule(heights, options.strideH, 1, top, *sides)
    return _POINTWISE if made == _POINTWISE else made


def _pool(operator: Operator) -> Rule | None:
    options, data = operator.options, operator.inputs[0].shape
    output = operator.outputs[0].shape
    window = (options.filterHeight, options.filterWidth)
    strides = (options.strideH, options.strideW)
    for axis in (0, 1):
        sizes = (data[1 + axis], output[1 + axis], window[axis], strides[axis])
        # Zeros around would count in the maximum or the mean.
        if any(same_padding(options.padding, *sizes)):
            return None
    return Rule(window[0], strides[0])


def _pad(operator: Operator) -> Rule | None:
    paddings = operator.inputs[1]
    if not paddings.constant or paddings.dtype != "int32" or len(operator.inputs) != 2:
        return None
    batch, rows, columns, channels = paddings.array().tolist()
    if any((*batch, *channels)):
        return None
    return Rule(1, 1, 1, rows[0], columns[0], columns[1], pads=True)


def _depth_to_space(operator: Operator) -> Rule | None:
    return Rule(scale=operator.options.blockSize)


def _space_to_depth(operator: Operator) -> Rule | None:
    return Rule(operator.options.blockSize, operator.options.blockSize)


def _nearest(operator: Operator) -> Rule | None:
    data, output = operator.inputs[0], operator.outputs[0]
    if data.constant:
        return _POINTWISE if data.shape[1] == 1 else None
    scale, rest = divmod(output.shape[1], data.shape[1])
    return None if rest or operator.options.alignCorners else Rule(scale=scale)


def same_padding(padding: int, size: int, output: int, extent: int, stride: int) -> tuple[int, int]:
    """Return TensorFlow's padding before and after an axis."""
    if padding == schema.Padding.VALID:
        return 0, 0
    total = max((output - 1) * stride + extent - size, 0)
    return total // 2, total - total // 2


_NAMES = """
    ABS ADD CAST DEQUANTIZE ELU HARD_SWISH LEAKY_RELU LOGISTIC MAXIMUM MINIMUM MUL NEG PRELU
    QUANTIZE RELU RELU6 SUB TANH
"""
_RULES: dict[str, Callable[[Operator], Rule | None]] = {
    "AVERAGE_POOL_2D": _pool,
    "CONCATENATION": _concatenation,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "DEPTH_TO_SPACE": _depth_to_space,
    "GATHER": _lookup,
    "MAX_POOL_2D": _pool,
    "PAD": _pad,
    "RESIZE_NEAREST_NEIGHBOR": _nearest,
    "SPACE_TO_DEPTH": _space_to_depth,
    **dict.fromkeys(_NAMES.split(), _pointwise),
}
