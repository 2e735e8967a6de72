"""Operators on shapes: they cost no work, take any type or three, hand stored values on."""

import pytest

from tests.tflite.ops.uses import activation, integers, use
from tinyseg.tflite.ops.registry import cost, options_bytes, registration
from tinyseg.tflite.ops.shape import SHAPES
from tinyseg.tflite.target import target_of


def reshaped(opcode="RESHAPE", dtype="int8"):
    inputs = [activation(1, 4, 4, dtype=dtype), integers(1, 16, 1)]
    return use(opcode, inputs, activation(1, 16, 1, dtype=dtype))


def test_no_work():
    assert cost(reshaped()).ops == cost(reshaped("TRANSPOSE")).ops == 0


@pytest.mark.parametrize(("target", "size"), [("host", 4), ("cortex_m", 1)])
def test_enumerations_are_short_on_arm(target, size):
    assert options_bytes("SHAPE", target_of(target)) == size
    assert options_bytes("RESHAPE", target_of(target)) == 36


@pytest.mark.parametrize(
    ("opcode", "dtype", "call"),
    [
        # Kernels that only copy bytes ask for no type.
        ("RESHAPE", "uint8", "AddReshape()"),
        ("TRANSPOSE", "int8", "AddTranspose(tflite::Register_TRANSPOSE_INT8())"),
        ("TRANSPOSE", "int16", "AddTranspose()"),
        ("TRANSPOSE", "uint8", None),
        ("EXPAND_DIMS", "float32", "AddExpandDims()"),
        ("BROADCAST_TO", "int8", "AddBroadcastTo()"),
        ("TILE", "int8", None),
    ],
)
def test_call_by_type(opcode, dtype, call):
    assert registration([reshaped(opcode, dtype)]) == call


def test_stored_values_are_handed_on():
    same = {op.name for op in SHAPES if op.quantization.same}
    assert same == {
        "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "BROADCAST_TO", "REVERSE_V2"
    }  # fmt: skip
