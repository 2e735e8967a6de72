"""SOFTMAX and its kind: work, tables of int16, calls, fixed scales."""

import pytest

from tests.tflite.ops.uses import activation, use
from tinyseg.tflite.ops.normalization import NORMALIZATIONS
from tinyseg.tflite.ops.registry import cost, persistent, registration
from tinyseg.tflite.target import target_of


def one(opcode, dtype="int8"):
    return use(opcode, [activation(1, 10, dtype=dtype)], activation(1, 10, dtype=dtype))


def test_five_steps_for_each_value():
    assert cost(one("SOFTMAX")).ops == 50


@pytest.mark.parametrize(("target", "structure"), [("host", 80), ("cortex_m", 64)])
def test_int16_keeps_two_tables(target, structure):
    assert persistent(one("SOFTMAX", "int16"), target_of(target)) == [structure, 1026, 1026]
    assert persistent(one("SOFTMAX"), target_of(target)) == [structure]


def test_log_keeps_a_structure_for_int8():
    assert persistent(one("LOG_SOFTMAX"), target_of("cortex_m")) == [28]
    assert persistent(one("LOG_SOFTMAX"), target_of("host")) == [40]
    assert persistent(one("LOG_SOFTMAX", "float32"), target_of("host")) == []


def test_calls():
    assert registration([one("SOFTMAX")]) == "AddSoftmax(tflite::Register_SOFTMAX_INT8())"
    assert registration([one("SOFTMAX", "int16")]) == "AddSoftmax()"
    assert registration([one("L2_NORMALIZATION")]) == "AddL2Normalization()"
    assert registration([one("LOG_SOFTMAX", "int16")]) is None


def test_scales_that_kernels_take_for_granted():
    fixed = {op.name: op.quantization.output for op in NORMALIZATIONS}
    assert fixed == {
        "SOFTMAX": (0.00390625, -128),
        "LOG_SOFTMAX": (0.0625, 127),
        "L2_NORMALIZATION": (0.0078125, 0),
    }
