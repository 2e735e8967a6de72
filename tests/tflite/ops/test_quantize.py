"""Operators that change the element type: work, types, calls."""

import pytest

from tests.tflite.ops.uses import activation, use
from tinyseg.tflite.ops.registry import cost, registration, rule
from tinyseg.tflite.ops.rows import POINTWISE

SHAPE = (1, 4, 4, 3)


def changed(opcode, source, target, kind=None):
    return use(opcode, [activation(*SHAPE, dtype=source)], activation(*SHAPE, dtype=target), kind)


def test_work_of_each_value():
    assert cost(changed("QUANTIZE", "float32", "int8")).ops == 4 * 48
    assert cost(changed("DEQUANTIZE", "int8", "float32")).ops == 2 * 48
    assert cost(changed("CAST", "int8", "int32", "Cast")).ops == 0


@pytest.mark.parametrize(
    ("opcode", "source", "target", "call"),
    [
        ("QUANTIZE", "float32", "int8", "AddQuantize()"),
        ("QUANTIZE", "uint8", "int8", "AddQuantize()"),
        ("DEQUANTIZE", "int16", "float32", "AddDequantize()"),
        ("DEQUANTIZE", "float32", "float32", None),
        ("CAST", "int8", "float32", "AddCast()"),
    ],
)
def test_call_by_type(opcode, source, target, call):
    operator = changed(opcode, source, target)
    assert registration([operator]) == call
    assert rule(operator) is POINTWISE
