"""Operators of one tensor, element by element."""

from __future__ import annotations

import numpy as np

from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.ops.checks import Severity
from tinyseg.tflite.ops.cost import per_input
from tinyseg.tflite.ops.memory import Memory, same
from tinyseg.tflite.ops.op import BOOL, FLOAT32, INT8, INT16, INT32, INT64, Op, family
from tinyseg.tflite.ops.rows import pointwise
from tinyseg.tflite.ops.scales import Scales

_USE_RELU = "use ReLU instead of this activation"
_ALL = (INT8, INT16, FLOAT32)


def _keeps_scale(operator: Operator) -> tuple[Severity, str] | None:
    if operator.input(0).dtype != "int8":
        return None
    if np.array_equal(operator.input(0).scales, operator.outputs[0].scales):
        return None
    return "error", "a standalone int8 RELU6 that rescales is wrong in TFLM; fuse it"


ELEMENTWISE_UNARY = (
    Op("ABS", types=_ALL, memory=Memory(data=same(28)), rows=pointwise),
    Op("ELU", types=(INT8, FLOAT32), memory=Memory(data=same(256)), rows=pointwise),
    Op("HARD_SWISH", types=(INT8, FLOAT32), memory=Memory(data=same(20)), rows=pointwise),
    Op("LEAKY_RELU", types=_ALL, memory=Memory(same(4), same(24)), rows=pointwise),
    Op(
        "LOGISTIC",
        types=_ALL,
        in_place=True,
        memory=Memory(data=same(16)),
        rows=pointwise,
        quantization=Scales(needed=True, output=(1 / 256, -128)),
    ),
    Op("NEG", types=(FLOAT32,), rows=pointwise),
    Op("PRELU", inputs=("data", "slope"), types=_ALL, memory=Memory(data=same(28)), rows=pointwise),
    Op(
        "RELU",
        cost=per_input(2),
        types=_ALL,
        in_place=True,
        memory=Memory(data=same(28)),
        rows=pointwise,
    ),
    Op(
        "RELU6",
        cost=per_input(2),
        types=_ALL,
        in_place=True,
        memory=Memory(data=same(8)),
        rows=pointwise,
        checks=(_keeps_scale,),
    ),
    Op("RSQRT", types=_ALL, memory=Memory(data=same(28))),
    Op(
        "TANH",
        types=_ALL,
        memory=Memory(data=same(16)),
        rows=pointwise,
        quantization=Scales(output=(1 / 128, 0)),
    ),
    *family("EXP LOG", types=(FLOAT32,), instead=_USE_RELU),
    *family("CEIL COS FLOOR ROUND SIN SQRT SQUARE", types=(FLOAT32,)),
    Op("LOGICAL_NOT", types=(BOOL,)),
    Op("ZEROS_LIKE", types=(INT8, INT32, INT64, FLOAT32)),
    *family("GELU RELU_N1_TO_1 RELU_0_TO_1", tflm=False, instead=_USE_RELU),
    Op("SIGN", tflm=False),
)
