"""The float network: its border, and how many images it is given at a time."""

import numpy as np
import tensorflow as tf
import tf_keras as keras

from tinyseg.runtime.keras import KerasRunner
from tinyseg.runtime.runner import TensorSpec


def network():
    """Its output tells how many images came together, beside two of three channels."""
    image = keras.Input((3, 5, 3))

    def count(x):
        return x[:, :, :4, :2] + tf.cast(tf.shape(x)[0], tf.float32)

    return keras.Model(image, keras.layers.Lambda(count)(image))


def test_border_is_that_of_the_network():
    runner = KerasRunner(network())
    assert runner.input == TensorSpec((1, 3, 5, 3), "float32", 1.0, 0)
    assert runner.output == TensorSpec((1, 3, 4, 2), "float32", 1.0, 0)


def test_images_come_in_batches_and_nothing_is_printed(capfd):
    images = np.random.default_rng(0).random((6, 3, 5, 3), np.float32)
    for runner, sizes in (
        (KerasRunner(network()), [4, 4, 4, 4, 2, 2]),
        (KerasRunner(network(), batch_size=5), [5, 5, 5, 5, 5, 1]),
        (KerasRunner(network(), 1), [1] * 6),
    ):
        expected = images[:, :, :4, :2] + np.float32(sizes)[:, None, None, None]
        outputs = runner.run(images)
        np.testing.assert_array_equal(outputs, expected)
        assert outputs.dtype == np.float32
    assert capfd.readouterr().out == ""
