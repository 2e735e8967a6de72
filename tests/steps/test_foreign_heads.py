"""Outputs of every kind are read as masks."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tests.steps.foreign import PHANTOM, convolution, head, write
from tinyseg.errors import InputError
from tinyseg.steps.evaluate import evaluate
from tinyseg.steps.predict import predict
from tinyseg.steps.session import Session
from tinyseg.steps.verify import verify

layers = keras.layers

pytestmark = pytest.mark.usefixtures("foreign_home")


def labels(channels, kind=tf.int32):
    take = layers.Lambda(lambda x: tf.argmax(x, -1, output_type=kind))
    return lambda x: take(convolution(channels)(x))


def edges(shape, dtype=None):
    """A kernel that makes values of both signs."""
    kernel = np.zeros(shape, np.float32)
    kernel[1, 0], kernel[1, 2] = -1, 1
    return tf.constant(kernel, dtype)


HEADS = {
    "no axis": (lambda x: layers.Reshape((32, 32))(convolution(1, "sigmoid")(x)), 1),
    "flat": (lambda x: layers.Reshape((1024,))(convolution(1, "sigmoid")(x)), 1),
    "channels first": (lambda x: layers.Permute((3, 1, 2))(convolution(2, "softmax")(x)), 1),
    "half": (lambda x: layers.MaxPooling2D()(convolution(1, "sigmoid")(x)), 1),
    "logits": (layers.Conv2D(1, 3, padding="same", kernel_initializer=edges), 1),
    "softmax": (convolution(2, "softmax"), 1),
    "softmax of three": (convolution(3, "softmax"), 2),
    "labels": (labels(2), 1),
    "labels of three": (labels(3), 2),
}


def converted(name):
    make, regions = HEADS[name]
    integers = {} if name.startswith("labels") else {"inference_output_type": tf.int8}
    settings = integers or {"inference_output_type": tf.float32}
    return write("net.tflite", head(make), **settings), regions


@pytest.mark.parametrize("name", HEADS)
def test_heads_of_every_kind(name, disk):
    path, regions = converted(name)
    rows, _ = predict(Session.open(path), [disk])
    assert [row["region"] for row in rows] == list(range(1, regions + 1))
    verdict = verify(Session.open_file(path, PHANTOM), 1)
    assert not verdict.missed
    assert verdict.bit_exact
    assert verdict.arena.total > 0
    if regions == 1:
        scores = evaluate(Session.open(path, PHANTOM), backend="reference")
        assert 0 <= scores["dice"] <= 1
        assert verdict.task == "segmentation"
    else:
        assert verdict.task is None
        assert "it has 2 regions, the images 1" in " ".join(verdict.warnings)
        with pytest.raises(InputError, match=r"^net.tflite: .* the images ask for"):
            evaluate(Session.open(path, PHANTOM))


def test_the_background_of_a_softmax_is_no_region(disk):
    """The same network with a sigmoid, and with a softmax of 0 and its logit, gives one mask."""
    logit = head(lambda x: convolution(1)(x))
    two = layers.Concatenate()([logit.output * 0.0, logit.output])
    softmax = keras.Model(logit.input, layers.Softmax()(two))
    sigmoid = keras.Model(logit.input, layers.Activation("sigmoid")(logit.output))
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32), np.uint8)
    from tinyseg.steps.predict import probabilities

    one, other = (
        probabilities(Session.open(write(f"{net.name}.tflite", net)), images)
        for net in (sigmoid, softmax)
    )
    assert one.shape == other.shape == (3, 32, 32, 1)
    np.testing.assert_allclose(one, other, atol=0.05)
