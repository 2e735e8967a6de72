"""The work of operators, counted as MLTK's profiler counts it, so that both give the same totals.

MACs are multiply-accumulates of convolutions and matrix products, operations count two per MAC
plus bias, activation and element-wise work.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.schema import ActivationFunctionType

_RELU_TYPES = {
    ActivationFunctionType.RELU,
    ActivationFunctionType.RELU6,
    ActivationFunctionType.RELU_N1_TO_1,
}


@dataclasses.dataclass(frozen=True)
class Cost:
    """Work of one inference.

    Attributes:
        macs: multiply-accumulate operations.
        ops: all counted arithmetic operations.
    """

    macs: int
    ops: int


def free(operator: Operator) -> Cost:
    """Count nothing: an operator that moves data, or whose work nobody counts."""
    return Cost(0, 0)


def per_input(factor: int) -> Callable[[Operator], Cost]:
    """Return a cost of so many operations for each element of the first input."""
    return lambda operator: Cost(0, factor * operator.input(0).elements)


def per_output(factor: int) -> Callable[[Operator], Cost]:
    """Return a cost of so many operations for each element of the first output."""
    return lambda operator: Cost(0, factor * operator.outputs[0].elements)


def convolution_cost(operator: Operator, products: int) -> Cost:
    """Count a convolution with so many products for each output value."""
    values = operator.outputs[0].elements
    macs = products * values
    return Cost(macs, 2 * macs + values + activation_ops(operator))


def activation_ops(operator: Operator) -> int:
    """Return the operations of a fused activation."""
    fused = getattr(operator.options, "fusedActivationFunction", None)
    return 2 * operator.outputs[0].elements if fused in _RELU_TYPES else 0
