"""BATCH_MATMUL."""

from __future__ import annotations

from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.ops.cost import Cost
from tinyseg.tflite.ops.memory import (
    Memory,
    dimensions,
    is_integer,
    output_dimensions,
    positive,
    same,
    tensor_bytes,
)
from tinyseg.tflite.ops.op import FLOAT32, INT8, INT16, Op
from tinyseg.tflite.target import Target


def _cost(operator: Operator) -> Cost:
    first, output = operator.input(0), operator.outputs[0]
    inner = first.shape[-2] if operator.options.adjX else first.shape[-1]
    macs = inner * output.elements
    return Cost(macs, 2 * macs)


def _more(operator: Operator, target: Target) -> list[int]:
    left, right = operator.first(2)
    transposed = [left] if operator.options.adjX else []
    if not operator.options.adjY:
        transposed.append(right)
    sizes = [24] if is_integer(left) else []
    for tensor in transposed:
        sizes += [target.eval_tensor, dimensions(tensor), tensor_bytes(tensor)]
    return sizes + output_dimensions(operator, target)


def _scratch(operator: Operator, target: Target) -> list[int]:
    if target.mve and operator.input(0).dtype == "int8":
        return positive(4 * operator.outputs[0].shape[-1])
    return []


BATCH_MATMUL = Op(
    "BATCH_MATMUL",
    inputs=("data", "other"),
    cost=_cost,
    types=(INT8, INT16, FLOAT32),
    memory=Memory(same(3), (32, 36), more=_more, scratch=_scratch),
    method="AddBatchMatMul",
    int8_kernel=True,
)
