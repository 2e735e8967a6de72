"""Tensors and operators of a graph that is edited.

They speak the language of :class:`~tinyseg.tflite.model.TfliteModel`: names of operators and
element types, the schema's options. Fields that nobody here knows stay as they are in the tables
that each of them holds; only :class:`~tinyseg.tflite.graph.Graph` reads and writes those.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinyseg.tflite import schema
from tinyseg.tflite.ops.registry import named


@dataclasses.dataclass
class Buffer:
    """Content of constants; tensors that share one are stored once.

    Attributes:
        data: bytes, empty for none.
        index: its number in the file that is written, None before.
    """

    data: bytes
    index: int | None = None


@dataclasses.dataclass
class Quantization:
    """Scales and zero points of a tensor.

    Attributes:
        scales, zero_points: one entry, or one per channel along ``axis``.
        axis: quantized dimension, None if the tensor is quantized as a whole.
    """

    scales: Sequence[float]
    zero_points: Sequence[int]
    axis: int | None = None


class Tensor:
    """A tensor, known by its identity.

    Args:
        name: for people.
        shape: dimensions.
        dtype: element type, such as ``int8``.
        quantization: None if not quantized.
        buffer: constant content, None for an activation.
        table: what the file holds of it; None for a new tensor.

    Attributes:
        quantization, buffer: as given.
    """

    def __init__(
        self,
        name: str | None = None,
        shape: Sequence[int] | None = None,
        dtype: str | None = None,
        *,
        quantization: Quantization | None = None,
        buffer: Buffer | None = None,
        table: schema.TensorT | None = None,
    ) -> None:
        self.table = table or schema.TensorT()
        self.quantization, self.buffer = quantization, buffer
        if name is not None:
            self.name = name
        if shape is not None:
            self.shape = shape
        if dtype is not None:
            self.dtype = dtype

    @property
    def name(self) -> str | None:
        """Name as stored."""
        name = self.table.name
        return name.decode() if isinstance(name, bytes) else name

    @name.setter
    def name(self, name: str) -> None:
        self.table.name = name

    @property
    def shape(self) -> tuple[int, ...]:
        """Dimensions; empty for a scalar."""
        return () if self.table.shape is None else tuple(int(size) for size in self.table.shape)

    @shape.setter
    def shape(self, shape: Sequence[int]) -> None:
        self.table.shape = list(shape)

    @property
    def dtype(self) -> str:
        """Element type."""
        return schema.dtype_name(self.table.type)

    @dtype.setter
    def dtype(self, dtype: str) -> None:
        self.table.type = schema.dtype_number(dtype)

    @property
    def variable(self) -> bool:
        """Whether kernels keep state in it from one inference to the next."""
        return bool(self.table.isVariable)

    @property
    def array(self) -> np.ndarray | None:
        """Constant content with shape and dtype, None for an activation; assign to change it."""
        if self.buffer is None:
            return None
        return np.frombuffer(self.buffer.data, self.dtype).reshape(self.shape)

    @array.setter
    def array(self, values: np.ndarray) -> None:
        if self.buffer is None:
            self.buffer = Buffer(b"")
        self.buffer.data = values.tobytes()

    def with_buffer(self, buffer: Buffer) -> Tensor:
        """Return a copy with other content."""
        return Tensor(
            quantization=copy.deepcopy(self.quantization),
            buffer=buffer,
            table=copy.deepcopy(self.table),
        )


class Operator:
    """An operator, known by its identity.

    Args:
        opcode: builtin name such as ``CONV_2D``, or a custom operator's own name.
        inputs: tensors, None where an optional one is absent.
        outputs: tensors.
        intermediates: tensors that hold no more than scales, as those of an LSTM.
        code: its number and a custom operator's own name, None for a builtin.
        table: what the file holds of it; None for a new operator.

    Attributes:
        opcode, inputs, outputs, intermediates, code: as given.
    """

    def __init__(
        self,
        opcode: str,
        inputs: list[Tensor | None],
        outputs: list[Tensor],
        *,
        intermediates: Sequence[Tensor] = (),
        code: tuple[int, str | None] | None = None,
        table: schema.OperatorT | None = None,
    ) -> None:
        self.opcode, self.inputs, self.outputs = opcode, inputs, outputs
        self.intermediates = tuple(intermediates)
        self.code = code or (schema.builtin_number(opcode), None)
        self.table = table or schema.OperatorT()

    @property
    def custom(self) -> bool:
        """Whether it is a custom operator."""
        return self.code[0] == schema.CUSTOM

    @property
    def options(self) -> Any:
        """The schema's options, those by default if the file has none; None if there are none."""
        table = None if self.custom else named(self.opcode).options
        if self.table.builtinOptions is None and table is not None:
            return schema.new_options(table)
        return self.table.builtinOptions

    def set_options(self, options: Any, table: str) -> None:
        """Give it the schema's options of a table, such as ``Conv2DOptions``."""
        self.table.builtinOptionsType = schema.options_number(table)
        self.table.builtinOptions = options

    def become_custom(self, name: str, custom_options: bytes) -> None:
        """Turn it into a custom operator, for the same outputs."""
        self.opcode, self.code = name, (schema.CUSTOM, name)
        self.table.builtinOptionsType, self.table.builtinOptions = 0, None
        self.table.customOptions = list(custom_options)

    def clone(self, inputs: list[Tensor | None], output: Tensor) -> Operator:
        """Return a copy, with options of its own, for other tensors."""
        table = copy.copy(self.table)
        table.builtinOptions = copy.copy(self.options)
        return Operator(self.opcode, inputs, [output], code=self.code, table=table)
