"""The float network itself, behind the same protocol as its quantized forms."""

from __future__ import annotations

import numpy as np
import tf_keras as keras

from tinyseg.runtime.runner import TensorSpec


class KerasRunner:
    """Runs a Keras model in float32.

    Args:
        model: with one input and one output.
        batch_size: images at a time; one where the model takes no more.
    """

    kernels = "Keras, float32"

    def __init__(self, model: keras.Model, batch_size: int = 4) -> None:
        self.input = TensorSpec((1, *model.input_shape[1:]), "float32")
        self.output = TensorSpec((1, *model.output_shape[1:]), "float32")
        self._model, self._batch_size = model, model.input_shape[0] or batch_size

    def run(self, inputs: np.ndarray) -> np.ndarray:
        """Run float32 images ``(images, ...)`` and return float32 outputs."""
        return self._model.predict(inputs, batch_size=self._batch_size, verbose=0)
