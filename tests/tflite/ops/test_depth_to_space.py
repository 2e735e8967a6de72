"""DEPTH_TO_SPACE and its kind: rows, types."""

import pytest

from tests.tflite.ops.uses import activation, use
from tinyseg.tflite.ops.depth_to_space import BLOCKS
from tinyseg.tflite.ops.registry import registration, rule
from tinyseg.tflite.ops.rows import Rows


def enlarged(dtype="int8"):
    return use("DEPTH_TO_SPACE", [activation(1, 4, 4, 8, dtype=dtype)],
               activation(1, 8, 8, 2, dtype=dtype), "DepthToSpace", blockSize=2)  # fmt: skip


def reduced(dtype="int8"):
    return use("SPACE_TO_DEPTH", [activation(1, 8, 8, 2, dtype=dtype)],
               activation(1, 4, 4, 8, dtype=dtype), "SpaceToDepth", blockSize=2)  # fmt: skip


def test_a_row_becomes_two():
    assert rule(enlarged()).scale == 2
    assert rule(enlarged()).needs(Rows(2, 6), 4)[0] == Rows(1, 3)


def test_two_rows_become_one():
    assert rule(reduced()).needs(Rows(1, 3), 8)[0] == Rows(2, 6)


@pytest.mark.parametrize("make", [enlarged, reduced])
def test_types(make):
    assert registration([make()]).endswith("()")
    assert registration([make("float32")]) == registration([make()])
    assert registration([make("int16")]) is None


def test_calls():
    assert registration([enlarged()]) == "AddDepthToSpace()"
    assert registration([reduced()]) == "AddSpaceToDepth()"


def test_stored_values_are_handed_on():
    assert all(op.quantization.same for op in BLOCKS)
