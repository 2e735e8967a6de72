"""A runner that runs inputs before they are asked for."""

import concurrent.futures
import threading

import numpy as np
import tf_keras as keras

from tinyseg.runtime.ahead import AheadRunner
from tinyseg.runtime.keras import KerasRunner


class Counted(KerasRunner):
    """Tells how many images ran in which thread."""

    def __init__(self, model):
        super().__init__(model)
        self.runs = []

    def run(self, inputs):
        self.runs.append((len(inputs), threading.current_thread() is threading.main_thread()))
        return super().run(inputs)


def test_foreseen_inputs_run_in_a_thread_and_others_when_asked_for():
    image = keras.Input((8, 8, 1))
    model = keras.Model(image, keras.layers.Conv2D(1, 3, padding="same")(image))
    images = np.random.default_rng(0).random((5, 8, 8, 1), np.float32)
    expected = model.predict(images, verbose=0)
    runner = Counted(model)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        ahead = AheadRunner(runner, images, pool)
        np.testing.assert_allclose(ahead.run(images), expected, atol=1e-6)
        np.testing.assert_allclose(ahead.run(images.copy()), expected, atol=1e-6)
        assert runner.runs == [(1, True), (5, False)]
        np.testing.assert_allclose(ahead.run(images[3:]), expected[3:], atol=1e-6)
        assert runner.runs[2:] == [(2, True)]
