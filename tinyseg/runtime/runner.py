"""What every backend offers, and the numbers at its border."""

from __future__ import annotations

import dataclasses
from typing import Protocol

import numpy as np

from tinyseg.errors import InputError
from tinyseg.tflite import Tensor, TfliteModel


@dataclasses.dataclass(frozen=True)
class TensorSpec:
    """Shape, type and quantization of a network's input or output.

    Attributes:
        shape: with the batch of 1 in front.
        dtype: NumPy type name.
        scale, zero_point: real = (stored - zero_point) * scale; 1 and 0 for float32.
    """

    shape: tuple[int, ...]
    dtype: str
    scale: float = 1.0
    zero_point: int = 0

    @classmethod
    def of(cls, tensor: Tensor) -> TensorSpec:
        """Return the spec of a graph tensor."""
        if tensor.scales.size == 0:
            return cls(tensor.shape, tensor.dtype)
        return cls(tensor.shape, tensor.dtype, float(tensor.scales[0]), int(tensor.zero_points[0]))

    def quantize(self, values: np.ndarray) -> np.ndarray:
        """Turn float32 values into what the tensor stores, rounding half away from zero."""
        if self.dtype == "float32":
            return np.asarray(values, np.float32)
        limits = np.iinfo(self.dtype)
        scaled = np.asarray(values, np.float32) / np.float32(self.scale)
        # In float32 the sum would round the largest number below a half up to one.
        rounded = np.trunc(scaled + np.copysign(0.5, scaled, dtype=np.float64))
        return np.clip(rounded + self.zero_point, limits.min, limits.max).astype(self.dtype)

    def dequantize(self, stored: np.ndarray) -> np.ndarray:
        """Turn stored values into float32."""
        if self.dtype == "float32":
            return stored
        return (stored.astype(np.float32) - self.zero_point) * np.float32(self.scale)


class Runner(Protocol):
    """A backend with a network loaded.

    Attributes:
        input, output: what :meth:`run` takes and gives.
        kernels: whose arithmetic it is, for people.
    """

    input: TensorSpec
    output: TensorSpec
    kernels: str

    def run(self, inputs: np.ndarray) -> np.ndarray:
        """Run images one by one.

        Args:
            inputs: stored values ``(images, ...)`` of the input's type.

        Returns:
            Stored values ``(images, ...)`` of the output's type.
        """
        ...


def predict(runner: Runner, images: np.ndarray) -> np.ndarray:
    """Run float32 network inputs and return float32 outputs, whatever the backend stores."""
    return runner.output.dequantize(runner.run(runner.input.quantize(images)))


def border(model: TfliteModel) -> tuple[TensorSpec, TensorSpec]:
    """Return input and output of a single-input, single-output file.

    Raises:
        InputError: the file has several inputs or outputs.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise InputError(
            f"{model.path}: has {len(model.inputs)} inputs and {len(model.outputs)} outputs; "
            "one of each is supported"
        )
    return TensorSpec.of(model.inputs[0]), TensorSpec.of(model.outputs[0])
