"""What CMSIS-NN's kernels share of their scratch."""

import pytest

from tinyseg.tflite.ops.cmsis_nn import im2col, up


@pytest.mark.parametrize(
    ("value", "multiple", "expected"), [(0, 4, 0), (1, 4, 4), (4, 4, 4), (5, 4, 8), (17, 16, 32)]
)
def test_rounding_up(value, multiple, expected):
    assert up(value, multiple) == expected


@pytest.mark.parametrize(("length", "dsp", "mve"), [(27, 4 * 28, 4 * 32), (32, 128, 128)])
def test_two_columns_of_int16_or_four_of_int8(length, dsp, mve):
    assert im2col(length, mve=False) == dsp
    assert im2col(length, mve=True) == mve
