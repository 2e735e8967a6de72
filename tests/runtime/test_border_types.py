"""Files with uint8 or float32 at their border run inside in int8, and the bytes are theirs."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tests import fixtures
from tests.verification.host_board import HostBoard
from tinyseg.engine.compiler import integer
from tinyseg.runtime.device import Device, DeviceRunner
from tinyseg.runtime.engine import EngineRunner
from tinyseg.runtime.tflite import TfliteRunner
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.tflite import TfliteModel
from tinyseg.verification.on_device import run_on_device

TYPES = {"int8": tf.int8, "uint8": tf.uint8, "float32": tf.float32}
PAIRS = [(one, two) for one in TYPES for two in TYPES]


@pytest.fixture(scope="module")
def model_of():
    layers = keras.layers
    keras.utils.set_random_seed(4)
    image = layers.Input((6, 5, 2), batch_size=1)
    hidden = layers.Conv2D(3, 3, padding="same", activation="relu")(image)
    network = keras.Model(image, layers.Conv2D(2, 1)(hidden))
    pictures = np.random.default_rng(2).uniform(-1, 2, (8, 6, 5, 2)).astype(np.float32)

    def make(source, target):
        kinds = {"inference_input_type": TYPES[source], "inference_output_type": TYPES[target]}
        return TfliteModel.parse(fixtures.convert(network, pictures, **kinds), "net.tflite")

    return make, pictures


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_the_engine_gives_the_bytes_of_the_interpreters(model_of, source, target):
    make, pictures = model_of
    model = make(source, target)
    runner = EngineRunner(model)
    assert (runner.input.dtype, runner.output.dtype) == (source, target)
    inputs = runner.input.quantize(pictures)
    made, expected = runner.run(inputs), TfliteRunner(model).run(inputs)
    assert made.dtype == expected.dtype
    assert len(np.unique(expected)) > 40
    np.testing.assert_array_equal(made, expected)
    np.testing.assert_array_equal(made[:2], TflmRunner(model).run(inputs[:2]))


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_board_with_our_engine_gives_them_too(model_of, source, target):
    """It was made of the file of integers, and says the SHA-256 of the one that was given."""
    make, pictures = model_of
    model = make(source, target)
    board = HostBoard(integer(model), named=model)
    runner = DeviceRunner(Device(board, "port"), model)
    expected = TfliteRunner(model).run(runner.input.quantize(pictures[:2]))
    verdict, outputs = run_on_device(runner, pictures[:2], expected)
    assert verdict.bit_exact
    np.testing.assert_array_equal(outputs, expected)
