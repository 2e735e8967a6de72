"""Operators of one tensor: work, rows, calls, the RELU6 that TFLM gets wrong, fixed scales."""

import pytest

from tests.tflite.ops.uses import activation, use
from tinyseg.tflite.ops.elementwise_unary import ELEMENTWISE_UNARY
from tinyseg.tflite.ops.registry import cost, op_of, registration, rule
from tinyseg.tflite.ops.rows import POINTWISE

OPS = {op.name: op for op in ELEMENTWISE_UNARY}


def one(opcode, dtype="int8", scale=0.5):
    shape = (1, 4, 4, 3)
    source, target = activation(*shape, dtype=dtype), activation(*shape, dtype=dtype, scale=scale)
    return use(opcode, [source], target)


def test_two_comparisons_of_each_value():
    assert cost(one("RELU")).ops == cost(one("RELU6")).ops == 96
    assert cost(one("LOGISTIC")).ops == 0


@pytest.mark.parametrize("opcode", ["ABS", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "RELU", "TANH"])
def test_strips(opcode):
    assert rule(one(opcode)) is POINTWISE


def test_relu6_must_keep_its_scale():
    (check,) = op_of(one("RELU6")).checks
    assert check(one("RELU6")) is None
    assert check(one("RELU6", "float32", 0.25)) is None
    severity, message = check(one("RELU6", scale=0.25))
    assert severity == "error"
    assert "fuse it" in message


@pytest.mark.parametrize("opcode", ["EXP", "LOG", "SQRT", "SIN", "NEG"])
def test_kernels_for_floats_alone(opcode):
    assert registration([one(opcode)]) is None
    assert registration([one(opcode, "float32")]) == f"Add{opcode.title()}()"


def test_calls():
    assert registration([one("HARD_SWISH")]) == "AddHardSwish()"
    assert registration([one("LEAKY_RELU", "int16")]) == "AddLeakyRelu()"
    assert registration([one("GELU")]) is None


def test_scales_that_kernels_take_for_granted():
    fixed = {name: op.quantization.output for name, op in OPS.items() if op.quantization.output}
    assert fixed == {"LOGISTIC": (0.00390625, -128), "TANH": (0.0078125, 0)}
