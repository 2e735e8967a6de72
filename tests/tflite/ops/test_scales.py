"""Quantization rules, held against TFLM's kernels and TensorFlow Lite's converter."""

import numpy as np
import pytest
import tf_keras as keras

from tests import fixtures
from tests.tflite.drafts import on_tflm, options, random_inputs
from tests.tflite.ops.test_memory import CASES
from tests.tflite.ops.uses import activation, use, weights
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.graph import scale_of
from tinyseg.tflite.lint import lint
from tinyseg.tflite.ops.registry import OPS, op_of

INT8 = {
    opcode: case
    for (dtype, opcode), case in CASES.items()
    if dtype == case[1].dtype == case[0][0].dtype == "int8"
}
SAME = sorted(name for name in INT8 if OPS[name].quantization.same)
# What multiplies, adds or rescales.
FREE = ["ABS", "ADD", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MUL", "SUB"]


def stored_output(opcode, scale, zero_point=0):
    """What TFLM stores, if the output is said to have a scale."""
    inputs, output, options = INT8[opcode]
    output = output._replace(scale=scale, zero_point=zero_point)
    content = fixtures.one_operator(opcode, inputs, output, options)
    return on_tflm(content, random_inputs(content, 3))[0]


@pytest.mark.parametrize("opcode", SAME)
def test_kernels_hand_stored_values_on(opcode):
    """Those that look at the scales at all refuse others."""
    expected = stored_output(opcode, 0.5)
    try:
        found = stored_output(opcode, 0.25)
    except RuntimeError:
        return
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("opcode", FREE)
def test_other_kernels_rescale(opcode):
    assert not OPS[opcode].quantization.same
    assert (stored_output(opcode, 0.5) != stored_output(opcode, 0.25)).any()


def every_layer():
    """A network with what the converter quantizes by a rule."""
    layers = keras.layers
    image = keras.Input((8, 8, 3), batch_size=1)
    x = layers.Conv2D(8, 3, padding="same")(image)
    x = layers.Concatenate()([layers.MaxPool2D()(x), layers.AveragePooling2D()(x)])
    x = layers.ZeroPadding2D(1)(layers.DepthwiseConv2D(3, padding="same")(x))
    x = layers.Conv2DTranspose(6, 2, strides=2)(layers.UpSampling2D()(x))
    x = layers.Cropping2D(2)(layers.UpSampling2D(interpolation="bilinear")(x))
    x = layers.Dense(5)(layers.GlobalMaxPooling2D()(x))
    x = layers.Activation("tanh")(layers.Reshape((5, 1))(x))
    return keras.Model(image, layers.Softmax(axis=1)(layers.Activation("sigmoid")(x)))


def test_converter_keeps_to_the_rules():
    calibration = np.random.default_rng(0).random((3, 8, 8, 3), np.float32)
    model = TfliteModel.parse(fixtures.convert(every_layer(), calibration))
    seen = {operator.opcode for operator in model.operators}
    assert {"MAX_POOL_2D", "AVERAGE_POOL_2D", "CONCATENATION", "TANH", "LOGISTIC"} <= seen
    assert {"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "SOFTMAX", "PAD"} <= seen
    for operator in model.operators:
        op = op_of(operator)
        assert op.quantization.broken_by(operator, op.weights) is None, operator.opcode
        for tensor in operator.outputs if op.quantization.output else ():
            assert scale_of(tensor) == op.quantization.output
        kernel = None if op.weights is None else operator.inputs[op.weights]
        if kernel is not None and kernel.scales.size > 1:
            assert kernel.axis == op.quantization.channels


def broken(operator):
    op = op_of(operator)
    return op.quantization.broken_by(operator, op.weights)


def test_rescaled_output_of_a_kernel_that_hands_values_on():
    image = activation(1, 4, 4, 2)
    sound = use("CONCATENATION", [image, image], activation(1, 4, 4, 4), "Concatenation")
    assert broken(sound) is None
    for other in (image._replace(scale=0.25), image._replace(zero_point=3)):
        operator = use("CONCATENATION", [image, other], activation(1, 4, 4, 4), "Concatenation")
        assert broken(operator) == (
            "'tensor_2' has another scale or zero point than 'tensor_1', whose values the kernel "
            "hands on"
        )


FIXED = {opcode: OPS[opcode].quantization.output for opcode in ("LOGISTIC", "SOFTMAX", "TANH")}


@pytest.mark.parametrize("opcode", FIXED)
def test_kernels_take_their_output_for_granted(opcode):
    """TFLM refuses another scale, or stores the same bytes as if it were the usual one."""
    shape, (scale, zero_point) = (1, 10), FIXED[opcode]

    def stored(scale):
        draft = activation(*shape, scale=0.05), activation(*shape, scale=scale, zero=zero_point)
        settings = options("Softmax", beta=1.0) if opcode == "SOFTMAX" else None
        content = fixtures.one_operator(opcode, [draft[0]], draft[1], settings)
        return on_tflm(content, random_inputs(content, 3))[0]

    expected = stored(scale)
    assert expected.std() > 0
    try:
        found = stored(2 * scale)
    except RuntimeError:
        return
    np.testing.assert_array_equal(found, expected)


def test_scales_along_another_dimension_of_the_kernel():
    image, output = activation(1, 4, 4, 2), activation(1, 4, 4, 2)
    content = fixtures.one_operator("CONV_2D", [image, weights(2, 1, 1, 2)], output)
    model = fixtures.unpack(content)
    quantization = model.subgraphs[0].tensors[1].quantization
    quantization.scale, quantization.zeroPoint = [0.5, 0.25], [0, 0]
    for axis, sound in ((0, True), (3, False)):
        quantization.quantizedDimension = axis
        parsed = TfliteModel.parse(fixtures.pack(model))
        assert (broken(parsed.operators[0]) is None) == sound
        warned = [finding for finding in lint(parsed) if "along dimension" in finding.message]
        assert [finding.severity for finding in warned] == ([] if sound else ["warning"])
