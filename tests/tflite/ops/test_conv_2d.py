"""CONV_2D: scratch of CMSIS-NN by hand, calls, rows, what it may be quantized as."""

import pytest

from tests.tflite.drafts import VALID
from tests.tflite.ops.uses import activation, use, weights
from tinyseg.tflite.ops.conv_2d import CONV_2D
from tinyseg.tflite.ops.registry import cost, registration, rule, scratch
from tinyseg.tflite.ops.rows import Margin, Rows
from tinyseg.tflite.target import target_of


def conv(dtype="int8", size=3, channels=4, **options):
    kind = "float32" if dtype == "float32" else "int8"
    kernel = weights(8, size, size, channels, dtype=kind)
    bias = weights(8, dtype={"int8": "int32", "int16": "int64"}.get(dtype, "float32"))
    image = activation(1, 6, 6, channels, dtype=dtype)
    return use("CONV_2D", [image, kernel, bias], activation(1, 6, 6, 8, dtype=dtype), "Conv2D",
               **options)  # fmt: skip


def test_work_of_each_output():
    # 6 * 6 * 8 outputs of 3 * 3 * 4 products, and a bias each.
    assert (cost(conv()).macs, cost(conv()).ops) == (288 * 36, 2 * 288 * 36 + 288)


@pytest.mark.parametrize(
    ("target", "expected"), [("host", []), ("cortex_m", [4 * 36]), ("cortex_m55", [4 * 48])]
)
def test_two_columns_of_a_field_in_int16(target, expected):
    """A field holds 36 values, rounded up to 4 and 16 of them."""
    assert scratch(conv(), target_of(target)) == expected


def test_pointwise_needs_no_columns():
    assert scratch(conv(size=1), target_of("cortex_m")) == []
    assert scratch(conv("float32"), target_of("cortex_m")) == []


def test_call_by_type():
    assert registration([conv()]) == "AddConv2D(tflite::Register_CONV_2D_INT8())"
    assert registration([conv("int16")]) == registration([conv("float32")]) == "AddConv2D()"
    assert registration([conv("uint8")]) is None


def test_row_reads_those_around_it():
    assert rule(conv()).needs(Rows(0, 2), 6) == (Rows(0, 3), Margin(1, 0, 1, 1))
    inner = rule(conv(padding=VALID)).needs(Rows(0, 2), 6)
    assert inner == (Rows(0, 4), Margin())


def test_kernel_has_a_scale_for_each_filter():
    assert (CONV_2D.weights, CONV_2D.quantization.channels) == (1, 0)
    assert CONV_2D.convolves
