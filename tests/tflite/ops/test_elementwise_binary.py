"""Operators of two tensors: work, memory, rows, calls."""

import pytest

from tests.tflite.ops.uses import activation, use, weights
from tinyseg.tflite.ops.elementwise_binary import ADD, ELEMENTWISE_BINARY, MUL
from tinyseg.tflite.ops.registry import cost, persistent, registration, rule, scratch
from tinyseg.tflite.ops.rows import POINTWISE
from tinyseg.tflite.target import target_of

IMAGE = activation(1, 4, 4, 3)
HOST, ARM = target_of("host"), target_of("cortex_m")


def two(opcode, first=IMAGE, second=IMAGE, output=IMAGE):
    return use(opcode, [first, second], output)


def test_add_counts_its_first_input_and_mul_its_output():
    small = activation(1, 4, 4, 1)
    assert cost(two("ADD", small)).ops == 16
    assert cost(two("MUL", small)).ops == 48


@pytest.mark.parametrize("opcode", ["ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"])
def test_strips_of_both_operands(opcode):
    assert rule(two(opcode)) is POINTWISE
    assert rule(two(opcode, second=weights(3))) is POINTWISE
    # One row for all others.
    assert rule(two(opcode, second=activation(1, 1, 4, 3))) is None


def test_sums_of_many_point_to_each_of_them():
    uses = use("ADD_N", 5 * [IMAGE], IMAGE)
    assert (scratch(uses, HOST), scratch(uses, ARM)) == ([40], [20])
    assert persistent(uses, ARM) == [40]
    assert registration([uses]) == "AddAddN()"


@pytest.mark.parametrize(
    ("opcode", "call"),
    [
        ("ADD", "AddAdd(tflite::Register_ADD_INT8())"),
        ("MUL", "AddMul(tflite::Register_MUL_INT8())"),
        ("MAXIMUM", "AddMaximum(tflite::Register_MAXIMUM_INT8())"),
        ("SUB", "AddSub()"),
        ("SQUARED_DIFFERENCE", "AddSquaredDifference()"),
        ("POW", None),
        ("FLOOR_DIV", None),
    ],
)
def test_call_for_int8(opcode, call):
    assert registration([two(opcode)]) == call


def test_what_may_be_written_over():
    assert {op.name for op in ELEMENTWISE_BINARY if op.in_place} == {"ADD", "MUL"}
    assert ADD.quantization.needed
    assert MUL.quantization.needed


def test_kernels_that_pick_values():
    same = {op.name for op in ELEMENTWISE_BINARY if op.quantization.same}
    assert same == {"MAXIMUM", "MINIMUM", "SELECT_V2"}
