"""PAD, PADV2, MIRROR_PAD."""

from __future__ import annotations

from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.ops.cost import per_output
from tinyseg.tflite.ops.memory import ENUM, Memory, same
from tinyseg.tflite.ops.op import FLOAT32, INT8, INT16, INT32, Op
from tinyseg.tflite.ops.rows import RowRule
from tinyseg.tflite.ops.scales import SAME
from tinyseg.tflite.target import Target


def _rows(operator: Operator) -> RowRule | None:
    paddings = operator.input(1)
    if not paddings.constant or paddings.dtype != "int32" or len(operator.inputs) != 2:
        return None
    batch, rows, columns, channels = paddings.array().tolist()
    if any((*batch, *channels)):
        return None
    return RowRule(1, 1, 1, rows[0], columns[0], columns[1], pads=True)


def _mirror_scratch(operator: Operator, target: Target) -> list[int]:
    return 2 * [4 * len(operator.input(0).shape)]


PAD = Op(
    "PAD",
    inputs=("data", "paddings"),
    int32=("paddings",),
    options="PadOptions",
    cost=per_output(6),
    types=(INT8, INT16, INT32, FLOAT32),
    memory=Memory(data=same(56)),
    rows=_rows,
    quantization=SAME,
    int8_kernel=True,
)
PADS = (
    PAD,
    Op(
        "PADV2",
        inputs=("data", "paddings", "value"),
        int32=("paddings",),
        types=(INT8, INT16, INT32, FLOAT32),
        memory=Memory(data=same(56)),
        method="AddPadV2",
        quantization=SAME,
    ),
    Op(
        "MIRROR_PAD",
        inputs=("data", "paddings"),
        types=(INT8, FLOAT32),
        memory=Memory(ENUM, same(20), scratch=_mirror_scratch),
        quantization=SAME,
    ),
)
