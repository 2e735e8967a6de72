"""The float network itself, behind the same protocol as its quantized forms."""

from __future__ import annotations

import numpy as np
import tf_keras as keras

from tinyseg.runtime.meaning import Head, Meaning
from tinyseg.runtime.reading import read
from tinyseg.runtime.runner import TensorSpec
from tinyseg.tflite.border import Outline

_MOVING = (
    keras.layers.Flatten,
    keras.layers.Permute,
    keras.layers.Reshape,
    keras.layers.Resizing,
    keras.layers.UpSampling2D,
)


class KerasRunner:
    """Runs a Keras model in float32.

    Args:
        model: with one input and one output.
        batch_size: images at a time.
    """

    def __init__(self, model: keras.Model, batch_size: int = 4) -> None:
        self.input = TensorSpec((1, *model.input_shape[1:]), "float32")
        self.output = TensorSpec((1, *model.output_shape[1:]), "float32")
        self._model, self._batch_size = model, batch_size

    def run(self, inputs: np.ndarray) -> np.ndarray:
        """Run float32 images ``(images, ...)`` and return float32 outputs."""
        return self._model.predict(inputs, batch_size=self._batch_size, verbose=0)


def keras_meaning(model: keras.Model, head: Head | None = None) -> Meaning:
    """Return what a network's output means, see :func:`tinyseg.runtime.reading.meaning_of`."""
    shape, size = (1, *model.output_shape[1:]), model.input_shape[1:3]
    if len(shape) == 2 and head is None:
        return Meaning(Head.CLASSES, classes=max(2, shape[1]))
    outline = Outline("output", shape, "float32", _activation(model), shape[-1])
    return read(model.name, [outline], size, head)


def _activation(model: keras.Model) -> str:
    """Name the function that made the output, behind layers that only move values."""
    for layer in reversed(model.layers):
        if isinstance(layer, keras.layers.Softmax):
            return "softmax"
        if function := getattr(layer, "activation", None):
            return str(function.__name__)
        if not isinstance(layer, _MOVING):
            break
    return "linear"
