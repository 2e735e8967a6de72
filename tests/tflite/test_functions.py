"""Int8 operators of one tensor, each of the 256 values, against TensorFlow Lite Micro."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tflite.drafts import File, on_tflm, options
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.functions import table, tabled

VALUES = np.arange(-128, 128).astype(np.int8).reshape(1, 16, 16, 1)
SCALES = st.floats(1e-3, 0.5).map(np.float32).map(float)
ZERO_POINTS = st.integers(-128, 127)
# Outputs whose scale the kernel itself fixes.
FIXED = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}
# Kernels that do not rescale.
KEPT = ("RELU6",)


def of_operator(name, source, target, setting=None):
    """Return what TFLM makes of all values, and the table."""
    file = File()
    data = file.tensor((1, 16, 16, 1), scale=source[0], zero_point=source[1])
    out = file.tensor((1, 16, 16, 1), scale=target[0], zero_point=target[1])
    file.operator(name, [data], out, setting)
    content = file.content([data], [out])
    (made,) = on_tflm(content, [VALUES])
    return made.ravel(), table(TfliteModel.parse(content).operators[0])


@pytest.mark.parametrize("name", [name for name in tabled() if name != "LEAKY_RELU"])
@settings(max_examples=25)
@given(scale=SCALES, zero=ZERO_POINTS, ratio=st.floats(0.1, 4), target_zero=ZERO_POINTS)
def test_equals_tflm(name, scale, zero, ratio, target_zero):
    source = (scale, -128) if name == "RSQRT" else (scale, zero)
    target = FIXED.get(name, (float(np.float32(scale * ratio)), target_zero))
    made, expected = of_operator(name, source, source if name in KEPT else target)
    np.testing.assert_array_equal(expected, made)


@settings(max_examples=25)
@given(SCALES, ZERO_POINTS, st.floats(0.1, 4), ZERO_POINTS, st.floats(-0.5, 1.5))
def test_leaky_relu_equals_tflm(scale, zero, ratio, target_zero, alpha):
    setting = options("LeakyRelu")
    setting.alpha = alpha
    target = (float(np.float32(scale * ratio)), target_zero)
    made, expected = of_operator("LEAKY_RELU", (scale, zero), target, setting)
    np.testing.assert_array_equal(expected, made)


def test_tables_are_of_one_int8_value_only():
    file = File()
    data, out = file.tensor((1, 4, 4, 1)), file.tensor((1, 4, 4, 1))
    file.operator("ADD", [data, data], out, options("Add"))
    operator = TfliteModel.parse(file.content([data], [out])).operators[0]
    with pytest.raises(ValueError, match="ADD is no function of one int8 value"):
        table(operator)
