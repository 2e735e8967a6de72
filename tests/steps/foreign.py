"""Networks whose files say little about themselves, as others' do."""

from pathlib import Path

import numpy as np
import tf_keras as keras

from tests import fixtures

layers = keras.layers


PHANTOM = "phantom:count=24,size=32"


AREA = 697


def write(path, model, low=0.0, high=1.0, **settings):
    """Convert a network, calibrated with values between two ends."""
    shape = (8, *model.input_shape[1:])
    values = np.random.default_rng(0).random(shape) * (high - low) + low
    Path(path).write_bytes(fixtures.convert(model, values.astype(np.float32), **settings))
    return Path(path)


def head(make, batch=1):
    """A network that ends as told; weights are random."""
    keras.utils.set_random_seed(1)
    source = layers.Input((32, 32, 1), batch_size=batch)
    features = layers.Conv2D(4, 3, padding="same", activation="relu")(source)
    return keras.Model(source, make(features))


def convolution(channels, activation=None):
    return layers.Conv2D(channels, 1, activation=activation)
