"""Tables in the place of operators, against the function that they hold."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests import fixtures
from tests.fixtures import Draft, one_operator
from tinyseg.compression.quantization_aware import RangeQuantizer
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.annotate import seal
from tinyseg.tflite.lookup import replace_by_tables

L = keras.layers
SHAPE = (1, 4, 8, 4)


def lone(zero_point=0, scale=0.02, output_scale=0.01, output_zero_point=-3):
    """A leaky ReLU alone; its tensors, and so its layer, have no names of a network."""
    return one_operator(
        "LEAKY_RELU",
        [Draft(SHAPE, scale=scale, zero_point=zero_point)],
        Draft(SHAPE, scale=output_scale, zero_point=output_zero_point),
        schema.LeakyReluOptionsT(),
    )


def all_inputs():
    return np.arange(128, dtype=np.int8).reshape(SHAPE)


@pytest.mark.parametrize(
    "function",
    [np.sin, np.negative, np.zeros_like, lambda x: 100 * x, lambda x: np.where(x > 1, 0.3, -0.2)],
    ids=["sine", "negative", "zero", "saturating", "step"],
)
def test_every_value_is_looked_up(function):
    content = replace_by_tables(lone(), {"tensor_1": function})
    reals = function(np.arange(128, dtype=np.float32) * np.float32(0.02)).astype(np.float64)
    exact = np.clip(reals / 0.01 - 3, -128, 127).reshape(SHAPE[1:])
    reference = fixtures.reference_outputs(content, all_inputs())[0]
    assert np.abs(reference - exact).max() <= 0.501
    np.testing.assert_array_equal(TflmRunner(TfliteModel.parse(content)).run(all_inputs())[0],
                                  reference)  # fmt: skip


def test_operators_and_tensors():
    model = TfliteModel.parse(replace_by_tables(lone(), {"tensor_1": np.sin}))
    assert set(model.opcodes) == {"CAST", "GATHER"}
    cast, gather = model.operators
    table, indices = gather.inputs
    assert (table.dtype, table.shape, table.constant) == ("int8", (128,), True)
    assert (indices.dtype, indices.shape) == ("int32", SHAPE)
    assert cast.outputs[0].index == indices.index
    before = TfliteModel.parse(lone())
    for old, new in ((before.inputs[0], cast.inputs[0]), (before.outputs[0], gather.outputs[0])):
        assert (old.name, old.shape, old.dtype) == (new.name, new.shape, new.dtype)
        np.testing.assert_array_equal(old.scales, new.scales)
        np.testing.assert_array_equal(old.zero_points, new.zero_points)
    np.testing.assert_array_equal(table.scales, gather.outputs[0].scales)


def test_input_must_start_at_zero():
    with pytest.raises(ValueError, match=r"^tensor_1: the zero point of its input is -5, not 0$"):
        replace_by_tables(lone(zero_point=-5), {"tensor_1": np.sin})


@pytest.mark.parametrize("names", [["tensor_0"], ["nowhere", "tensor_1"]])
def test_missing_operators_are_named(names):
    with pytest.raises(ValueError, match=f"^no operator of layer {names[0]}$"):
        replace_by_tables(lone(), dict.fromkeys(names, np.sin))


@pytest.fixture(scope="module")
def converted():
    """Two leaky ReLUs between convolutions, with the ranges that tables need."""
    keras.utils.set_random_seed(0)
    x = image = keras.Input((8, 8, 3), 1, name="image")

    def rounded(x, low=-2.56, high=2.54):
        return L.Lambda(lambda v: RangeQuantizer(low, high)(v, False, {}))(x)

    x = rounded(x)
    for name in ("one", "two"):
        x = rounded(L.Conv2D(4, 3, padding="same", activation="relu", name=f"{name}_conv")(x))
        x = rounded(L.LeakyReLU(name=name)(x), -1.0, 1.5)
    x = rounded(L.Conv2D(1, 1, name="mask")(x))
    return fixtures.convert(
        keras.Model(image, x, name="net"),
        optimizations=[tf.lite.Optimize.DEFAULT],
        inference_input_type=tf.int8,
        inference_output_type=tf.int8,
    )


@pytest.fixture(scope="module")
def stored():
    return np.random.default_rng(1).integers(0, 127, (3, 8, 8, 3), np.int8)


def replaced(content, functions):
    """With the buffers in order, as every file gets them in the end."""
    return seal(fixtures.unpack(replace_by_tables(content, functions)))


def test_only_the_named_layers_are_replaced(converted, stored):
    before = TfliteModel.parse(converted)
    assert sum(op.opcode == "LEAKY_RELU" for op in before.operators) == 2
    content = replaced(converted, {"two": lambda x: x})
    model = TfliteModel.parse(content)
    codes = [op.opcode for op in model.operators]
    assert codes.count("LEAKY_RELU") == codes.count("CAST") == codes.count("GATHER") == 1
    kept = next(op for op in model.operators if op.opcode == "LEAKY_RELU")
    assert kept.outputs[0].layer == "one"
    outputs = fixtures.reference_outputs(content, stored)
    np.testing.assert_array_equal(TflmRunner(model).run(stored), outputs)


def test_table_of_the_operator_itself_changes_nothing(converted, stored):
    """A leaky ReLU of what is never negative is the identity."""
    content = replaced(converted, {"one": lambda x: x, "two": lambda x: x})
    assert not any(op.opcode == "LEAKY_RELU" for op in TfliteModel.parse(content).operators)
    before, after = (fixtures.reference_outputs(c, stored) for c in (converted, content))
    # TFLite's operator rounds in fixed point.
    assert np.abs(before.astype(int) - after).max() <= 3
    assert len(np.unique(before)) > 10


def test_nothing_to_replace_keeps_the_graph(converted, stored):
    content = replaced(converted, {})
    np.testing.assert_array_equal(
        fixtures.reference_outputs(content, stored), fixtures.reference_outputs(converted, stored)
    )
