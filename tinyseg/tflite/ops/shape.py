"""Operators on shapes: the same values in another order or number."""

from __future__ import annotations

from tinyseg.tflite.ops.memory import ENUM, Memory, same
from tinyseg.tflite.ops.op import FLOAT32, INT8, INT16, Op, family

_ALL = (INT8, INT16, FLOAT32)

SHAPES = (
    *family("RESHAPE SQUEEZE", memory=Memory(same(36))),
    Op("SHAPE", memory=Memory(ENUM)),
    Op("EXPAND_DIMS", inputs=("data", "axis"), types=_ALL),
    Op("TRANSPOSE", inputs=("data", "permutation"), types=_ALL, int8_kernel=True),
    *family("BROADCAST_ARGS BROADCAST_TO FILL REVERSE_V2"),
    Op("TILE", tflm=False),
)
