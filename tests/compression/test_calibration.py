"""Calibration: one image for TensorFlow Lite's own calibrator leads to the very bytes of all."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from tensorflow.lite.python.optimize import calibrator

from tests import fixtures
from tinyseg.compression import quantization
from tinyseg.compression.calibration import calibrate
from tinyseg.compression.quantization import convert_float, convert_post_training

L = keras.layers
SHAPE = (8, 12, 2)


@pytest.fixture
def seen(monkeypatch):
    """How many images TensorFlow Lite's calibrator was given, each time that it ran."""
    counts = []
    own = calibrator.Calibrator.calibrate

    def calibrate(self, dataset):
        images = list(dataset())
        counts.append(len(images))
        return own(self, lambda: images)

    monkeypatch.setattr(calibrator.Calibrator, "calibrate", calibrate)
    return counts


def by_tensorflow(monkeypatch, model, plan, images):
    """The file that TensorFlow Lite makes on its own."""
    with monkeypatch.context() as patch:
        patch.setattr(quantization, "Converter", tf.lite.TFLiteConverter)
        return convert_post_training(model, plan, images)


def images_of(model, count, seed=0):
    """Values on both sides of 0, each image with a range of its own."""
    rng = np.random.default_rng(seed)
    shape = (count, *model.input_shape[1:])
    factors = rng.uniform(0.2, 3, (count, *(1,) * (len(shape) - 1)))
    return np.float32(rng.uniform(-0.6, 1, shape) * factors)


def convolutional(*, head="sigmoid"):
    """Operators that write over their input: ADD of a convolution, MUL by a constant, RELU."""
    keras.utils.set_random_seed(3)
    image = keras.Input(SHAPE, name="image")
    left = L.Conv2D(5, 3, padding="same", bias_initializer="random_normal")(image)
    right = L.DepthwiseConv2D(3, padding="same", bias_initializer="random_normal")(image)
    right = L.Conv2D(5, 1)(right)
    x = L.Add()([left, right])
    x = L.BatchNormalization(beta_initializer="random_normal")(L.ReLU()(x))
    x = L.Concatenate()([x, L.UpSampling2D()(L.MaxPool2D()(x))])
    x = L.Conv2DTranspose(3, 3, strides=2, padding="same")(x)
    return keras.Model(image, L.Conv2D(1, 1, activation=head, name="mask")(x), name="net")


def classifying():
    """With a mean, a dense layer, and a tensor that is below 0 everywhere."""
    keras.utils.set_random_seed(4)
    image = keras.Input(SHAPE, name="image")
    x = L.Conv2D(4, 3, activation="relu6")(image)
    x = L.Dense(3, bias_initializer=keras.initializers.Constant(-40))(L.GlobalAvgPool2D()(x))
    return keras.Model(image, L.Softmax()(x), name="net")


@pytest.mark.parametrize("io", ["integer", "float32"])
@pytest.mark.parametrize(
    "make", [fixtures.network, convolutional, classifying], ids=lambda make: make.__name__
)
def test_the_bytes_are_those_of_tensorflow_lites_own_calibrator(make, io, seen, monkeypatch):
    model, plan = make(), fixtures.plan("static_wi8_ai8", io, 4)
    images = images_of(model, 5)
    made = convert_post_training(model, plan, images)
    assert seen == [1]
    assert made == by_tensorflow(monkeypatch, model, plan, images)
    assert seen == [1, 5]


def test_activations_of_int16_are_left_to_it(seen, monkeypatch):
    model, plan = convolutional(), fixtures.plan("static_wi8_ai16", "integer", 4)
    images = images_of(model, 3)
    made = convert_post_training(model, plan, images)
    assert seen == [3]
    assert made == by_tensorflow(monkeypatch, model, plan, images)


def branching():
    """A network with two ways of its own graphs, of which an image takes one."""
    keras.utils.set_random_seed(5)
    image = keras.Input(SHAPE, name="image")
    x = L.Conv2D(3, 3, padding="same")(image)
    ways = L.Lambda(lambda x: tf.cond(tf.reduce_mean(x) > 0.1, lambda: x * x, lambda: tf.exp(x)))
    return keras.Model(image, L.Conv2D(1, 1, name="mask")(ways(x)), name="net")


def test_it_looks_at_all_images_of_a_network_of_several_graphs(seen):
    model = branching()
    content = convert_float(model, fixtures.plan("static_wi8_ai8", "integer", 4))
    images = [image[None] for image in images_of(model, 4)]
    found = calibrate(content, images)
    assert seen == [1, 4]
    own = calibrator.Calibrator(calibrator.add_intermediate_tensors(content))
    assert found == own.calibrate(lambda: ([image] for image in images))


@pytest.mark.parametrize("where", [0, 2])
def test_it_looks_at_all_images_where_values_are_no_numbers(where, seen, monkeypatch):
    model, plan = convolutional(head="linear"), fixtures.plan("static_wi8_ai8", "integer", 4)
    images = images_of(model, 3)
    images[where, 2, 3, 1] = np.nan
    made = convert_post_training(model, plan, images)
    assert seen == [1, 3]
    assert made == by_tensorflow(monkeypatch, model, plan, images)


def test_it_looks_at_all_images_if_others_find_something_else(seen, monkeypatch):
    model, plan = convolutional(), fixtures.plan("static_wi8_ai8", "integer", 4)
    images = images_of(model, 3)
    expected = by_tensorflow(monkeypatch, model, plan, images)
    # As if the calibrator did not count from above 0.
    monkeypatch.setattr("tinyseg.compression.calibration._NOTHING", (0.0, 1e9))
    assert convert_post_training(model, plan, images) == expected
    assert seen == [3, 1, 3]
