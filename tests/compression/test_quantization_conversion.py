"""Conversion of any network: the same function, the plan in the file, errors that help."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from absl import logging

from tests import fixtures
from tinyseg import plan as plans
from tinyseg.compression.quantization import (
    convert_float,
    convert_post_training,
    convert_quantization_aware,
)
from tinyseg.compression.quantization_aware import quantization_aware
from tinyseg.errors import InputError
from tinyseg.tflite import TfliteModel
from tinyseg.zoo.blocks.residual_binarization import ResidualSign

L = keras.layers
# Neither square nor of three channels.
SHAPE = (8, 12, 2)
IMAGES = np.random.default_rng(4).random((5, *SHAPE), np.float32)
PREPROCESSING = {
    "height": 8,
    "width": 12,
    "channels": 1,
    "scale": 0.02,
    "offset": -1.5,
    "threshold": 0.35,
}
PLAN = plans.from_mapping(
    {
        "model": {"name": "lw_unet"},
        "preprocessing": PREPROCESSING,
    }
)


def planned(recipe, io):
    return plans.override(PLAN, {"quantization.recipe": recipe, "quantization.io": io})


@pytest.fixture(scope="module")
def network():
    """With layers that do something else in training."""
    keras.utils.set_random_seed(2)
    image = keras.Input(SHAPE, name="image")
    x = L.Conv2D(4, 3, padding="same", name="body")(image)
    norm = L.BatchNormalization(name="norm")
    x = L.Dropout(0.5)(L.ReLU()(norm(x)))
    model = keras.Model(image, L.Conv2D(1, 1, activation="sigmoid", name="mask")(x), name="net")
    rng = np.random.default_rng(1)
    norm.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in norm.get_weights()])
    return model


def outputs_of(content, images):
    """What TensorFlow Lite's reference kernels give, as real numbers."""
    file = TfliteModel.parse(content)
    (into,), (out,) = file.inputs, file.outputs
    stored = images
    if into.dtype != "float32":
        limits = np.iinfo(into.dtype)
        stored = np.round(images / into.scales[0]) + into.zero_points[0]
        stored = stored.clip(limits.min, limits.max).astype(into.dtype)
    results = fixtures.reference_outputs(content, stored)
    if out.dtype != "float32":
        results = (results.astype(np.float64) - out.zero_points[0]) * out.scales[0]
    return results


def test_float_file_computes_the_network_at_inference(network):
    content = convert_float(network, PLAN)
    file = TfliteModel.parse(content)
    assert file.inputs[0].shape == (1, *SHAPE)
    np.testing.assert_allclose(
        outputs_of(content, IMAGES), network(IMAGES, training=False), atol=1e-6
    )


@pytest.mark.parametrize("io", ["integer", "float32"])
@pytest.mark.parametrize(("recipe", "steps"), [("static_wi8_ai8", 8), ("static_wi8_ai16", 4)])
def test_integer_file_computes_nearly_the_same(network, recipe, steps, io):
    """Within some steps of eight bits, which the weights have in both."""
    content = convert_post_training(network, planned(recipe, io), IMAGES)
    difference = np.abs(outputs_of(content, IMAGES) - network(IMAGES, training=False))
    assert difference.max() <= steps / 256


@pytest.mark.parametrize(("io", "dtype"), [("integer", "int8"), ("float32", "float32")])
def test_border_of_a_network_trained_with_rounding(network, io, dtype):
    aware = quantization_aware(network, IMAGES)
    content = convert_quantization_aware(aware, planned("qat_wi8_ai8", io))
    file = TfliteModel.parse(content)
    assert (file.inputs[0].dtype, file.outputs[0].dtype) == (dtype, dtype)
    assert {op.outputs[0].dtype for op in file.operators if op.opcode == "CONV_2D"} == {"int8"}
    # Both round alike, except where a value lies between two steps.
    difference = np.abs(outputs_of(content, IMAGES) - aware(IMAGES, training=False))
    assert np.quantile(difference, 0.95) < 1e-6
    assert difference.max() <= 2 / 256


def test_conversion_again_gives_the_same_file_and_leaves_the_rounding(network):
    aware = quantization_aware(network, IMAGES)
    first = convert_quantization_aware(aware, PLAN)
    grids = [layer._output_quantizers[0].grid for layer in aware.layers[1:] if "conv" in
             type(layer.layer).__name__.lower()]  # fmt: skip
    assert len(grids) == 2
    assert all(grid is not None for grid in grids)
    simulated = aware.predict(IMAGES, verbose=0)
    assert convert_quantization_aware(aware, PLAN) == first
    np.testing.assert_array_equal(aware.predict(IMAGES, verbose=0), simulated)


def test_residual_signs_become_tables():
    keras.utils.set_random_seed(3)
    image = keras.Input(SHAPE, name="image")
    x = L.Conv2D(4, 3, padding="same", name="body")(image)
    model = keras.Model(image, ResidualSign(2, name="sign")(x), name="net")
    content = convert_quantization_aware(quantization_aware(model, IMAGES), PLAN)
    assert TfliteModel.parse(content).opcodes == ["CONV_2D", "CAST", "GATHER"]


