"""CONCATENATION and PACK."""

from __future__ import annotations

from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.ops.memory import Memory, same
from tinyseg.tflite.ops.op import BOOL, FLOAT32, INT8, INT16, INT32, INT64, Op
from tinyseg.tflite.ops.rows import Rule, pointwise
from tinyseg.tflite.ops.scales import SAME


def _rows(operator: Operator) -> Rule | None:
    along_rows = operator.options.axis % 4 in (0, 1)
    return None if along_rows else pointwise(operator)


CONCATENATION = Op(
    "CONCATENATION",
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
