"""What one look at a network shows: figures of its gradients, weights and outputs, by layer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

# Sigmoids and tanhs are read by what they give.
_SQUASHING = ("sigmoid", "tanh")


@dataclasses.dataclass(frozen=True)
class Gradient:
    """Of one kernel: mean and largest magnitude, and the span of the middle nine tenths."""

    mean: float
    largest: float
    spread: float


@dataclasses.dataclass(frozen=True)
class Output:
    """Of one layer.

    Attributes:
        kind: ``relu``, ``sigmoid``, ``tanh``, or empty.
        zeros: share of values that are zero.
        activity: of each unit, the share of its values above zero; of ReLUs only.
        values: of sigmoids and tanhs, as a sample; empty otherwise.
    """

    kind: str
    zeros: float
    activity: np.ndarray
    values: np.ndarray


@dataclasses.dataclass(frozen=True)
class Sight:
    """One look.

    Attributes:
        epoch: that was finished; 0 before the first.
        gradients: by kernel.
        outputs: by layer.
        weights: by kernel.
        missed: of each class of the batch, the share that is said to be another.
    """

    epoch: int
    gradients: Mapping[str, Gradient]
    outputs: Mapping[str, Output]
    weights: Mapping[str, np.ndarray]
    missed: Mapping[str, float]


class Probe:
    """Looks at a network by one fixed batch, and changes nothing in it.

    The network runs as when it is used: a pass as in training would count in its normalization
    and draw random numbers.

    Args:
        network: with its weights.
        images: inputs ``(batch, height, width, channels)``.
        truth: masks or classes of them, as training takes them.
        loss: whose gradients are looked at.
        classes: names of classes where the network classifies, else none.
    """

    def __init__(
        self,
        network: keras.Model,
        images: tf.Tensor,
        truth: tf.Tensor,
        loss: keras.losses.Loss,
        classes: Sequence[str] = (),
    ) -> None:
        self._images, self._truth, self._classes = images, truth, classes
        self._loss: Any = loss
        self._layers = [layer for layer in network.layers if _has_one_output(layer)]
        outputs = [layer.output for layer in self._layers]
        self._model = keras.Model(network.inputs, [*outputs, network.output])
        # Biases in front of a normalization have no gradient, which is no fault.
        self._kernels = [v for v in network.trainable_variables if len(v.shape) > 1]
        self.names = [_name(variable) for variable in self._kernels]

    def look(self, epoch: int) -> Sight:
        """Return what the network shows now."""
        with tf.GradientTape() as tape:
            *outputs, found = self._model(self._images, training=False)
            loss = tf.reduce_mean(self._loss(self._truth, tf.cast(found, tf.float32)))
        gradients = tape.gradient(loss, self._kernels)
        return Sight(
            epoch,
            {
                name: _gradient(_numbers(gradient))
                for name, gradient in zip(self.names, gradients, strict=True)
                if gradient is not None
            },
            {
                layer.name: _output(layer, _numbers(output))
                for layer, output in zip(self._layers, outputs, strict=True)
            },
            {n: v.numpy() for n, v in zip(self.names, self._kernels, strict=True)},
            self._missed(_numbers(found)),
        )

    def _missed(self, found: np.ndarray) -> dict[str, float]:
        truth = _numbers(self._truth)
        if self._classes:
            said, is_ = found.argmax(-1), truth.argmax(-1)
            present = np.unique(is_)
            return {self._classes[k]: float((said[is_ == k] != k).mean()) for k in present}
        marked, said = truth > 0.5, found > 0.5
        parts = {"foreground": marked, "background": ~marked}
        return {
            name: float((said != marked)[part].mean()) for name, part in parts.items() if part.any()
        }


def _has_one_output(layer: keras.layers.Layer) -> bool:
    inside = layer.inbound_nodes and not isinstance(layer, keras.layers.InputLayer)
    return bool(inside) and not isinstance(layer.output, list | tuple | dict)


def _name(variable: tf.Variable) -> str:
    return variable.name.partition(":")[0]


def _numbers(tensor: tf.Tensor) -> np.ndarray:
    values = tf.convert_to_tensor(tensor) if isinstance(tensor, tf.IndexedSlices) else tensor
    return tf.cast(values, tf.float32).numpy()


def _gradient(values: np.ndarray) -> Gradient:
    sizes = np.abs(values)
    low, high = np.percentile(values, (5, 95)) if np.isfinite(values).all() else (0.0, np.inf)
    return Gradient(float(sizes.mean()), float(sizes.max()), float(high - low))


def _output(layer: keras.layers.Layer, values: np.ndarray) -> Output:
    kind, nothing = kind_of(layer), np.empty(0, np.float32)
    zeros = float((values == 0).mean()) if values.size else 0.0
    units = values.reshape(-1, values.shape[-1])
    activity = (units > 0).mean(0) if kind == "relu" else nothing
    return Output(kind, zeros, activity, values.ravel() if kind in _SQUASHING else nothing)


def kind_of(layer: keras.layers.Layer) -> str:
    """Return what a layer's activation is, where a rule looks at it."""
    if isinstance(layer, keras.layers.ReLU):
        return "relu"
    name = getattr(getattr(layer, "activation", None), "__name__", "")
    return name if name in ("relu", *_SQUASHING) else ""
