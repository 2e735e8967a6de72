"""Operators of two tensors, element by element; ADD_N takes more."""

from __future__ import annotations

from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.ops.cost import per_input, per_output
from tinyseg.tflite.ops.memory import ENUM, Memory, same
from tinyseg.tflite.ops.op import BOOL, FLOAT32, INT8, INT16, INT32, INT64, Op, family
from tinyseg.tflite.ops.rows import pointwise
from tinyseg.tflite.ops.scales import SAME, Scales
from tinyseg.tflite.target import Target

_TWO = ("data", "other")
_ARITHMETIC = (INT8, INT16, INT32, FLOAT32)
_COMPARED = (INT8, INT32, INT64, FLOAT32)


def _add_n_more(operator: Operator, target: Target) -> list[int]:
    return [40] if operator.outputs[0].dtype == "int8" else []


def _add_n_scratch(operator: Operator, target: Target) -> list[int]:
    return [target.pointer * len(operator.inputs)]


ADD = Op(
    "ADD",
    inputs=_TWO,
    options="AddOptions",
    cost=per_input(1),
    types=_ARITHMETIC,
    in_place=True,
    memory=Memory((8, 2), same(60)),
    rows=pointwise,
    quantization=Scales(needed=True),
    int8_kernel=True,
)
MUL = Op(
    "MUL",
    inputs=_TWO,
    options="MulOptions",
    cost=per_output(1),
    types=_ARITHMETIC,
    in_place=True,
    memory=Memory(ENUM, same(36)),
    rows=pointwise,
    quantization=Scales(needed=True),
    int8_kernel=True,
)
ELEMENTWISE_BINARY = (
    ADD,
    MUL,
    Op("SUB", inputs=_TWO, types=_ARITHMETIC, memory=Memory((8, 2), same(52)), rows=pointwise),
    Op("DIV", inputs=_TWO, types=(INT8, INT32, FLOAT32), memory=Memory(ENUM, same(28))),
    Op("SQUARED_DIFFERENCE", inputs=_TWO, types=_ARITHMETIC, memory=Memory(data=same(112))),
    *family(
        "MAXIMUM MINIMUM",
        inputs=_TWO,
        types=(*_ARITHMETIC, INT64),
        rows=pointwise,
        quantization=SAME,
        int8_kernel=True,
    ),
    *family("FLOOR_DIV FLOOR_MOD", inputs=_TWO, types=(FLOAT32,)),
    Op("POW", inputs=_TWO, tflm=False),
    Op(
        "ADD_N",
        types=(INT8, FLOAT32),
        memory=Memory(more=_add_n_more, scratch=_add_n_scratch),
        method="AddAddN",
    ),
    *family("EQUAL NOT_EQUAL", inputs=_TWO, types=(*_COMPARED, BOOL), memory=Memory(data=same(32))),
    Op("GREATER", inputs=_TWO, types=(*_COMPARED, INT16), memory=Memory(data=same(32))),
    *family(
        "GREATER_EQUAL LESS LESS_EQUAL", inputs=_TWO, types=_COMPARED, memory=Memory(data=same(32))
    ),
    *family("LOGICAL_AND LOGICAL_OR", inputs=_TWO, types=(BOOL,)),
    Op(
        "SELECT_V2",
        inputs=("condition", "data", "other"),
        types=(INT8, INT16, FLOAT32),
        memory=Memory(data=same(1)),
        quantization=SAME,
    ),
)
