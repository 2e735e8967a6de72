"""FULLY_CONNECTED: work, what its kernels keep and ask for, calls."""

import pytest

from tests.tflite.ops.uses import activation, use, weights
from tinyseg.tflite.ops.fully_connected import FULLY_CONNECTED
from tinyseg.tflite.ops.registry import cost, persistent, registration, scratch
from tinyseg.tflite.target import target_of


def dense(dtype="int8", kernel="int8", biased=True, units=10, rank=2):
    bias = weights(units, dtype={"int8": "int32", "int16": "int64"}.get(dtype, "float32"))
    inner = (1,) * (rank - 1)
    inputs = [activation(*inner, 24, dtype=dtype), weights(units, 24, dtype=kernel)]
    output = activation(*inner, units, dtype=dtype)
    return use("FULLY_CONNECTED", [*inputs, *[bias] * biased], output, "FullyConnected")


def test_work_with_and_without_bias():
    assert (cost(dense()).macs, cost(dense()).ops) == (240, 490)
    assert cost(dense(biased=False)).ops == 480


@pytest.mark.parametrize(
    ("target", "kept"), [("host", [72]), ("cortex_m", [72]), ("cortex_m55", [72, 40])]
)
def test_only_the_vectorized_kernel_keeps_sums_of_weights(target, kept):
    assert persistent(dense(), target_of(target)) == kept


def test_as_a_convolution_where_images_are_multiplied():
    """Scales of one a channel are made up for it."""
    assert scratch(dense(rank=4), target_of("cortex_m")) == [8 * 10]
    assert scratch(dense(), target_of("cortex_m")) == []
    assert scratch(dense(rank=4), target_of("host")) == []


def test_call_by_type():
    call = "AddFullyConnected(tflite::Register_FULLY_CONNECTED_INT8())"
    assert registration([dense()]) == call
    assert registration([dense("int16")]) == "AddFullyConnected()"
    assert registration([dense("float32", "float32")]) == "AddFullyConnected()"


def test_weights():
    assert (FULLY_CONNECTED.weights, FULLY_CONNECTED.quantization.channels) == (1, 0)
    assert not FULLY_CONNECTED.convolves
    (check,) = FULLY_CONNECTED.checks
    assert check(dense("float32"))[0] == "error"
    assert check(dense()) is None
