"""SOFTMAX, LOG_SOFTMAX, L2_NORMALIZATION."""

from __future__ import annotations

from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.ops.cost import per_input
from tinyseg.tflite.ops.memory import ENUM, Memory, same
from tinyseg.tflite.ops.op import FLOAT32, INT8, INT16, Op
from tinyseg.tflite.ops.scales import Scales
from tinyseg.tflite.target import Target

_INT16_TABLE_BYTES = 2 * 513


def _softmax_more(operator: Operator, target: Target) -> list[int]:
    return 2 * [_INT16_TABLE_BYTES] if operator.input(0).dtype == "int16" else []


def _log_softmax_more(operator: Operator, target: Target) -> list[int]:
    return [40 if target.wide else 28] if operator.input(0).dtype == "int8" else []


SOFTMAX = Op(
    "SOFTMAX",
    cost=per_input(5),
    types=(INT8, INT16, FLOAT32),
    memory=Memory(same(4), (80, 64), more=_softmax_more),
    quantization=Scales(output=(1 / 256, -128)),
    int8_kernel=True,
)
NORMALIZATIONS = (
    SOFTMAX,
    Op(
        "LOG_SOFTMAX",
        types=(INT8, FLOAT32),
        memory=Memory(more=_log_softmax_more),
        quantization=Scales(output=(16 / 256, 127)),
    ),
    Op(
        "L2_NORMALIZATION",
        types=(INT8, FLOAT32),
        memory=Memory(ENUM, same(4)),
        quantization=Scales(output=(1 / 128, 0)),
    ),
)
