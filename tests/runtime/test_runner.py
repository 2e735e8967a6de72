"""Numbers at the border of a network, held against exact rational arithmetic."""

import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests import fixtures
from tinyseg.errors import InputError
from tinyseg.runtime.runner import TensorSpec, border, network_outputs
from tinyseg.tflite import TfliteModel

# With the batch of 1; no test depends on it.
SHAPE = (1, 2)
LIMITS = {"int8": (-128, 127), "int16": (-32768, 32767), "uint8": (0, 255)}


def to_float32(value):
    """The float32 nearest to a rational number, as Python's own packing rounds it."""
    return struct.unpack("f", struct.pack("f", float(value)))[0]


def quantize(value, scale, zero_point, dtype):
    """The definition: scaled in float32 as on the device, then a half goes away from zero."""
    scaled = Fraction(to_float32(Fraction(value) / Fraction(scale)))
    rounded = int(abs(scaled) + Fraction(1, 2)) * (1 if scaled >= 0 else -1)
    low, high = LIMITS[dtype]
    return min(max(rounded + zero_point, low), high)


def floats(low, high, **limits):
    return st.floats(to_float32(low), to_float32(high), width=32, **limits)


specs = st.one_of(
    st.tuples(st.just("int8"), floats(1e-3, 10), st.integers(-128, 127)),
    st.tuples(st.just("uint8"), floats(1e-3, 10), st.integers(0, 255)),
    # The converter makes int16 activations symmetric.
    st.tuples(st.just("int16"), floats(1e-5, 10), st.just(0)),
)


@settings(max_examples=300)
@given(specs, st.lists(floats(-2e4, 2e4), min_size=1, max_size=20))
@example(("int8", 1.0, 0), [0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 126.5, -127.5, 127.5, -128.5])
@example(("int8", 0.5, 10), [0.25, -0.25, 0.75, 100.0, -100.0])
@example(("int16", 1.0, 0), [32766.5, 32767.5, -32768.5])
# The largest float32 below a half, to which 0.5 cannot be added in float32.
@example(("int8", 1.0, 0), [float(np.nextafter(np.float32(0.5), np.float32(0)))])
def test_quantize_is_exact(spec, values):
    dtype, scale, zero_point = spec
    stored = TensorSpec(SHAPE, dtype, scale, zero_point).quantize(np.float32(values))
    assert stored.dtype == dtype
    assert stored.tolist() == [quantize(value, scale, zero_point, dtype) for value in values]


@settings(max_examples=300)
@given(specs, st.data())
def test_dequantize_is_exact(spec, data):
    dtype, scale, zero_point = spec
    values = data.draw(st.lists(st.integers(*LIMITS[dtype]), min_size=1, max_size=20))
    real = TensorSpec(SHAPE, dtype, scale, zero_point).dequantize(np.array(values, dtype))
    assert real.dtype == np.float32
    assert real.tolist() == [to_float32((v - zero_point) * Fraction(scale)) for v in values]


@given(specs, st.data())
def test_stored_values_survive_the_round_trip(spec, data):
    dtype, scale, zero_point = spec
    stored = np.array(data.draw(st.lists(st.integers(*LIMITS[dtype]), min_size=1)), dtype)
    specification = TensorSpec(SHAPE, dtype, scale, zero_point)
    np.testing.assert_array_equal(specification.quantize(specification.dequantize(stored)), stored)


def test_values_beyond_the_range_saturate():
    specification = TensorSpec(SHAPE, "int8", 0.1, 5)
    stored = specification.quantize(np.float32([1e30, -1e30, np.inf, -np.inf]))
    assert stored.tolist() == [127, -128, 127, -128]


def test_image_of_8_bits_maps_to_all_of_int8():
    """Scale 1/255 and zero point -128, the seed's input: grey level g is stored as g - 128."""
    grey = np.arange(256, dtype=np.uint8)
    inputs = grey.astype(np.float32) * np.float32(1 / 255)
    stored = TensorSpec(SHAPE, "int8", float(np.float32(1 / 255)), -128).quantize(inputs)
    assert stored.tolist() == list(range(-128, 128))


def test_float_tensors_pass_unchanged():
    specification = TensorSpec(SHAPE, "float32")
    values = np.float32([[0.1, -3.0]])
    np.testing.assert_array_equal(specification.quantize(values), values)
    np.testing.assert_array_equal(specification.dequantize(values), values)
    assert specification.quantize(np.array([0.1])).dtype == np.float32


def test_quantize_is_what_tensorflow_lite_does_with_float_input():
    """The first operator of a file with float input quantizes; so do we for an integer one."""
    values = np.random.default_rng(0).uniform(-0.5, 1.5, (32, 32, 3)).astype(np.float32)
    content = fixtures.quantized(io="float32")
    first = TfliteModel.parse(content).operators[0]
    assert first.opcode == "QUANTIZE"
    reference = fixtures.interpreter(content, experimental_preserve_all_tensors=True)
    reference.set_tensor(0, values[None])
    reference.invoke()
    expected = reference.get_tensor(first.outputs[0].index)
    np.testing.assert_array_equal(TensorSpec.of(first.outputs[0]).quantize(values[None]), expected)
    assert len(np.unique(expected)) > 200


@pytest.mark.parametrize(
    ("recipe", "io", "dtype"),
    [
        ("static_wi8_ai8", "integer", "int8"),
        ("static_wi8_ai16", "integer", "int16"),
        ("static_wi8_ai8", "float32", "float32"),
    ],
)
def test_border_is_what_tensorflow_lite_says(recipe, io, dtype):
    content = fixtures.quantized(recipe, io)
    reference = fixtures.interpreter(content)
    ends = (reference.get_input_details()[0], reference.get_output_details()[0])
    for specification, details in zip(border(TfliteModel.parse(content)), ends, strict=True):
        assert specification.shape == tuple(details["shape"])
        assert specification.dtype == np.dtype(details["dtype"]).name == dtype
        scale, zero_point = details["quantization"] if dtype != "float32" else (1.0, 0)
        assert (specification.scale, specification.zero_point) == (scale, zero_point)


def test_border_takes_one_input():
    model = fixtures.unpack(fixtures.quantized())
    graph = model.subgraphs[0]
    graph.inputs = [*graph.inputs, 0]
    with pytest.raises(InputError, match="2 inputs and 1 outputs"):
        border(TfliteModel.parse(fixtures.pack(model), "two.tflite"))


def test_border_of_a_chosen_output():
    model = fixtures.unpack(fixtures.quantized())
    graph = model.subgraphs[0]
    other = graph.operators[0].outputs[0]
    graph.outputs = [*graph.outputs, other]
    parsed = TfliteModel.parse(fixtures.pack(model))
    assert border(parsed, 1)[1].shape == tuple(graph.tensors[other].shape)


class Doubler:
    """A backend that stores quarters and gives halves."""

    input = TensorSpec((1, 2), "int8", 0.25, 3)
    output = TensorSpec((1, 2), "int8", 0.5, -1)

    def run(self, inputs):
        assert inputs.dtype == np.int8
        return inputs


def test_predict_quantizes_runs_and_dequantizes():
    # 1.0 is stored as 4 + 3 = 7, which the output reads as (7 + 1) / 2 = 4.
    outputs = network_outputs(Doubler(), np.float32([[1.0, -0.5]]))
    assert outputs.tolist() == [[4.0, 1.0]]
