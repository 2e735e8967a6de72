"""What lint holds single operators against."""

import pytest

from tests.tflite.ops.uses import activation, use, weights
from tinyseg.tflite.ops.checks import full_integer


def dense(data, kernel):
    inputs = [activation(1, 4, dtype=data), weights(3, 4, dtype=kernel)]
    return use("FULLY_CONNECTED", inputs, activation(1, 3, dtype=data))


@pytest.mark.parametrize("kernel", ["int8", "float16"])
def test_integer_or_half_weights_with_floats(kernel):
    severity, message = full_integer(dense("float32", kernel))
    assert severity == "error"
    assert message.startswith(f"{kernel} weights with float32 activations")


@pytest.mark.parametrize(("data", "kernel"), [("int8", "int8"), ("float32", "float32")])
def test_weights_of_the_same_kind(data, kernel):
    assert full_integer(dense(data, kernel)) is None
