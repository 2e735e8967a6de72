"""RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR."""

from __future__ import annotations

from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.ops.cost import Cost
from tinyseg.tflite.ops.memory import Memory, same
from tinyseg.tflite.ops.op import FLOAT32, INT8, INT16, Op
from tinyseg.tflite.ops.rows import POINTWISE, RowRule
from tinyseg.tflite.ops.scales import SAME


def _cost(operator: Operator) -> Cost:
    _, height, width, _ = operator.outputs[0].shape
    return Cost(0, height * (8 + 8 * width))


def _rows(operator: Operator) -> RowRule | None:
    data, output = operator.input(0), operator.outputs[0]
    if data.constant:
        return POINTWISE if data.shape[1] == 1 else None
    scale, rest = divmod(output.shape[1], data.shape[1])
    return None if rest or operator.options.alignCorners else RowRule(scale=scale)


RESIZE_NEAREST_NEIGHBOR = Op(
    "RESIZE_NEAREST_NEIGHBOR",
    inputs=("data", "size"),
    options="ResizeNearestNeighborOptions",
    cost=_cost,
    types=(INT8, INT16, FLOAT32),
    int32=("size",),
    memory=Memory(same(2)),
    rows=_rows,
    image_size=(1, 0),
    quantization=SAME,
)
RESIZE_BILINEAR = Op(
    "RESIZE_BILINEAR",
    inputs=("data", "size"),
    types=(INT8, FLOAT32),
    int32=("size",),
    memory=Memory(same(2)),
    image_size=(1, 0),
    quantization=SAME,
)
