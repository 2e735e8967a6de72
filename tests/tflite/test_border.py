"""Facts of a file's ends: ranges, shapes, and what made an output."""

import numpy as np
import pytest

from tests.fixtures import Draft, one_operator
from tests.tflite.drafts import File
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.border import Range, image_shape, input_range, outlines


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "low", "high"),
    [
        ("int8", 1.0, -128, 0, 255),
        ("int8", 0.5, 0, -64, 63.5),
        ("uint8", 0.25, 4, -1, 62.75),
        ("int16", 0.5, 0, -16384, 16383.5),
    ],
)
def test_range_of_an_input(dtype, scale, zero_point, low, high):
    draft = Draft((1, 4, 4, 1), dtype, scale=scale, zero_point=zero_point)
    model = TfliteModel.parse(one_operator("RELU", [draft], draft))
    assert input_range(model) == Range(low, high, dtype == "int16")


def test_floats_that_are_quantized_at_once_have_the_range_of_their_integers():
    source, target = Draft((1, 4), "float32"), Draft((1, 4), scale=2.0, zero_point=-128)
    assert input_range(TfliteModel.parse(one_operator("QUANTIZE", [source], target))) == Range(
        0, 510
    )
    assert input_range(TfliteModel.parse(one_operator("RELU", [source], source))) is None


@pytest.mark.parametrize(
    ("shape", "image"),
    [
        ((1, 8, 6, 3), (8, 6, 3)),
        ((1, 8, 6), (8, 6, 1)),
        ((1, 3, 8, 6), (8, 6, 3)),
        ((1, 640), None),
        ((1, 8, 6, 16), None),
        ((1, 1, 640, 1), None),
    ],
)
def test_which_inputs_are_images(shape, image):
    assert image_shape(shape) == image


def made(build):
    """The outline of the one output of a hand-made file."""
    file = File()
    source = file.tensor((1, 4, 4, 2))
    return outlines(TfliteModel.parse(file.content([source], [build(file, source)])))[0]


def through(file, source, *opcodes):
    for opcode in opcodes:
        target = file.tensor((1, 4, 4, 2))
        file.operator(opcode, [source], target)
        source = target
    return source


def test_what_only_moves_values_is_looked_through():
    found = made(lambda f, s: through(f, s, "SOFTMAX", "TRANSPOSE", "DEQUANTIZE"))
    assert (found.activation, found.classes) == ("softmax", 2)
    assert made(lambda f, s: through(f, s, "LOGISTIC", "QUANTIZE")).activation == "sigmoid"
    assert made(lambda f, s: through(f, s, "SOFTMAX", "TANH")).activation == "tanh"


@pytest.mark.parametrize(("second", "activation"), [("LOGISTIC", "sigmoid"), ("TANH", "unknown")])
def test_strips_that_agree_are_of_one_kind(second, activation):
    def build(file, source):
        strips = [through(file, source, "LOGISTIC"), through(file, source, second)]
        whole = file.tensor((1, 4, 4, 4))
        file.operator("CONCATENATION", strips, whole)
        return whole

    assert made(build).activation == activation


def test_number_of_classes_of_an_arg_max():
    def build(file, source):
        axis = file.constant(np.array([-1]), "int32")
        labels = file.tensor((1, 4, 4), "int32")
        file.operator("ARG_MAX", [source, axis], labels)
        return labels

    found = made(build)
    assert (found.activation, found.classes, found.range) == ("labels", 2, None)
