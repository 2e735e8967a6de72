"""TFLM_DECODE, TFLM's operator that turns packed weights into plain ones; see ``packing.py``."""

from __future__ import annotations

from tinyseg.tflite.nodes import Operator
from tinyseg.tflite.ops.cost import Cost
from tinyseg.tflite.ops.memory import Memory
from tinyseg.tflite.ops.op import Op
from tinyseg.tflite.target import Target

NAME = "TFLM_DECODE"


def _cost(operator: Operator) -> Cost:
    return Cost(0, sum(output.elements for output in operator.outputs))


def _more(operator: Operator, target: Target) -> list[int]:
    states = len(operator.outputs) * [72 if target.wide else 36]
    return [target.pointer * len(operator.outputs), *states]


DECODE = Op(
    NAME,
    inputs=("encoded", "tables"),
    cost=_cost,
    memory=Memory(more=_more),
    method="AddDecode",
)
