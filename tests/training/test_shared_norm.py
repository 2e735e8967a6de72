"""Statistics that workers share are those that one worker's kernel takes."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tinyseg.training.shared_norm import SharedNorm, share

SHAPE = (5, 6, 4, 3)


def network(fused):
    layer = keras.layers.BatchNormalization(momentum=0.8, fused=fused, name="norm")
    return keras.Sequential([keras.layers.Input(SHAPE[1:]), layer])


def step(model, images):
    """Outputs and gradients of a step of training."""
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = model(images, training=True)
        loss = tf.reduce_mean(outputs**3)
    found = tape.gradient(loss, [images, *model.trainable_variables])
    return [outputs, *found, *model.get_weights()]


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("offset", [0.0, 5.0])
def test_a_worker_alone_computes_what_it_did_before(fused, offset):
    images = tf.constant(np.random.default_rng(3).normal(offset, 2, SHAPE), tf.float32)
    model, other = network(fused), network(fused)
    share(other)
    assert type(other.get_layer("norm")) is SharedNorm
    for value, expected in zip(step(other, images), step(model, images), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(other(images), model(images), rtol=1e-5, atol=1e-5)


def test_normalization_that_is_frozen_stays_as_it_is():
    model = network(True)
    model.get_layer("norm").trainable = False
    share(model)
    before = model.get_weights()
    model(tf.ones(SHAPE), training=True)
    np.testing.assert_equal(model.get_weights(), before)
