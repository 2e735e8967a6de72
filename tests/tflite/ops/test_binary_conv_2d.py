"""Binary convolution: sums as TensorFlow has them, packing bit by bit, rounding as fractions."""

import re
from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tinyseg.errors import InputError
from tinyseg.places import firmware_folder
from tinyseg.tflite.ops.binary_conv_2d import (
    FRACTION_BITS,
    NAME,
    BinaryConvOptions,
    binary_conv_2d,
    pack_filter,
    pack_signs,
    requantization,
)

# Output = sum, for sums that fit eight bits.
IDENTITY = (1 << 30, 11, 0)


def sums(inputs, kernel, strides, padding):
    """Sums of products of signs by TensorFlow, in floats that hold them exactly."""
    signs = np.where(inputs >= 0, 1, -1).astype(np.float32)
    weights = np.where(kernel >= 0, 1, -1).astype(np.float32)
    exact = tf.nn.conv2d(signs, weights, strides, padding.upper()).numpy()
    assert np.abs(exact).max(initial=0) < 2**24
    return exact.astype(np.int64)


@st.composite
def convolutions(draw):
    """Input, kernel, strides and padding of all shapes, with channels around word borders."""
    height, width = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    channels = draw(st.sampled_from([1, 3, 31, 32, 33, 40, 64, 65]))
    out_channels = draw(st.integers(1, 4))
    window = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    strides = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    padding = draw(st.sampled_from(["same", "valid"]))
    if padding == "valid":
        assume(window[0] <= height and window[1] <= width)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    inputs = rng.integers(-128, 128, (draw(st.integers(1, 2)), height, width, channels), np.int8)
    kernel = rng.standard_normal((*window, channels, out_channels)).astype(np.float32)
    return inputs, kernel, strides, padding


@settings(max_examples=200)
@given(convolutions(), st.integers(-128, 127), st.integers(-128, 127))
def test_sums_are_those_of_tensorflow(convolution, input_zero_point, output_zero_point):
    inputs, kernel, strides, padding = convolution
    outputs = binary_conv_2d(
        inputs,
        pack_filter(kernel),
        np.array([IDENTITY] * kernel.shape[-1], np.int32),
        BinaryConvOptions(strides, padding),
        input_zero_point,
        output_zero_point,
    )
    expected = sums(inputs.astype(int) - input_zero_point, kernel, strides, padding)
    assert outputs.dtype == np.int8
    np.testing.assert_array_equal(outputs, np.clip(expected + output_zero_point, -128, 127))


def test_sums_of_a_large_layer():
    rng = np.random.default_rng(3)
    inputs = rng.integers(-128, 128, (1, 16, 16, 96), np.int8)
    kernel = rng.standard_normal((3, 3, 96, 32)).astype(np.float32)
    expected = sums(inputs, kernel, (1, 1), "same")
    # In eights of a sum, which exceed eight bits otherwise.
    outputs = binary_conv_2d(
        inputs, pack_filter(kernel), np.array([[1 << 30, 14, 0]] * 32), BinaryConvOptions(), 0, 0
    )
    np.testing.assert_array_equal(outputs, np.clip(np.floor(expected / 8 + 0.5), -128, 127))
    assert len(np.unique(outputs)) > 20


def test_padding_adds_nothing_to_a_sum():
    """All products are +1, so an output counts the positions inside the image."""
    outputs = binary_conv_2d(
        np.zeros((1, 3, 3, 2), np.int8),
        pack_filter(np.ones((3, 3, 2, 1))),
        np.array([IDENTITY]),
        BinaryConvOptions(),
        0,
        0,
    )
    assert outputs[0, :, :, 0].tolist() == [[8, 12, 8], [12, 18, 12], [8, 12, 8]]


