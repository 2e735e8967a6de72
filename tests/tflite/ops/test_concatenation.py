"""CONCATENATION and PACK: rows of channels, calls, values that stay."""

import pytest

from tests.tflite.ops.uses import activation, use
from tinyseg.tflite.ops.concatenation import CONCATENATION, PACK
from tinyseg.tflite.ops.registry import cost, registration, rule
from tinyseg.tflite.ops.rows import POINTWISE


def joined(axis, dtype="int8"):
    shape = [1, 4, 4, 2]
    shape[axis] *= 2
    parts = 2 * [activation(1, 4, 4, 2, dtype=dtype)]
    output = activation(*shape, dtype=dtype)
    return use("CONCATENATION", parts, output, "Concatenation", axis=axis)


@pytest.mark.parametrize("axis", [2, 3, -1, -2])
def test_strips_of_what_is_joined_beside_one_another(axis):
    assert rule(joined(axis)) is POINTWISE


@pytest.mark.parametrize("axis", [1, -3])
def test_no_strips_of_what_is_joined_one_below_the_other(axis):
    assert rule(joined(axis)) is None


def test_stored_values_are_handed_on():
    assert CONCATENATION.quantization.same
    assert PACK.quantization.same
    assert cost(joined(3)).ops == 0


def test_call_by_type():
    for dtype in ("int8", "int16", "float32", "bool"):
        assert registration([joined(3, dtype)]) == "AddConcatenation()"
    assert registration([joined(3, "uint8")]) is None
    packed = use("PACK", 2 * [activation(1, 4)], activation(2, 1, 4), "Pack", valuesCount=2)
    assert registration([packed]) == "AddPack()"
