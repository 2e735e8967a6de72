"""CONCATENATION and PACK."""

from __future__ import annotations

from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.ops.checks import Severity
from tinyseg.tflite.ops.memory import Memory, same
from tinyseg.tflite.ops.op import BOOL, FLOAT32, INT8, INT16, INT32, INT64, Op
from tinyseg.tflite.ops.rows import RowRule, pointwise
from tinyseg.tflite.ops.scales import SAME


def _rows(operator: Operator) -> RowRule | None:
    along_rows = operator.options.axis % 4 in (0, 1)
    return None if along_rows else pointwise(operator)


def _joins(operator: Operator) -> tuple[Severity, str] | None:
    """Refuse parts that do not make up the whole."""
    whole = operator.outputs[0].shape
    parts = [tensor.shape for tensor in operator.first(len(operator.inputs))]
    axis = operator.options.axis % len(whole)
    fits = all(len(part) == len(whole) for part in parts)
    if fits and sum(part[axis] for part in parts) == whole[axis]:
        return None
    return "error", "its parts do not make up its result; damaged"


CONCATENATION = Op(
    "CONCATENATION",
    checks=(_joins,),
    options="ConcatenationOptions",
    types=(INT8, INT16, INT32, INT64, FLOAT32, BOOL),
    memory=Memory(same(8), (80, 24)),
    quantization=SAME,
    rows=_rows,
)
PACK = Op(
    "PACK",
    options="PackOptions",
    types=(INT8, INT16, INT32, INT64, FLOAT32),
    memory=Memory(same(8)),
    quantization=SAME,
)
