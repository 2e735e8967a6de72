"""Operators that look values up by their index."""

from __future__ import annotations

from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.ops.memory import Memory, output_dimensions, same
from tinyseg.tflite.ops.op import FLOAT32, INT8, Op
from tinyseg.tflite.ops.rows import POINTWISE, RowRule
from tinyseg.tflite.ops.scales import SAME


def _rows(operator: Operator) -> RowRule | None:
    """Rows of the indices, if each is looked up in one table."""
    (table, indices), rest = operator.first(2), operator.inputs[2:]
    scalar = operator.options is None or operator.options.axis == 0
    fits = table.constant and len(table.shape) == 1 and not indices.constant and not rest
    return POINTWISE if fits and scalar else None


GATHER = Op(
    "GATHER",
    inputs=("data", "indices"),
    int32=("indices",),
    options="GatherOptions",
    types=(INT8, FLOAT32),
    memory=Memory(same(8), more=output_dimensions),
    rows=_rows,
    quantization=SAME,
)
LOOKUPS = (
    GATHER,
    Op(
        "GATHER_ND",
        inputs=("data", "indices"),
        int32=("indices",),
        types=(INT8, FLOAT32),
        memory=Memory(more=output_dimensions),
        quantization=SAME,
    ),
    Op(
        "EMBEDDING_LOOKUP",
        inputs=("indices", "data"),
        int32=("indices",),
        types=(INT8, FLOAT32),
        memory=Memory(data=(16, 8), more=output_dimensions),
    ),
)
