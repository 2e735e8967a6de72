"""Operators on shapes: the same values in another order or number."""

from __future__ import annotations

from tinyseg.tflite.ops.memory import ENUM, Memory, same
from tinyseg.tflite.ops.op import FLOAT32, INT8, INT16, Op, family
from tinyseg.tflite.ops.scales import SAME

_ALL = (INT8, INT16, FLOAT32)

SHAPES = (
    *family("RESHAPE SQUEEZE", memory=Memory(same(36)), quantization=SAME),
    Op("SHAPE", memory=Memory(ENUM)),
    Op("EXPAND_DIMS", inputs=("data", "axis"), types=_ALL, quantization=SAME),
    Op(
        "TRANSPOSE", inputs=("data", "permutation"), types=_ALL, quantization=SAME, int8_kernel=True
    ),
    *family("BROADCAST_TO REVERSE_V2", quantization=SAME),
    *family("BROADCAST_ARGS FILL"),
    Op("TILE", tflm=False),
)
