"""Operators on shapes: the same values in another order or number."""

from __future__ import annotations

from tinyseg.tflite.ops.memory import ENUM, Memory, same
from tinyseg.tflite.ops.op import BOOL, FLOAT32, INT8, INT16, INT32, INT64, UINT8, Op, family
from tinyseg.tflite.ops.scales import SAME

_ALL = (INT8, INT16, FLOAT32)

SHAPES = (
    *family("RESHAPE SQUEEZE", memory=Memory(same(36)), quantization=SAME),
    Op("SHAPE", results=(INT32,), memory=Memory(ENUM)),
    Op("EXPAND_DIMS", inputs=("data", "axis"), types=_ALL, int32=("axis",), quantization=SAME),
    Op(
        "TRANSPOSE",
        inputs=("data", "permutation"),
        types=_ALL,
        int32=("permutation",),
        quantization=SAME,
        int8_kernel=True,
    ),
    Op("BROADCAST_ARGS", types=(INT32, INT64)),
    Op("BROADCAST_TO", quantization=SAME),
    Op("FILL", inputs=("shape", "data"), types=(INT8, INT32, FLOAT32)),
    Op(
        "REVERSE_V2",
        inputs=("data", "axes"),
        types=(*_ALL, INT32, INT64, UINT8, BOOL),
        int32=("axes",),
        quantization=SAME,
    ),
    Op("TILE", tflm=False),
)
