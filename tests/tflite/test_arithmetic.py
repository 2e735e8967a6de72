"""Integer arithmetic, against TensorFlow Lite's reference kernels and whole numbers of Python."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tflite.drafts import File, on_reference, on_tflm, options
from tinyseg.tflite import arithmetic

ZERO_POINTS = st.integers(-128, 127)
SCALES = st.floats(1e-4, 2.0).map(np.float32).map(float)
# 256 x 256 pixels: every pair of values.
VALUES = np.arange(-128, 128).astype(np.int8)
PAIRS = np.broadcast_to(VALUES[:, None], (256, 256)), np.broadcast_to(VALUES, (256, 256))


def pairs_file(name, quantizations):
    """An operator of two images of 256 x 256 pixels."""
    file = File()
    first, second, target = (
        file.tensor((1, 256, 256, 1), scale=scale, zero_point=zero) for scale, zero in quantizations
    )
    file.operator(name, [first, second], target, options(name.capitalize()))
    return file.content([first, second], [target])


def of_kernels(name, quantizations, run):
    inputs = [values.reshape(1, 256, 256, 1) for values in PAIRS]
    (made,) = run(pairs_file(name, quantizations), inputs)
    return made[0, :, :, 0]


def of_arithmetic(function, quantizations):
    first, second, out = quantizations
    made = function((PAIRS[0], *first), (PAIRS[1], *second), out)
    return arithmetic.clamp(made)


QUANTIZATION = st.tuples(SCALES, ZERO_POINTS)


@settings(max_examples=40)
@given(QUANTIZATION, QUANTIZATION, QUANTIZATION)
def test_mul_of_all_pairs(first, second, out):
    scheme = (first, second, out)
    made = of_arithmetic(arithmetic.mul, scheme)
    np.testing.assert_array_equal(made, of_kernels("MUL", scheme, on_tflm))
    # A product is rounded twice, first in 31 bits. Where it lies halfway there, which only scales
    # of simple ratios bring about, TensorFlow Lite goes the other way: -105 * 7 / 6 is -122.
    (a_scale, a_zero), (b_scale, b_zero), (out_scale, _) = scheme
    factor = a_scale * b_scale / out_scale
    _, shift = arithmetic.quantize_multiplier(factor)
    exact = (PAIRS[0].astype(float) - a_zero) * (PAIRS[1].astype(float) - b_zero) * factor
    first_step = np.abs(exact) * 2.0 ** max(-int(shift), 0)
    halfway = np.abs(first_step - np.floor(first_step) - 0.5) < 1e-4
    theirs = of_kernels("MUL", scheme, on_reference)
    np.testing.assert_array_equal(made[~halfway], theirs[~halfway])
    assert np.abs(made.astype(int) - theirs)[halfway].max(initial=0) <= 1


# Scales that converters choose: one step of the result is about one of an operand.
RATIOS = st.floats(0.05, 20)


@settings(max_examples=40)
@given(QUANTIZATION, ZERO_POINTS, RATIOS, ZERO_POINTS, RATIOS)
def test_add_of_all_pairs(first, second_zero, second_ratio, out_zero, out_ratio):
    scale, _ = first
    out = float(np.float32(scale * out_ratio))
    scheme = (first, (float(np.float32(scale * second_ratio)), second_zero), (out, out_zero))
    made = of_arithmetic(arithmetic.add, scheme)
    np.testing.assert_array_equal(made, of_kernels("ADD", scheme, on_tflm))
    np.testing.assert_array_equal(made, of_kernels("ADD", scheme, on_reference))


@settings(max_examples=300)
@given(st.floats(2.0**-29, 2.0**29))
def test_multipliers_have_31_bits(real):
    multiplier, shift = (int(part) for part in arithmetic.quantize_multiplier(real))
    assert 1 << 30 <= multiplier < 1 << 31
    made = Fraction(multiplier) * Fraction(2) ** (shift - 31)
    assert abs(made - Fraction(real)) <= Fraction(2) ** (shift - 32)


@pytest.mark.parametrize(
    ("real", "expected"),
    [
        (0.0, (0, 0)),
        (1.0, (1 << 30, 1)),
        (0.75, (3 << 29, 0)),
        # Rounds up to 2**31, which is one bit too many.
        (1 - 2.0**-40, (1 << 30, 1)),
        (2.0**-31, (1 << 30, -30)),
        # Shifts beyond -31 give nothing.
        (2.0**-33, (0, 0)),
    ],
)
def test_multipliers_by_hand(real, expected):
    assert tuple(int(part) for part in arithmetic.quantize_multiplier(real)) == expected


def rounded_twice(value, multiplier, shift):
    """Half away from zero twice; the first time, half below zero goes up."""
    product = (value << max(shift, 0)) * multiplier
    high = Fraction(product, 1 << 31)
    high = int(high + Fraction(1, 2)) if product >= 0 else -int(-high + Fraction(1, 2) - EPSILON)
    right = Fraction(high, 1 << max(-shift, 0))
    magnitude = int(abs(right) + Fraction(1, 2))
    return magnitude if right >= 0 else -magnitude


EPSILON = Fraction(1, 1 << 31)


@settings(max_examples=500)
@given(
    st.integers(-(1 << 24), 1 << 24),
    st.integers(1 << 30, (1 << 31) - 1),
    st.integers(-31, 6),
)
def test_products_are_rounded_twice(value, multiplier, shift):
    made = arithmetic.multiply(np.int64(value), np.int64(multiplier), np.int64(shift))
    assert int(made) == rounded_twice(value, multiplier, shift)


@given(st.lists(st.floats(1e-9, 1e6), min_size=1, max_size=5))
def test_arrays_are_as_their_elements(reals):
    multipliers, shifts = arithmetic.quantize_multiplier(np.array(reals))
    assert multipliers.dtype == shifts.dtype == np.int64
    for real, multiplier, shift in zip(reals, multipliers, shifts, strict=True):
        assert (multiplier, shift) == arithmetic.quantize_multiplier(real)


def test_clamp():
    made = arithmetic.clamp(np.array([-1000, -129, -128, 0, 127, 128]))
    assert made.dtype == np.int8
    assert made.tolist() == [-128, -128, -128, 0, 127, 127]
    assert arithmetic.clamp(np.array([-5, 50]), low=0, high=6).tolist() == [0, 6]
