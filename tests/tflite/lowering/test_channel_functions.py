"""Products and sums with constants of the channels: the same table, or left alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests.tflite.drafts import File, assert_same, on_reference, on_tflm, options
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.graph import Graph
from tinyseg.tflite.lowering.channel_functions import (
    convolution_table,
    fit_convolution,
    lower_channel_functions,
)

CHANNELS = 3
# One pixel for every stored value, in every channel.
TABLE = np.arange(-128, 128).astype(np.int8).reshape(1, 16, 16, 1).repeat(CHANNELS, -1)
QUANTIZATION = st.tuples(st.floats(0.001, 0.5), st.integers(-128, 127))
FACTORS = st.lists(st.integers(-128, 127), min_size=CHANNELS, max_size=CHANNELS)


def chain(steps, source=(0.04, -11), shape=(CHANNELS,), swapped=False, activation=0):
    """Operators one after the other.

    Args:
        steps: of each, its name, the constant, its quantization and that of the result.
        source: quantization of the input.
        shape: of the constants.
        swapped: whether the constant comes first.
        activation: fused into the last.
    """
    file = File()
    first = current = file.tensor(TABLE.shape, scale=source[0], zero_point=source[1])
    for name, values, (scale, zero), (out_scale, out_zero) in steps:
        values = np.array(values).reshape(shape)
        factor = file.constant(values, scale=scale, zero_point=zero)
        target = file.tensor(TABLE.shape, scale=out_scale, zero_point=out_zero)
        inputs = [factor, current] if swapped else [current, factor]
        last = activation if len(file.graph.operators) == len(steps) - 1 else 0
        file.operator(
            name, inputs, target, options(name.capitalize(), fusedActivationFunction=last)
        )
        current = target
    return file.content([first], [current])


def lowered(content):
    graph = Graph(content)
    changed = lower_channel_functions(graph)
    return graph.to_bytes(), changed


def assert_same_tables(content, made):
    for run in (on_tflm, on_reference):
        for one, other in zip(run(content, [TABLE]), run(made, [TABLE]), strict=True):
            np.testing.assert_array_equal(other, one, strict=True)


MUL = ("MUL", [100, -60, 3], (0.01, 0), (0.05, 4))
ADD = ("ADD", [100, -60, 3], (0.02, 5), (0.09, 30))


@settings(max_examples=40)
@given(
    st.sampled_from(["MUL", "ADD"]), FACTORS, QUANTIZATION, QUANTIZATION, QUANTIZATION
)  # fmt: skip
def test_any_scales(name, values, source, factor, out):
    """Converted or not, no value of 256 comes out differently."""
    content = chain([(name, values, factor, out)], source)
    made, changed = lowered(content)
    expected = ["DEPTHWISE_CONV_2D"] if changed else [name]
    assert TfliteModel.parse(made).opcodes == expected
    assert_same_tables(content, made)


@settings(max_examples=25)
@given(FACTORS, FACTORS, QUANTIZATION, QUANTIZATION)
def test_any_normalization(factors, offsets, middle, out):
    """A product then a sum, in one convolution, in two, in one of two, or as they were."""
    content = chain([("MUL", factors, (0.01, 0), middle), ("ADD", offsets, (0.02, 5), out)])
    made, changed = lowered(content)
    model = TfliteModel.parse(made)
    assert model.opcodes.count("DEPTHWISE_CONV_2D") == len(changed)
    assert_same_tables(content, made)


@settings(max_examples=60)
@given(st.floats(-3, 3), st.floats(-300, 300), st.integers(-128, 127), st.integers(-128, 127))
def test_fit_gives_the_table_or_nothing(slope, offset, source_zero, target_zero):
    values = slope * (np.arange(-128, 128) - source_zero) + offset + target_zero
    table = np.clip(np.rint(values), -128, 127).astype(np.int8)
    found = fit_convolution(table, source_zero, target_zero)
    if found is not None:
        weight, bias, factor = map(np.array, found)
        assert -127 <= weight <= 127
        made = convolution_table(weight, bias, factor, source_zero, target_zero)
        np.testing.assert_array_equal(made, table)


def test_most_lines_are_found():
    """Tables that some convolution is known to give."""
    random, found = np.random.default_rng(0), 0
    for _ in range(100):
        weight, bias = random.integers(1, 128), random.integers(-8000, 8000)
        factor = random.uniform(0.02, 3) / weight
        zeros = random.integers(-128, 128, 2)
        table = convolution_table(weight, bias, factor, *zeros)
        found += fit_convolution(table, *zeros) is not None
    assert found >= 60


@pytest.mark.parametrize("value", [-128, -5, 0, 127])
def test_level_lines_are_found(value):
    table = np.full(256, value, np.int8)
    weight, bias, factor = map(np.array, fit_convolution(table, -3, 17))
    np.testing.assert_array_equal(convolution_table(weight, bias, factor, -3, 17), table)


@pytest.mark.parametrize(
    "table",
    [
        np.arange(-128, 128) ** 2 // 200,
        np.abs(np.arange(-128, 128)) - 1,
        np.where(np.arange(256) % 2, 1, -1),
        np.where(np.arange(256) == 100, 5, 0),
    ],
    ids=["parabola", "absolute", "alternating", "outlier"],
)
def test_what_is_no_line_is_not_found(table):
    assert fit_convolution(table.astype(np.int8), 0, 0) is None


@pytest.mark.parametrize("step", [MUL, ADD], ids=["mul", "add"])
@pytest.mark.parametrize("swapped", [False, True], ids=["second", "first"])
@pytest.mark.parametrize("shape", [(3,), (1, 3), (1, 1, 1, 3)], ids=str)
def test_constants_of_any_shape_and_place(step, swapped, shape):
    content = chain([step], shape=shape, swapped=swapped)
    made, changed = lowered(content)
    assert len(changed) == 1
    assert TfliteModel.parse(made).opcodes == ["DEPTHWISE_CONV_2D"]
    assert_same_tables(content, made)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1, 1)], ids=str)
def test_one_constant_for_all_channels(shape):
    content = chain([("MUL", [77], (0.01, 0), (0.05, 4))], shape=shape)
    made, changed = lowered(content)
    assert len(changed) == 1
    assert_same_tables(content, made)


# A product and a sum that one convolution can do, from a source of this quantization.
FINE = (0.01, -11)
PRODUCT = ("MUL", [100, -60, 3], (0.01, 0), (0.05, 4))
TOTAL = ("ADD", [100, -60, 3], (0.02, 5), (0.4, 30))


def test_chain_becomes_one_convolution():
    content = chain([PRODUCT, TOTAL], source=FINE)
    made, changed = lowered(content)
    before, model = TfliteModel.parse(content), TfliteModel.parse(made)
    assert changed == [before.outputs[0].name]
    assert model.opcodes == ["DEPTHWISE_CONV_2D"]
    assert model.outputs[0].name == before.outputs[0].name
    assert_same_tables(content, made)


def with_middle(use):
    """A product and a sum in one convolution, were it not that something needs what is between.

    Args:
        use: of the intermediate result; ``returned`` as the second output, ``returned_first`` as
            the first, ``read`` by a later operator, ``alone`` by nothing else.
    """
    file = File()
    first = file.tensor(TABLE.shape, scale=FINE[0], zero_point=FINE[1])
    middle, last = (
        file.tensor(TABLE.shape, scale=scale, zero_point=zero)
        for *_, (scale, zero) in (PRODUCT, TOTAL)
    )
    factor, offset = (
        file.constant(values, scale=scale, zero_point=zero)
        for _, values, (scale, zero), _ in (PRODUCT, TOTAL)
    )
    file.operator("MUL", [first, factor], middle, options("Mul"))
    file.operator("ADD", [middle, offset], last, options("Add"))
    if use == "read":
        target = file.tensor(TABLE.shape, scale=0.3, zero_point=-9)
        file.operator("ADD", [middle, last], target, options("Add"))
        return file.content([first], [target])
    outputs = {"returned": [last, middle], "returned_first": [middle, last], "alone": [last]}
    return file.content([first], outputs[use])


@pytest.mark.parametrize("use", ["returned", "returned_first", "read"])
def test_middle_that_is_needed_stays(use):
    made, changed = lowered(with_middle("alone"))
    assert TfliteModel.parse(made).opcodes == ["DEPTHWISE_CONV_2D"]
    content = with_middle(use)
    made, changed = lowered(content)
    assert len(changed) == 2
    rest = ["ADD"] * (use == "read")
    assert TfliteModel.parse(made).opcodes == ["DEPTHWISE_CONV_2D"] * 2 + rest
    assert_same_tables(content, made)
    assert_same(content, made)


def rows(values):
    """A factor for each of three rows, which are as many as the channels."""
    file = File()
    source = file.tensor((1, 3, 5, 3), scale=0.04, zero_point=-11)
    factor = file.constant(np.array(values).reshape(3, 1, 1), scale=0.01)
    target = file.tensor((1, 3, 5, 3), scale=0.05, zero_point=4)
    file.operator("MUL", [source, factor], target, options("Mul"))
    return file.content([source], [target])


def same_operand():
    file = File()
    source, target = file.tensor((1, 3, 5, 3)), file.tensor((1, 3, 5, 3), scale=0.2)
    file.operator("MUL", [source, source], target, options("Mul"))
    return file.content([source], [target])


def widened():
    """One channel becomes three: the constant is the larger operand."""
    file = File()
    source, target = file.tensor((1, 4, 4, 1)), file.tensor((1, 4, 4, 3), scale=0.02)
    factor = file.constant([100, -60, 3], scale=0.01)
    file.operator("MUL", [source, factor], target, options("Mul"))
    return file.content([source], [target])


def of_int16():
    file = File()
    source = file.tensor((1, 4, 4, 3), "int16", scale=0.001)
    factor = file.constant([9000, -6000, 300], "int16", scale=0.001)
    target = file.tensor((1, 4, 4, 3), "int16", scale=0.002)
    file.operator("MUL", [source, factor], target, options("Mul"))
    return file.content([source], [target])


RELU = schema.ActivationFunctionType.RELU


@pytest.mark.parametrize(
    "content",
    [
        rows([100, -60, 3]),
        same_operand(),
        widened(),
        of_int16(),
        chain([MUL], activation=RELU),
        # Rounding makes steps that no line has.
        chain([("MUL", [60, -97, 118], (0.101, -89), (0.461, -37))], source=(0.322, -116)),
    ],
    ids=["rows", "same_operand", "widened", "int16", "activation", "no_line"],
)
def test_others_stay(content):
    made, changed = lowered(content)
    assert not changed
    assert TfliteModel.parse(made).checksum() == TfliteModel.parse(content).checksum()


def test_factor_of_one_row_of_one_channel():
    """With a single channel, a constant of one value is of the channel, whatever its shape."""
    file = File()
    source = file.tensor((1, 16, 16, 1), scale=0.04, zero_point=-11)
    factor = file.constant(np.array([90]).reshape(1, 1, 1), scale=0.01)
    target = file.tensor((1, 16, 16, 1), scale=0.05, zero_point=4)
    file.operator("MUL", [source, factor], target, options("Mul"))
    content = file.content([source], [target])
    made, changed = lowered(content)
    assert len(changed) == 1
    assert_same(content, made)
