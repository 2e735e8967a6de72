"""DEPTHWISE_CONV_2D: scratch of CMSIS-NN by hand, calls, rows, what it may be quantized as."""

import pytest

from tests.tflite.ops.uses import activation, use, weights
from tinyseg.tflite.ops.depthwise_conv_2d import DEPTHWISE_CONV_2D
from tinyseg.tflite.ops.registry import cost, registration, rule, scratch
from tinyseg.tflite.ops.rows import Margin, Rows
from tinyseg.tflite.target import target_of


def depthwise(dtype="int8", size=5, multiplier=1, **options):
    kind = "float32" if dtype == "float32" else "int8"
    kernel = weights(1, size, size, 4 * multiplier, dtype=kind)
    bias = weights(4 * multiplier, dtype={"int8": "int32", "int16": "int64"}.get(dtype, "float32"))
    image, output = (activation(1, 6, 6, 4 * times, dtype=dtype) for times in (1, multiplier))
    return use("DEPTHWISE_CONV_2D", [image, kernel, bias], output, "DepthwiseConv2D",
               depthMultiplier=multiplier, **options)  # fmt: skip


def test_work_of_each_output():
    # 6 * 6 * 8 outputs of 5 * 5 products, and a bias each.
    assert cost(depthwise(multiplier=2)).macs == 288 * 25
    assert cost(depthwise(multiplier=2)).ops == 2 * 288 * 25 + 288


@pytest.mark.parametrize(
    ("target", "expected"),
    # All channels of a field in int16; blocks of 124 channels in int32.
    [("host", []), ("cortex_m", [2 * 4 * 25]), ("cortex_m55", [4 * 124 * 25])],
)
def test_columns_of_a_field(target, expected):
    assert scratch(depthwise(), target_of(target)) == expected


def test_kernels_of_nine_taps_and_dilated_ones_need_no_columns():
    target = target_of("cortex_m")
    assert scratch(depthwise(size=3), target) == []
    assert scratch(depthwise(dilationHFactor=2), target) == []
    assert scratch(depthwise("int16"), target) == []


def test_call_by_type():
    call = "AddDepthwiseConv2D(tflite::Register_DEPTHWISE_CONV_2D_INT8())"
    assert registration([depthwise()]) == call
    assert registration([depthwise("int16")]) == "AddDepthwiseConv2D()"
    assert registration([depthwise(), depthwise("float32")]) == "AddDepthwiseConv2D()"


def test_row_reads_those_around_it():
    assert rule(depthwise()).needs(Rows(2, 3), 6) == (Rows(0, 5), Margin(0, 0, 2, 2))


def test_kernel_has_a_scale_for_each_channel():
    assert (DEPTHWISE_CONV_2D.weights, DEPTHWISE_CONV_2D.quantization.channels) == (1, 3)
    assert DEPTHWISE_CONV_2D.convolves
