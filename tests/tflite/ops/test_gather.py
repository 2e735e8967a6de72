"""Operators that look values up: rows of a table's indices, memory, types."""

import pytest

from tests.tflite.ops.uses import activation, integers, use, weights
from tinyseg.tflite.ops.gather import LOOKUPS
from tinyseg.tflite.ops.registry import persistent, registration, rule
from tinyseg.tflite.ops.rows import POINTWISE
from tinyseg.tflite.target import target_of

INDICES = activation(1, 4, 4, 3, dtype="int32")


def looked_up(table=None, indices=INDICES, dtype="int8"):
    table = table or weights(128, dtype=dtype)
    return use("GATHER", [table, indices], activation(1, 4, 4, 3, dtype=dtype), "Gather")


def test_strips_of_indices_into_one_table():
    assert rule(looked_up()) is POINTWISE


@pytest.mark.parametrize("table", [weights(4, 3), activation(128)])
def test_no_strips_of_other_tables(table):
    assert rule(looked_up(table)) is None


def test_no_strips_of_constant_indices():
    assert rule(looked_up(indices=integers(1, 2))) is None


@pytest.mark.parametrize("target", ["host", "cortex_m"])
def test_shape_of_the_output_is_kept(target):
    assert persistent(looked_up(), target_of(target)) == [4 * 5]


def test_calls():
    assert registration([looked_up()]) == "AddGather()"
    assert registration([looked_up(dtype="int16")]) is None


def test_stored_values_are_handed_on():
    assert {op.name for op in LOOKUPS if op.quantization.same} == {"GATHER", "GATHER_ND"}
