"""A moving average of the weights: steadier than the weights of any one step.

B. Polyak and A. Juditsky, "Acceleration of stochastic approximation by averaging", 1992, with the
exponential decay of today's practice.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import tensorflow as tf
import tf_keras as keras


class WeightAverage(tf.Module):
    """The moving average of all weights of a network, moving statistics included.

    After ``n`` steps the decay is ``min(decay, (1 + n) / (10 + n))``, so that the weights of the
    start are soon forgotten.

    Args:
        network: whose weights are averaged.
        decay: share of the average that a step leaves, below 1.
    """

    def __init__(self, network: keras.Model, decay: float) -> None:
        super().__init__()
        weights = [weight for weight in network.weights if weight.dtype.is_floating]
        # Behind a call: a checkpoint holds the network already.
        self._weights = lambda: weights
        self._decay = decay
        self._averages = [tf.Variable(weight, trainable=False) for weight in weights]
        self._steps = tf.Variable(0.0, trainable=False)

    @tf.function
    def update(self) -> None:
        """Take in the weights after a step."""
        self._steps.assign_add(1.0)
        decay = tf.minimum(self._decay, (1 + self._steps) / (10 + self._steps))
        for average, weight in zip(self._averages, self._weights(), strict=True):
            share = tf.cast(1 - decay, average.dtype)
            average.assign_add(share * (tf.cast(weight, average.dtype) - average))

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the average in the place of the network's weights, and these back afterwards."""
        before = self.put()
        try:
            yield
        finally:
            self.put_back(before)

    def put(self) -> list[tf.Tensor]:
        """Put the average in the place of the network's weights, and return these."""
        before = [tf.identity(weight) for weight in self._weights()]
        self.put_back(self._averages)
        return before

    def put_back(self, values: list[tf.Tensor]) -> None:
        """Give the network's weights these values."""
        for weight, value in zip(self._weights(), values, strict=True):
            weight.assign(value)


class Averaging(keras.callbacks.Callback):
    """Follow the weights step by step, and let the validation images judge their average.

    Args:
        average: of the network that is trained.
    """

    def __init__(self, average: WeightAverage) -> None:
        super().__init__()
        self._average = average
        self._before: list[tf.Tensor] = []

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Take in the weights."""
        self._average.update()

    def on_test_begin(self, logs: dict | None = None) -> None:
        """Put the average in the network."""
        self._before = self._average.put()

    def on_test_end(self, logs: dict | None = None) -> None:
        """Put the weights back."""
        self._average.put_back(self._before)


def averaged(
    optimizer: keras.optimizers.Optimizer,
    network: keras.Model,
    decay: float,
    save: Callable[[], object],
) -> tuple[list[keras.callbacks.Callback], Callable[[], object]]:
    """Return the callbacks of a run that averages its weights, and what saves their average.

    Args:
        optimizer: of the run; its checkpoint holds the average from now on.
        network: whose weights are averaged.
        decay: see :class:`WeightAverage`; 0 for no average.
        save: saves the network's weights.
    """
    if not decay:
        return [], save
    average = optimizer.average = WeightAverage(network, decay)

    def save_average() -> None:
        with average.in_place():
            save()

    return [Averaging(average)], save_average
