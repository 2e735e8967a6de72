"""Operators that change the element type: QUANTIZE, DEQUANTIZE, CAST."""

from __future__ import annotations

from tinyseg.tflite.ops.cost import per_input
from tinyseg.tflite.ops.memory import Memory, same
from tinyseg.tflite.ops.op import BOOL, FLOAT32, INT8, INT16, INT32, UINT8, UINT32, Op
from tinyseg.tflite.ops.rows import pointwise

_QUANTIZED = {
    INT8: (INT8, UINT8, INT16, INT32),
    INT16: (INT8, INT16, INT32),
    INT32: (INT8, INT16),
    FLOAT32: (INT8, INT16),
    UINT8: (INT8,),
}
_NUMBERS = (INT8, INT16, INT32, UINT32, FLOAT32)

QUANTIZE = Op(
    "QUANTIZE",
    cost=per_input(4),
    types=tuple(_QUANTIZED),
    results=_QUANTIZED,
    instead="convert again with full-integer quantization",
    memory=Memory(data=same(32)),
    rows=pointwise,
)
DEQUANTIZE = Op(
    "DEQUANTIZE",
    cost=per_input(2),
    types=(INT8, INT16, UINT8),
    results=(FLOAT32,),
    instead="convert again with full-integer quantization",
    memory=Memory(data=same(32)),
    rows=pointwise,
)
CAST = Op(
    "CAST",
    options="CastOptions",
    types=(*_NUMBERS, BOOL),
    results=(*_NUMBERS, BOOL),
    memory=Memory((8, 2)),
    rows=pointwise,
)
