"""Operators that change the element type: QUANTIZE, DEQUANTIZE, CAST."""

from __future__ import annotations

from tinyseg.tflite.ops.cost import per_input
from tinyseg.tflite.ops.memory import Memory, same
from tinyseg.tflite.ops.op import BOOL, FLOAT32, INT8, INT16, INT32, Op
from tinyseg.tflite.ops.rows import pointwise

QUANTIZE = Op(
    "QUANTIZE",
    cost=per_input(4),
    types=(INT8, INT16, INT32, FLOAT32, "uint8"),
    memory=Memory(data=same(32)),
    rows=pointwise,
)
DEQUANTIZE = Op(
    "DEQUANTIZE",
    cost=per_input(2),
    types=(INT8, INT16, "uint8"),
    memory=Memory(data=same(32)),
    rows=pointwise,
)
CAST = Op(
    "CAST",
    options="CastOptions",
    types=(INT8, INT16, INT32, FLOAT32, BOOL),
    memory=Memory((8, 2)),
    rows=pointwise,
)
