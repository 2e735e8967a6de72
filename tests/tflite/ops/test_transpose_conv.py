"""TRANSPOSE_CONV: scratch by hand, calls, the kernel of CMSIS-NN that is wrong."""

import pytest

from tests.tflite.ops.uses import activation, integers, use, weights
from tinyseg.tflite.ops.registry import cost, registration, rule, scratch
from tinyseg.tflite.ops.transpose_conv import TRANSPOSE_CONV
from tinyseg.tflite.target import target_of


def transposed(dtype="int8", size=2, channels=4, stride=2):
    kind = "float32" if dtype == "float32" else "int8"
    image = activation(1, 3, 3, channels, dtype=dtype)
    kernel = weights(5, size, size, channels, dtype=kind)
    side = 3 * stride
    output = activation(1, side, side, 5, dtype=dtype)
    return use("TRANSPOSE_CONV", [integers(1, side, side, 5), kernel, image], output,
               "TransposeConv", strideH=stride, strideW=stride)  # fmt: skip


def test_every_input_meets_every_tap():
    assert cost(transposed()).macs == 3 * 3 * 4 * 2 * 2 * 5


@pytest.mark.parametrize(
    ("target", "channels", "expected"),
    [
        # int32 sums of the whole output.
        ("host", 4, [4 * 6 * 6 * 5]),
        # Two rows of the output in int32, and nothing.
        ("cortex_m", 4, [4 * 6 * 5 * 2, 0]),
        # As a convolution: a field in int16, twice, and the filters turned round.
        ("cortex_m", 20, [4 * 80, 80 * 5]),
    ],
)
def test_scratch(target, channels, expected):
    assert scratch(transposed(channels=channels), target_of(target)) == expected


def test_int16_sums_in_64_bits():
    assert scratch(transposed("int16"), target_of("cortex_m")) == [8 * 6 * 6 * 5]
    assert scratch(transposed("float32"), target_of("host")) == []


def test_call_by_type():
    call = "AddTransposeConv(tflite::Register_TRANSPOSE_CONV_INT8())"
    assert registration([transposed()]) == call
    assert registration([transposed("float32")]) == "AddTransposeConv()"


@pytest.mark.parametrize(
    ("size", "channels", "stride", "wrong"),
    [(4, 16, 2, True), (4, 17, 2, False), (3, 16, 2, False), (4, 16, 4, False)],
)
def test_kernels_that_are_wrong_in_cmsis_nn(size, channels, stride, wrong):
    (check,) = TRANSPOSE_CONV.checks
    assert (check(transposed(size=size, channels=channels, stride=stride)) is not None) == wrong


def test_facts():
    assert (TRANSPOSE_CONV.weights, TRANSPOSE_CONV.data, TRANSPOSE_CONV.image_size) == (
        1,
        2,
        (0, 1),
    )
    assert TRANSPOSE_CONV.quantization.channels == 0
    assert TRANSPOSE_CONV.convolves
    assert rule(transposed()) is None