@pytest.mark.parametrize("form", ["quantized", "aware", "float"])
def test_file_carries_the_plan_and_the_names(network, form):
    recipe = "qat_wi8_ai8" if form == "aware" else "static_wi8_ai16"
    plan = planned(recipe, "integer")
    if form == "quantized":
        content = convert_post_training(network, plan, IMAGES)
    elif form == "aware":
        content = convert_quantization_aware(quantization_aware(network, IMAGES), plan)
    else:
        content = convert_float(network, plan)
    file = TfliteModel.parse(content)
    stored = {key: value for key, value in file.plan.items() if key != "checksum"}
    assert stored == {
        "preprocessing": PREPROCESSING,
        "model": "lw_unet",
        "recipe": recipe,
    }
    assert file.description == "tinyseg lw_unet"
    assert (file.inputs[0].name, file.outputs[0].name) == ("image", "mask")


@pytest.mark.parametrize("ends", [(2, 1), (1, 2)], ids=["two inputs", "two outputs"])
def test_more_than_one_input_or_output_is_refused(ends):
    images = [keras.Input(SHAPE) for _ in range(ends[0])]
    x = L.Add()(images) if len(images) > 1 else images[0]
    model = keras.Model(images, [L.Conv2D(1, 1)(x) for _ in range(ends[1])], name="many")
    message = "^many: only networks with one input and one output convert$"
    with pytest.raises(InputError, match=message):
        convert_float(model, PLAN)


def odd(function):
    image = keras.Input(SHAPE)
    return keras.Model(image, L.Lambda(function)(image), name="odd")


# The converter knows the first not at all, the second as a float operator only.
@pytest.mark.parametrize(
    ("function", "recipe", "most"),
    [
        (tf.math.digamma, "static_wi8_ai8", True),
        (tf.math.digamma, "static_wi8_ai16", True),
        (tf.cos, "static_wi8_ai16", False),
    ],
)
def test_operators_without_an_integer_form_are_errors_of_one_line(function, recipe, most):
    before = logging.get_verbosity()
    with pytest.raises(InputError, match=r"^odd: cannot be converted to integers \(.+\)$") as error:
        convert_post_training(odd(function), planned(recipe, "integer"), IMAGES)
    message = str(error.value)
    assert "\n" not in message
    assert "  " not in message
    # The converter's reasons run over pages; the beginning is enough.
    length = len(message.removeprefix("odd: cannot be converted to integers (").removesuffix(")"))
    assert length == 300 if most else length < 300
    assert error.value.__suppress_context__
    assert logging.get_verbosity() == before


@pytest.mark.parametrize("io", ["integer", "float32"])
@pytest.mark.parametrize(
    ("function", "opcode"),
    [(tf.cos, "COS"), (tf.floor, "FLOOR"), (lambda x: tf.cumsum(x, 1), "CUMSUM")],
)
def test_operators_that_the_converter_leaves_in_float_are_errors(function, opcode, io):
    image = keras.Input(SHAPE)
    x = L.Lambda(function, name="strange")(L.Conv2D(3, 1)(image))
    model = keras.Model(image, L.Conv2D(1, 1)(x), name="odd")
    with pytest.raises(InputError, match=rf"^odd: operator \d+ {opcode} \(layer '") as error:
        convert_post_training(model, planned("static_wi8_ai8", io), IMAGES)
    assert "no integer form" in str(error.value)
    assert "\n" not in str(error.value)


def test_conversion_is_quiet_and_leaves_the_log_as_it_was(network, capfd, recwarn):
    before = logging.get_verbosity()
    convert_post_training(network, PLAN, IMAGES)
    convert_quantization_aware(quantization_aware(network, IMAGES), PLAN)
    assert logging.get_verbosity() == before
    assert capfd.readouterr().out == ""
    assert not [str(warning.message) for warning in recwarn]


def test_missing_calibration_and_unknown_border_say_what_to_give(network):
    with pytest.raises(InputError) as error:
        convert_post_training(network, PLAN, IMAGES[:0])
    assert str(error.value) == (
        "quantization needs calibration images: give --data with a non-empty training split"
    )
    with pytest.raises(InputError) as error:
        convert_post_training(network, planned("static_wi8_ai8", "uint8"), IMAGES)
    assert str(error.value) == "quantization.io: 'uint8' is not integer or float32"


def test_file_names_what_decides_beside_the_threshold_only_where_something_does(network):
    careful = plans.override(PLAN, {"preprocessing.blank_below": 0.7})
    twice = plans.override(PLAN, {"preprocessing.mirrored": True})
    stored = [
        TfliteModel.parse(convert_float(network, plan), "").plan["preprocessing"]
        for plan in (PLAN, careful, twice)
    ]
    assert stored[0] == PREPROCESSING
    assert {**stored[1], "mirrored": False} == dataclasses.asdict(careful.preprocessing)
    assert "mirrored" not in stored[1]
    assert stored[2] == dataclasses.asdict(twice.preprocessing)
