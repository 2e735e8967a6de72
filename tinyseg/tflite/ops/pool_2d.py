"""AVERAGE_POOL_2D, MAX_POOL_2D, L2_POOL_2D."""

from __future__ import annotations

from collections.abc import Callable

from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.ops.cost import Cost, activation_ops
from tinyseg.tflite.ops.memory import Memory, is_integer, output_dimensions, positive, same
from tinyseg.tflite.ops.op import FLOAT32, INT8, INT16, Op
from tinyseg.tflite.ops.padding import same_padding
from tinyseg.tflite.ops.rows import RowRule
from tinyseg.tflite.ops.scales import SAME
from tinyseg.tflite.target import Target


def _cost(extra: int) -> Callable[[Operator], Cost]:
    def cost(operator: Operator) -> Cost:
        window = operator.options.filterHeight * operator.options.filterWidth
        work = operator.outputs[0].elements * (window + extra)
        return Cost(0, work + activation_ops(operator))

    return cost


def _scratch_of_average(operator: Operator, target: Target) -> list[int]:
    if target.cmsis and not target.mve and is_integer(operator.input(0)):
        return positive(4 * operator.input(0).shape[-1])
    return []


def _rows(operator: Operator) -> RowRule | None:
    options, data = operator.options, operator.input(0).shape
    output = operator.outputs[0].shape
    window = (options.filterHeight, options.filterWidth)
    strides = (options.strideH, options.strideW)
    for axis in (0, 1):
        sizes = (data[1 + axis], output[1 + axis], window[axis], strides[axis])
        # Zeros around would count in the maximum or the mean.
        if any(same_padding(options.padding, *sizes)):
            return None
    return RowRule(window[0], strides[0])


AVERAGE_POOL_2D = Op(
    "AVERAGE_POOL_2D",
    options="Pool2DOptions",
    cost=_cost(1),
    types=(INT8, INT16, FLOAT32),
    memory=Memory(same(40), (32, 36), scratch=_scratch_of_average),
    rows=_rows,
    quantization=SAME,
    padding=True,
    int8_kernel=True,
)
MAX_POOL_2D = Op(
    "MAX_POOL_2D",
    options="Pool2DOptions",
    cost=_cost(0),
    types=(INT8, INT16, FLOAT32),
    memory=Memory(same(40), (32, 36)),
    rows=_rows,
    quantization=SAME,
    padding=True,
    int8_kernel=True,
)
L2_POOL_2D = Op("L2_POOL_2D", types=(FLOAT32,), memory=Memory(same(40), more=output_dimensions))
POOLS = (AVERAGE_POOL_2D, MAX_POOL_2D, L2_POOL_2D)
