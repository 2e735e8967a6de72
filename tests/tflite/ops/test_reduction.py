"""Operators that reduce axes: scratch, memory, calls."""

import pytest

from tests.tflite.ops.uses import activation, integers, use
from tinyseg.tflite.ops.reduction import REDUCTIONS
from tinyseg.tflite.ops.registry import persistent, registration, scratch
from tinyseg.tflite.target import target_of

HOST = target_of("host")


def reduced(opcode, dtype="int8", *, output=None, kind="Reducer"):
    inputs = [activation(1, 6, 6, 5, dtype=dtype), integers(1, 2)]
    return use(opcode, inputs, activation(1, 5, dtype=output or dtype), kind)


@pytest.mark.parametrize("opcode", ["MEAN", "SUM"])
def test_sums_of_integers_and_axes(opcode):
    """Five sums of int32, a place in each of four dimensions, two axes."""
    assert scratch(reduced(opcode), HOST) == [20, 16, 8]
    assert scratch(reduced(opcode, "float32"), HOST) == [16, 8]


@pytest.mark.parametrize("opcode", ["REDUCE_MAX", "REDUCE_MIN"])
def test_extremes_need_no_sums(opcode):
    assert scratch(reduced(opcode), HOST) == [16, 8]
    assert persistent(reduced(opcode), HOST) == [44]


def test_running_sums_of_int8_keep_a_structure():
    assert persistent(reduced("CUMSUM", kind="Cumsum"), HOST) == [36]
    assert persistent(reduced("CUMSUM", "float32", kind="Cumsum"), HOST) == []


@pytest.mark.parametrize(
    ("opcode", "dtype", "call"),
    [
        ("MEAN", "int16", "AddMean()"),
        ("REDUCE_MAX", "int8", "AddReduceMax()"),
        ("REDUCE_MAX", "int16", None),
        ("REDUCE_ALL", "bool", "AddReduceAll()"),
        ("REDUCE_ALL", "int8", None),
        ("CUMSUM", "int8", "AddCumSum()"),
    ],
)
def test_call_by_type(opcode, dtype, call):
    assert registration([reduced(opcode, dtype, kind=None)]) == call


def test_extremes_are_stored_values():
    same = {op.name for op in REDUCTIONS if op.quantization.same}
    assert same == {"REDUCE_MAX", "REDUCE_MIN"}
