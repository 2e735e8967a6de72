"""Operators that cut tensors: their data, types, memory."""

import pytest

from tests.tflite.ops.uses import activation, integers, use
from tinyseg.tflite.ops.registry import (
    missing_kernel,
    op_of,
    options_bytes,
    persistent,
    registration,
)
from tinyseg.tflite.ops.slice import SLICES
from tinyseg.tflite.target import target_of


def cut(dtype="int8"):
    inputs = [activation(1, 4, 4, 2, dtype=dtype), integers(0, 0, 0, 0), integers(1, 2, 4, 2)]
    return use("SLICE", inputs, activation(1, 2, 4, 2, dtype=dtype), "Slice")


def split(dtype):
    inputs = [integers(3), activation(1, 4, 4, 2, dtype=dtype)]
    return use("SPLIT", inputs, activation(1, 4, 4, 1, dtype=dtype), "Split", numSplits=2)


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
def test_types(dtype):
    assert registration([cut(dtype)]) == "AddSlice()"
    assert registration([split(dtype)]) == "AddSplit()"


def test_split_is_judged_by_its_second_input():
    assert op_of(split("int8")).data == 1
    assert missing_kernel(split("uint8")) == "uint8 kernel"
    assert registration([split("uint8")]) is None


def test_strides_are_kept():
    arm = target_of("cortex_m")
    assert options_bytes("STRIDED_SLICE", arm) == 24
    assert persistent(cut(), arm) == []


def test_stored_values_are_handed_on():
    assert all(op.quantization.same for op in SLICES)