def test_outputs_stay_within_the_options_range():
    """A fused ReLU begins at the zero point."""
    inputs = np.array([-1, 1], np.int8).reshape(1, 1, 2, 1)
    options = BinaryConvOptions(output_min=-3, output_max=-3 + 6)
    outputs = binary_conv_2d(
        inputs,
        pack_filter(np.ones((1, 1, 1, 1))),
        requantization(np.array([10.0]), np.array([0.0]), 1.0),
        options,
        0,
        -3,
    )
    assert outputs.ravel().tolist() == [-3, 3]


@given(st.integers(1, 100), st.integers(0, 2**32 - 1))
def test_signs_are_packed_bit_by_bit(channels, seed):
    values = np.random.default_rng(seed).integers(-2, 3, (2, 3, channels)).astype(np.float32)
    words = pack_signs(values)
    assert words.shape == (2, 3, -(-channels // 32))
    assert words.dtype == np.int32
    for place in np.ndindex(2, 3):
        for word, stored in enumerate(words[place]):
            bits = [int(stored) >> i & 1 for i in range(32)]
            present = values[place][32 * word : 32 * word + 32]
            assert bits == [int(v >= 0) for v in present] + [0] * (32 - len(present))


def test_golden_words():
    # Channels 0, 2 and 31 of the first word, channel 0 of the second.
    values = -np.ones(33)
    values[[0, 2, 31, 32]] = [1, 0, 5, 0.5]
    assert pack_signs(values).tolist() == [-0x80000000 + 5, 1]
    assert pack_signs(np.array([-0.0, -1e-30])).tolist() == [1]


def test_filters_are_stored_with_the_output_channel_first():
    kernel = -np.ones((2, 3, 40, 5))
    kernel[1, 2, 33, 4] = 1
    packed = pack_filter(kernel)
    assert packed.shape == (5, 2, 3, 2)
    assert packed.flags.c_contiguous
    assert np.argwhere(packed).tolist() == [[4, 1, 2, 1]]
    assert packed[4, 1, 2, 1] == 1 << 1


@pytest.mark.parametrize(
    ("scale", "bias", "output_scale", "expected"),
    [
        (1.0, 0.0, 1.0, (1 << 30, 11, 0)),
        (0.5, 0.0, 1.0, (1 << 30, 12, 0)),
        (0.75, 0.0, 1.0, (3 << 29, 12, 0)),
        # A bias counts in 4096ths of a sum.
        (0.5, 1.0, 1.0, (1 << 30, 12, 8192)),
        (2.0, -3.0, 0.5, (1 << 30, 9, -6144)),
        # All but a power of two: the multiplier would round up to 2^31.
        (1.0 - 2.0**-40, 0.0, 1.0, (1 << 30, 11, 0)),
        # The ends of the range of shifts.
        (1024.0, 0.0, 1.0, (1 << 30, 1, 0)),
        (2.0**-19, 0.0, 1.0, (1 << 30, 30, 0)),
    ],
)
def test_golden_requantization(scale, bias, output_scale, expected):
    made = requantization(np.array([scale]), np.array([bias]), output_scale)
    assert made.dtype == np.int32
    assert made.tolist() == [list(expected)]


@pytest.mark.parametrize(
    ("scale", "bias", "output_scale", "reason"),
    [
        (0.0, 0.0, 1.0, "above zero"),
        (-1.0, 0.0, 1.0, "above zero"),
        (np.nan, 0.0, 1.0, "above zero"),
        (np.inf, 0.0, 1.0, "above zero"),
        (2048.0, 0.0, 1.0, "too far"),
        (2.0**-20, 0.0, 1.0, "too far"),
        (1.0, 0.0, 2.0**20, "too far"),
        (1.0, 2.0**18 + 1, 1.0, "bias is too large"),
        (1.0, -(2.0**18) - 1, 1.0, "bias is too large"),
    ],
)
def test_numbers_that_cannot_be_expressed(scale, bias, output_scale, reason):
    with pytest.raises(InputError, match=f"binary convolution: .*{reason}"):
        requantization(np.array([0.5, scale]), np.array([0.0, bias]), output_scale)


def output_of(total, scale, bias, output_scale, zero_point):
    """The operator's output where the sum is what is asked for: so many products of one sign."""
    signs = [0] * total + [-1] * -total or [0, -1]
    inputs = np.array(signs, np.int8).reshape(1, 1, 1, -1)
    to = requantization(np.array([scale]), np.array([bias]), output_scale)
    kernel = pack_filter(np.ones((1, 1, len(signs), 1)))
    return binary_conv_2d(inputs, kernel, to, BinaryConvOptions(), 0, zero_point).item()


@settings(max_examples=300)
@given(
    st.integers(-600, 600),
    st.floats(1e-3, 2.0),
    st.floats(-50, 50),
    st.floats(1e-2, 4.0),
    st.integers(-128, 127),
)
@example(600, 2.0, 0.0, 0.01, 0)
@example(-600, 2.0, 0.0, 0.01, 0)
def test_rounding_against_exact_fractions(total, scale, bias, output_scale, zero_point):
    ratio = Fraction(scale) / Fraction(output_scale)
    exact = total * ratio + Fraction(bias) / Fraction(output_scale) + zero_point
    output = output_of(total, scale, bias, output_scale, zero_point)
    # A half for rounding, half a 4096th of a sum for the bias, 2^-32 for the multiplier.
    allowed = Fraction(1, 2) + ratio / 2**13 + abs(exact - zero_point) / 2**31
    assert allowed < 1
    assert abs(output - min(max(exact, -128), 127)) <= allowed


@pytest.mark.parametrize(
    ("total", "bias", "expected"),
    # Half a sum: odd ones lie in the middle of two integers, and go to the upper one.
    [
        *((1, 0, 1), (-1, 0, 0), (3, 0, 2), (-3, 0, -1), (2, 0, 1), (-2, 0, -1), (0, 0, 0)),
        *((0, 0.5, 1), (0, -0.5, 0), (0, -1.5, -1)),
    ],
)
def test_ties_are_rounded_up(total, bias, expected):
    assert output_of(total, 0.5, bias, 1.0, 0) == expected
    assert output_of(total, 0.5, bias, 1.0, -7) == expected - 7


def test_just_below_a_tie_is_rounded_down():
    assert output_of(0, 1.0, 0.5 - 1 / 4096, 1.0, 0) == 0
    assert output_of(0, 1.0, 0.5, 1.0, 0) == 1


def test_channels_have_scales_and_biases_of_their_own():
    to = requantization(np.array([1.0, 2.0, 0.25]), np.array([0.0, 5.0, -1.0]), 1.0)
    outputs = binary_conv_2d(
        np.zeros((1, 1, 1, 4), np.int8),
        pack_filter(np.ones((1, 1, 4, 3))),
        to,
        BinaryConvOptions(),
        0,
        10,
    )
    assert outputs.ravel().tolist() == [14, 23, 10]


@pytest.mark.parametrize(
    ("options", "content"),
    [
        (BinaryConvOptions(), "01 01 01 00 80 7f"),
        (BinaryConvOptions((2, 3), "valid", -5, 100), "01 02 03 01 fb 64"),
        (BinaryConvOptions((255, 1), "same", 0, 6), "01 ff 01 00 00 06"),
    ],
)
def test_options_as_bytes(options, content):
    assert options.encode() == bytes.fromhex(content)


def test_names_and_constants_are_those_of_the_firmware():
    operators = firmware_folder() / "ops"
    kernel, registered = (
        (operators / name).read_text() for name in ("binary_conv.h", "binary_conv_tflm.h")
    )
    assert re.search(r'kBinaryConvName\[\] = "(\w+)"', registered)[1] == NAME
    assert int(re.search(r"kBinaryConvFractionBits = (\d+);", kernel)[1]) == FRACTION_BITS
