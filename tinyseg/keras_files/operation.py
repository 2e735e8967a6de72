"""A layer or function of Keras 3 as a layer in a network of Keras 2."""

from __future__ import annotations

import dataclasses
import os
import types
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from tinyseg.errors import InputError


def keras3() -> types.ModuleType:
    """Import Keras 3 on TensorFlow.

    Raises:
        InputError: it runs on another backend.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    import keras as generation3

    if generation3.backend.backend() != "tensorflow":
        raise InputError(
            f"Keras runs on {generation3.backend.backend()}; set KERAS_BACKEND=tensorflow to read "
            "networks of Keras 3"
        )
    return generation3


@dataclasses.dataclass(frozen=True)
class Hole:
    """Where a tensor goes among the arguments of a call."""

    number: int


class KerasOperation(keras.layers.Layer):
    """Calls a layer or function of Keras 3 that Keras 2 has no twin of; its weights are its own.

    Args:
        operation: what to call.
        args, kwargs: of the call, with a :class:`Hole` for each tensor.
        name: of the layer.
    """

    def __init__(
        self, operation: Any, args: Sequence[Any], kwargs: dict[str, Any], name: str, **_: Any
    ) -> None:
        super().__init__(name=name)
        # In a box: Keras 2 would take what is in an attribute for a part of this layer.
        self._calling = lambda: (operation, args, kwargs)
        self._learned = self._copies(getattr(operation, "trainable_variables", ()), True)
        self._fixed = self._copies(getattr(operation, "non_trainable_variables", ()), False)

    @property
    def kind(self) -> str:
        """The class in Keras 3."""
        return type(self._calling()[0]).__name__

    def _copies(self, variables: Sequence[Any], trainable: bool) -> list[tf.Variable]:
        return [
            self.add_weight(
                name=f"{'learned' if trainable else 'fixed'}_{number}",
                shape=variable.shape,
                dtype=variable.dtype,
                initializer=keras.initializers.Constant(np.array(variable)),
                trainable=trainable,
            )
            for number, variable in enumerate(variables)
        ]

    def call(self, inputs: Any) -> tf.Tensor:
        """Compute it as at inference."""
        operation, args, kwargs = self._calling()
        tensors = inputs if isinstance(inputs, list | tuple) else [inputs]
        args, kwargs = tf.nest.map_structure(
            lambda value: tensors[value.number] if isinstance(value, Hole) else value,
            (list(args), dict(kwargs)),
        )
        if hasattr(operation, "stateless_call"):
            if getattr(operation, "_call_has_training_arg", False):
                kwargs["training"] = False
            outputs, _ = operation.stateless_call(self._learned, self._fixed, *args, **kwargs)
        else:
            outputs = operation(*args, **kwargs)
        return tf.nest.map_structure(_as_float32, outputs)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, as objects."""
        operation, args, kwargs = self._calling()
        return {"operation": operation, "args": args, "kwargs": kwargs, "name": self.name}


def _as_float32(value: Any) -> Any:
    return tf.cast(value, tf.float32) if value.dtype in (tf.float16, tf.bfloat16) else value
