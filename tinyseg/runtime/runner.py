"""What every backend offers, and the numbers at its border."""

from __future__ import annotations

import dataclasses
from typing import Protocol

import numpy as np

from tinyseg.errors import InputError
from tinyseg.tflite import Tensor, TfliteModel
from tinyseg.tflite.border import batched, image_shape


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


def has_channels_first(source: TensorSpec) -> bool:
    """Return whether an input takes one channel of an image after the other."""
    shape = image_shape(source.shape)
    return shape is not None and shape[2] > 1 and source.shape[1:] != shape


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


class IntegerBorder:
    """The border of a file, in front of one that computes the same with int8 at its own.

    Args:
        model: the file; float32 or uint8 at its border, or integers.
        inner: the other one, see :func:`tinyseg.engine.compiler.integer`; or the file itself.

    Attributes:
        input: of the file.
        outputs: likewise, in order.
    """

    # Between the zeros of uint8 and of int8.
    _SHIFT = 128

    def __init__(self, model: TfliteModel, inner: TfliteModel) -> None:
        numbers = range(len(model.outputs))
        self.input, self._inside = border(model)[0], border(inner)[0]
        self.outputs = [border(model, number)[1] for number in numbers]
        self._made = [border(inner, number)[1] for number in numbers]

    def inside(self, values: np.ndarray) -> np.ndarray:
        """Return what the file stores of an input as the inner one stores it."""
        if self.input.dtype == self._inside.dtype:
            return values
        if self.input.dtype == "uint8":
            return (values.astype(np.int16) - self._SHIFT).astype(self._inside.dtype)
        return self._inside.quantize(values)

    def outside(self, made: np.ndarray, number: int = 0) -> np.ndarray:
        """Return what the inner file stores of an output as the file stores it."""
        end, inner = self.outputs[number], self._made[number]
        if end.dtype == inner.dtype:
            return made
        if end.dtype == "uint8":
            return (made.astype(np.int16) + self._SHIFT).astype(np.uint8)
        return inner.dequantize(made)

    def read(self, content: bytes, number: int = 0) -> np.ndarray:
        """Return an output of the inner file, given as its bytes, as the file stores it."""
        values = np.frombuffer(content, self._made[number].dtype)
        return self.outside(values, number).reshape(self.outputs[number].shape)


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
