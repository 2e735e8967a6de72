"""Tensors and operators of a ``.tflite`` file.

One pair of classes serves both who reads a file (:class:`~tinyseg.tflite.model.TfliteModel`) and
who edits one (:class:`~tinyseg.tflite.graph.Graph`); ``storage.py`` makes them of the schema's
tables and turns them into tables again. Fields that nobody here knows stay as they are in the
tables that each of them holds.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tinyseg.tflite import schema


@dataclasses.dataclass(eq=False)
class Buffer:
    """Content of constants; tensors that share one are stored once.

    Attributes:
        data: bytes, empty for none.
    """

    data: bytes


class Quantization(NamedTuple):
    """Scales and zero points of a tensor.

    Attributes:
        scales, zero_points: one entry, or one per channel along ``axis``.
        axis: quantized dimension.
    """

    scales: Sequence[float] | np.ndarray
    zero_points: Sequence[int] | np.ndarray
    axis: int = 0


@dataclasses.dataclass(eq=False)
class Tensor:
    """A tensor, known by its identity.

    Attributes:
        index: position in the file that it was read from, -1 for a new tensor.
        name: as stored, empty for none.
        shape: dimensions; empty for a scalar.
        dtype: NumPy type name.
        scales, zero_points: float32 and int64 arrays, empty if not quantized; one entry per
            tensor or per channel along ``axis``.
        axis: quantized dimension.
        buffer: constant content; None or an empty one for an activation.
        variable: whether kernels keep state in it from one inference to the next.
        table: what the file holds of it, None for a new tensor.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: np.ndarray
    zero_points: np.ndarray
    axis: int = 0
    buffer: Buffer | None = None
    variable: bool = False
    table: schema.TensorT | None = dataclasses.field(default=None, repr=False)

    @property
    def data(self) -> bytes | None:
        """Bytes of constant content, None for an activation."""
        return self.buffer.data if self.buffer is not None and self.buffer.data else None

    @property
    def constant(self) -> bool:
        """Whether the file holds the content."""
        return self.data is not None

    @property
    def elements(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def layer(self) -> str:
        """The Keras layer that made it, as far as the converter kept the name."""
        return layer_of(self.name)

    @property
    def quantization(self) -> Quantization | None:
        """Scales and zero points in one, None if not quantized; assign to change them."""
        if not self.scales.size:
            return None
        zeros = self.zero_points if self.zero_points.size else np.zeros(1, np.int64)
        return Quantization(self.scales, zeros, self.axis)

    @quantization.setter
    def quantization(self, quantization: Quantization | None) -> None:
        scales, zero_points, self.axis = quantization or Quantization((), ())
        self.scales = np.asarray(scales, np.float32)
        self.zero_points = np.asarray(zero_points, np.int64)

    def array(self) -> np.ndarray:
        """Return constant content with shape and dtype.

        Raises:
            ValueError: the file does not hold its content.
        """
        if self.data is None:
            raise ValueError(f"tensor '{self.name}' is not constant")
        return np.frombuffer(self.data, self.dtype).reshape(self.shape)

    def set_array(self, values: np.ndarray) -> None:
        """Change constant content, of all tensors that share it."""
        if self.buffer is None or not self.buffer.data:
            self.buffer = Buffer(b"")
        self.buffer.data = values.tobytes()

    def with_buffer(self, buffer: Buffer) -> Tensor:
        """Return a copy with other content."""
        return dataclasses.replace(self, index=-1, buffer=buffer)


@dataclasses.dataclass(eq=False)
class Operator:
    """An operator, known by its identity.

    Attributes:
        index: position in execution order in the file that it was read from, -1 for a new one.
        opcode: builtin name such as ``ADD``, or a custom operator's own name.
        inputs: tensors, None where an optional one is absent.
        outputs: tensors.
        options: the schema's options object, None if there are none.
        custom: whether it is a custom operator.
        custom_options: bytes that a custom operator stores.
        table: what the file holds of it, None for a new operator.
        intermediates: tensors that hold no more than scales, as those of an LSTM.
    """

    index: int
    opcode: str
    inputs: list[Tensor | None]
    outputs: list[Tensor]
    options: Any = None
    custom: bool = False
    custom_options: bytes = b""
    table: schema.OperatorT | None = dataclasses.field(default=None, repr=False)
    intermediates: list[Tensor] = dataclasses.field(default_factory=list)

    def input(self, number: int) -> Tensor:
        """Return an input that the operator cannot do without.

        Raises:
            IndexError: it is absent.
        """
        tensor = self.inputs[number]
        if tensor is None:
            raise IndexError(f"{self.opcode} has no input {number}")
        return tensor

    def first(self, count: int) -> list[Tensor]:
        """Return the first inputs; see :meth:`input`."""
        return [self.input(number) for number in range(count)]

    def become_custom(self, name: str, custom_options: bytes) -> None:
        """Turn it into a custom operator, for the same outputs."""
        self.opcode, self.custom = name, True
        self.options, self.custom_options = None, custom_options

    def clone(self, inputs: Sequence[Tensor | None], output: Tensor) -> Operator:
        """Return a copy, with options of its own, for other tensors."""
        made = dataclasses.replace(self, index=-1, inputs=list(inputs), outputs=[output])
        made.options = copy.copy(self.options)
        return made


def new_tensor(
    name: str,
    shape: Sequence[int],
    dtype: str,
    quantization: Quantization | None = None,
    buffer: Buffer | None = None,
) -> Tensor:
    """Return a new tensor."""
    none = np.zeros(0, np.float32), np.zeros(0, np.int64)
    made = Tensor(-1, name, tuple(shape), dtype, *none, buffer=buffer)
    made.quantization = quantization
    return made


def layer_of(tensor_name: str) -> str:
    """Return the Keras layer name in a tensor name such as ``model/layer/Relu;model/...``."""
    parts = tensor_name.split(";")[0].split("/")
    return parts[1] if len(parts) > 1 else parts[0]
