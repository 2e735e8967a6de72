"""What every backend offers, and the numbers at its border."""

from __future__ import annotations

import dataclasses
from typing import Protocol

import numpy as np

from tinyseg.errors import InputError
from tinyseg.tflite import Tensor, TfliteModel
from tinyseg.tflite.border import batched


@dataclasses.dataclass(frozen=True)
class TensorSpec:
    """Shape, type and quantization of a network's input or output.

    Attributes:
        shape: with the batch of 1 in front, which some files leave out.
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


def network_outputs(runner: Runner, images: np.ndarray) -> np.ndarray:
    """Run float32 network inputs and return float32 outputs, whatever the backend stores."""
    return runner.output.dequantize(runner.run(stored(runner.input, images)))


def stored(source: TensorSpec, images: np.ndarray) -> np.ndarray:
    """Return what an input stores of images.

    Args:
        source: of the input, whose channels are last, first, or without an axis.
        images: float32 ``(n, height, width, channels)``, or whatever else the input takes.
    """
    wanted = source.shape[1:]
    if images.ndim == 4 and images.shape[1:] != wanted:
        first = np.moveaxis(images, -1, 1)
        images = first if first.shape[1:] == wanted else first.reshape(len(images), *wanted)
    return source.quantize(images)


def random_inputs(source: TensorSpec, count: int, seed: int = 0) -> np.ndarray:
    """Return real values all over an input's range, float32 ``(count, ...)``; the same each time.

    For files whose input is not an image.
    """
    shape, rng = (count, *source.shape[1:]), np.random.default_rng(seed)
    if source.dtype == "float32":
        return rng.uniform(-1, 1, shape).astype(np.float32)
    limits = np.iinfo(source.dtype)
    low, high = max(limits.min, -(2**15)), min(limits.max, 2**15)
    return source.dequantize(rng.integers(low, high, shape, endpoint=True).astype(source.dtype))


def border(model: TfliteModel, output: int = 0) -> tuple[TensorSpec, TensorSpec]:
    """Return the input and one of the outputs of a single-input file.

    Raises:
        InputError: the file has several inputs, or no such output.
    """
    if len(model.inputs) != 1 or not model.outputs:
        raise InputError(
            f"{model.path}: has {len(model.inputs)} inputs and {len(model.outputs)} outputs; "
            "one input is supported"
        )
    ends = model.inputs[0], model.outputs[output]
    source, target = (
        dataclasses.replace(TensorSpec.of(end), shape=batched(end.shape)) for end in ends
    )
    return source, target
