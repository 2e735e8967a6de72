"""Pooling: work, rows without padding, scratch of the average, calls."""

import pytest

from tests.tflite.drafts import SAME, VALID
from tests.tflite.ops.uses import activation, use
from tinyseg.tflite.ops.pool_2d import AVERAGE_POOL_2D, MAX_POOL_2D
from tinyseg.tflite.ops.registry import cost, registration, rule, scratch
from tinyseg.tflite.ops.rows import Rows
from tinyseg.tflite.target import target_of

BOTH = ["AVERAGE_POOL_2D", "MAX_POOL_2D"]


def pool(opcode, side=8, dtype="int8", padding=VALID):
    image = activation(1, side, side, 5, dtype=dtype)
    half = activation(1, -(-side // 2), -(-side // 2), 5, dtype=dtype)
    return use(opcode, [image], half, "Pool2D", filterHeight=2, filterWidth=2, strideH=2,
               strideW=2, padding=padding)  # fmt: skip


def test_average_divides_once_more():
    assert cost(pool("MAX_POOL_2D")).ops == 4 * 4 * 5 * 4
    assert cost(pool("AVERAGE_POOL_2D")).ops == 4 * 4 * 5 * 5


@pytest.mark.parametrize("opcode", BOTH)
def test_two_rows_become_one(opcode):
    assert rule(pool(opcode)).needs(Rows(1, 3), 8)[0] == Rows(2, 6)
    # SAME adds nothing to an even side.
    assert rule(pool(opcode, padding=SAME)) == rule(pool(opcode))
    assert rule(pool(opcode, 7, padding=SAME)) is None


@pytest.mark.parametrize(("target", "size"), [("host", []), ("cortex_m", [20]), ("cortex_m55", [])])
def test_average_sums_a_pixel(target, size):
    assert scratch(pool("AVERAGE_POOL_2D"), target_of(target)) == size
    assert scratch(pool("MAX_POOL_2D"), target_of(target)) == []


@pytest.mark.parametrize(("opcode", "name"), zip(BOTH, ["Average", "Max"], strict=True))
def test_call_by_type(opcode, name):
    assert registration([pool(opcode)]) == f"Add{name}Pool2D(tflite::Register_{opcode}_INT8())"
    assert registration([pool(opcode, dtype="int16")]) == f"Add{name}Pool2D()"


def test_stored_values_are_handed_on():
    assert AVERAGE_POOL_2D.quantization.same
    assert MAX_POOL_2D.quantization.same
