"""Training that went wrong: found at its first step, named with the layer, and never resumed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
import tf_keras as keras

from tinyseg import files
from tinyseg.errors import InputError
from tinyseg.presets import WEIGHTS

MARK = "diverged.json"


@dataclasses.dataclass(frozen=True)
class Divergence:
    """Where a training run went wrong.

    Attributes:
        epoch, step: counted from 1; no step if it shows on the validation images alone.
        loss: that ended it, as text.
        layer: the first that is not finite; empty if none is known.
        learning_rate: the largest of the run.
    """

    epoch: int
    step: int | None
    loss: str
    layer: str
    learning_rate: float


class Diverged(InputError):
    """A run whose loss or weights are no longer finite.

    Args:
        folder: of the run.
        found: where it went wrong.
        setting: of the plan that sets the learning rate.
    """

    def __init__(
        self, folder: Path, found: Divergence, setting: str = "training.learning_rate"
    ) -> None:
        self.folder, self.found = folder, found
        step = f", step {found.step}" if found.step else ", on the validation images"
        layer = f", first in layer {found.layer}" if found.layer else ""
        kept = folder / WEIGHTS
        rescue = f"; {kept} holds the best epoch before that" if kept.is_file() else ""
        super().__init__(
            f"{folder}: training diverged in epoch {found.epoch}{step}: loss {found.loss}{layer}, "
            f"with {setting} {found.learning_rate:g}; lower {setting} and remove the folder, or "
            f"choose another with -o{rescue}"
        )

    def by(self, setting: str) -> Diverged:
        """Return the same with another name for what sets the learning rate."""
        return Diverged(self.folder, self.found, setting)


def refuse_diverged(folder: Path, state: Path) -> None:
    """Refuse to go on with a run that went wrong: it would do so again.

    Args:
        folder: of the run.
        state: what is kept to resume it.

    Raises:
        Diverged: it did.
    """
    if (state / MARK).is_file():
        raise Diverged(folder, Divergence(**files.read_json(state / MARK)))


class SteadyAdam(keras.optimizers.Adam):
    """Adam that leaves the weights alone where a gradient is not finite, so that they show why.

    Args:
        rates: layers whose weights learn more slowly, with their share of the learning rate.
        args, kwargs: as of Adam.

    Attributes:
        culprit: name of the weight next to the loss whose gradient was not finite; empty if all
            were.
    """

    def __init__(
        self,
        *args: Any,
        rates: Iterable[tuple[keras.layers.Layer, float]] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        shares = {self._var_key(weight): rate for layer, rate in rates for weight in layer.weights}
        self._shares = lambda: shares
        first = tf.VariableAggregation.ONLY_FIRST_REPLICA
        last = tf.Variable(-1, trainable=False, dtype=tf.int64, aggregation=first)
        self._names: tuple[str, ...] = ()
        # Behind a call, so that it is no part of a checkpoint.
        self._last = lambda: last

    @property
    def culprit(self) -> str:
        """See the class."""
        place = int(self._last().numpy())
        return self._names[place] if place >= 0 else ""

    def apply_gradients(
        self, grads_and_vars: Iterable[tuple[tf.Tensor, tf.Variable]], *args: Any, **kwargs: Any
    ) -> tf.Variable:
        """See Keras."""
        pairs = [pair for pair in grads_and_vars if pair[0] is not None]
        self._names = tuple(variable.name for _, variable in pairs)
        with tf.init_scope():
            self.build([variable for _, variable in pairs])
        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            return self._apply_shared(pairs)
        finite = _are_finite(pairs)

        def leave() -> tf.Tensor:
            self._last().assign(tf.where(~finite)[-1, 0])
            return tf.identity(self.iterations)

        def step() -> tf.Tensor:
            return tf.identity(super(SteadyAdam, self).apply_gradients(pairs, *args, **kwargs))

        return tf.cond(tf.reduce_all(finite), step, leave)

    def _apply_shared(self, pairs: Sequence[tuple[tf.Tensor, tf.Variable]]) -> tf.Variable:
        """Apply the sum of all workers' gradients; zeros where a condition is not allowed."""
        pairs = self.aggregate_gradients(pairs)
        finite = _are_finite(pairs)
        sound = tf.reduce_all(finite)
        place = tf.reduce_max(tf.where(finite, -1, tf.range(len(pairs))))
        self._last().assign(tf.maximum(self._last(), tf.cast(place, tf.int64)))
        kept = [
            (tf.where(sound, gradient, tf.zeros_like(gradient)), variable)
            for gradient, variable in pairs
        ]
        return super().apply_gradients(kept, skip_gradients_aggregation=True)

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
        """See Keras."""
        share = self._shares().get(self._var_key(variable), 1.0)
        before = tf.identity(variable)
        super().update_step(gradient, variable)
        if share != 1:
            variable.assign(before + share * (variable - before))


def _are_finite(pairs: Iterable[tuple[tf.Tensor, tf.Variable]]) -> tf.Tensor:
    return tf.stack([tf.reduce_all(tf.math.is_finite(gradient)) for gradient, _ in pairs])


class Guard(keras.callbacks.Callback):
    """End a run at the first step whose loss or gradients are not finite.

    Args:
        optimizer: of the run.
        learning_rate: the largest of the run.
        layer_of: finds the layer, given epoch and step counted from 0, and no step for the
            validation images.
        report: called with what was found; raises.
        steps_done: of the epoch that the run begins with.
    """

    def __init__(
        self,
        optimizer: SteadyAdam,
        learning_rate: float,
        layer_of: Callable[[int, int | None], str],
        report: Callable[[Divergence], None],
        steps_done: int = 0,
    ) -> None:
        super().__init__()
        self._optimizer, self._rate = optimizer, learning_rate
        self._layer_of, self._report, self._epoch = layer_of, report, 0
        self._steps_done = steps_done

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Note the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Look at the loss and the gradients."""
        loss = (logs or {})["loss"]
        if not math.isfinite(loss) or self._optimizer.culprit:
            self._end(loss, self._steps_done + batch)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Look at the loss of the validation images."""
        self._steps_done = 0
        loss = (logs or {}).get("val_loss", 0.0)
        if not math.isfinite(loss):
            self._end(loss, None)

    def _end(self, loss: float, step: int | None) -> None:
        layer = self._layer_of(self._epoch, step)
        layer = layer or self._optimizer.culprit.rpartition("/")[0]
        number = None if step is None else step + 1
        self._report(Divergence(self._epoch + 1, number, f"{loss:g}", layer, self._rate))


def first_layer_without_bounds(model: keras.Model, images: tf.Tensor, training: bool) -> str:
    """Return the first layer whose output or weights are not finite; empty if there is none.

    Args:
        model: network.
        images: network inputs ``(batch, height, width, channels)``.
        training: whether it runs as in training.
    """
    layers = [layer for layer in model.layers if layer.inbound_nodes and layer.output is not None]
    outputs = keras.Model(model.inputs, [layer.output for layer in layers])(images, training)
    for layer, output in zip(layers, _listed(outputs, len(layers)), strict=True):
        if not all(_finite(tf.nest.flatten(output))):
            return layer.name
    return next((layer.name for layer in model.layers if not all(_finite(layer.weights))), "")


def _listed(outputs: Any, count: int) -> Sequence[Any]:
    return [outputs] if count == 1 else outputs


def _finite(values: Iterable[tf.Tensor]) -> list[bool]:
    """Say of each tensor of numbers whether all of them are finite."""
    return [bool(tf.reduce_all(tf.math.is_finite(tf.cast(value, tf.float32)))) for value in values]
