"""Operators that cut tensors, into one part or several."""

from __future__ import annotations

from tinyseg.tflite.ops.memory import Memory, same
from tinyseg.tflite.ops.op import BOOL, FLOAT32, INT8, INT16, INT32, Op
from tinyseg.tflite.ops.scales import SAME

_TYPES = (INT8, INT16, INT32, FLOAT32)

SLICE = Op(
    "SLICE",
    inputs=("data", "begin", "size"),
    options="SliceOptions",
    types=(*_TYPES, BOOL),
    quantization=SAME,
)
STRIDED_SLICE = Op(
    "STRIDED_SLICE",
    inputs=("data", "begin", "end", "strides"),
    options="StridedSliceOptions",
    types=(*_TYPES, BOOL),
    int32=("begin", "end", "strides"),
    memory=Memory(same(24), same(84)),
    quantization=SAME,
)
SLICES = (
    SLICE,
    STRIDED_SLICE,
    Op("DYNAMIC_UPDATE_SLICE", inputs=("data", "update", "begin"), types=_TYPES, quantization=SAME),
    Op(
        "SPLIT",
        inputs=("axis", "data"),
        types=_TYPES,
        int32=("axis",),
        memory=Memory(same(4)),
        quantization=SAME,
    ),
    Op(
        "SPLIT_V",
        inputs=("data", "sizes", "axis"),
        types=_TYPES,
        int32=("sizes", "axis"),
        memory=Memory(same(4)),
        quantization=SAME,
    ),
    Op("UNPACK", types=_TYPES, memory=Memory(same(8)), quantization=SAME),
)
