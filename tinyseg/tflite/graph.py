"""Edit a ``.tflite`` file: change operators and tensors, write it again.

Buffers that tensors share stay shared, and fields that nobody here knows stay as they are.
Read-only work is easier on a :class:`~tinyseg.tflite.model.TfliteModel`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from tinyseg.errors import InputError
from tinyseg.tflite import schema
from tinyseg.tflite.annotate import seal
from tinyseg.tflite.model import OFFLINE_PLAN
from tinyseg.tflite.nodes import Buffer, Operator, Quantization, Tensor
from tinyseg.tflite.ops.registry import named

# Where the schema's own default, zero, is no use.
_DEFAULTS = {
    name: 1
    for name in ("strideH", "strideW", "dilationHFactor", "dilationWFactor", "depthMultiplier")
}


class Graph:
    """An editable copy of a file with one graph.

    Args:
        content: bytes of a ``.tflite`` file that lint finds usable.
        path: where it came from, for messages.

    Attributes:
        operators: in execution order, edited in place.
        tensors: the tensors; those of new operators only once they are listed.
        inputs, outputs: of the graph.
        metadata: buffers by name, edited in place; an offline memory plan is dropped.

    Raises:
        InputError: the file is damaged in parts that lint does not look at, or has several graphs.
    """

    def __init__(self, content: bytes, path: str = "model") -> None:
        try:
            self._model = schema.unpack(content)
            self._read()
        # The schema's classes check little, so damage surfaces as any of these.
        except Exception as error:
            raise InputError(
                f"{path}: damaged ({type(error).__name__}); convert or download it again"
            ) from None
        if len(self._model.subgraphs) != 1:
            raise InputError(
                f"{path}: {len(self._model.subgraphs)} subgraphs; export a single inference graph"
            )
        if schema.has_empty_union(self._model):
            raise InputError(f"{path}: options or parameters are missing; convert it again")

    def _read(self) -> None:
        model, table = self._model, self._model.subgraphs[0]
        stored = [b"" if buffer.data is None else bytes(buffer.data) for buffer in model.buffers]
        self._buffers = [Buffer(data) for data in stored or [b""]]
        self._codes = list(model.operatorCodes)
        for code in model.operatorCodes:
            code.builtinCode = schema.builtin_of(code)
        self.metadata: dict[str, bytes] = {
            schema.text(entry.name): self._buffers[entry.buffer].data
            for entry in model.metadata or []
        }
        # Places of tensors are those of the graph as it was.
        self.metadata.pop(OFFLINE_PLAN, None)
        self.tensors = [self._tensor(stored) for stored in table.tensors]
        self.operators = [self._operator(stored) for stored in table.operators]
        self.inputs: list[Tensor] = _pick(self.tensors, table.inputs)
        self.outputs: list[Tensor] = _pick(self.tensors, table.outputs)
        self._signatures = [
            (entry, self.tensors[entry.tensorIndex])
            for signature in model.signatureDefs or []
            for entry in (*(signature.inputs or []), *(signature.outputs or []))
        ]

    def _tensor(self, table: schema.TensorT) -> Tensor:
        # The first buffer is empty by convention.
        buffer = None if table.buffer == 0 else self._buffers[table.buffer]
        tensor = Tensor(quantization=_quantization(table.quantization), buffer=buffer, table=table)
        _ = tensor.name  # Decoded here, where damage is noticed.
        return tensor

    def _operator(self, table: schema.OperatorT) -> Operator:
        code = _key(self._codes[table.opcodeIndex])
        return Operator(
            schema.opcode_name(*code),
            _pick(self.tensors, table.inputs, optional=True),
            _pick(self.tensors, table.outputs),
            intermediates=_pick(self.tensors, table.intermediates),
            code=code,
            table=table,
        )

    def producers(self) -> dict[int, Operator]:
        """Return the operator that makes a tensor, by the tensor's ``id``."""
        return {id(tensor): op for op in self.operators for tensor in op.outputs}

    def consumers(self) -> dict[int, list[Operator]]:
        """Return the operators that read a tensor, by the tensor's ``id``."""
        readers: dict[int, list[Operator]] = defaultdict(list)
        for operator in self.operators:
            for tensor in operator.inputs:
                if tensor is not None and operator not in readers[id(tensor)]:
                    readers[id(tensor)].append(operator)
        return readers

    def replace(self, operator: Operator, replacement: Iterable[Operator]) -> None:
        """Put other operators in the place of one."""
        position = self.operators.index(operator)
        self.operators[position : position + 1] = replacement

    def redirect(self, old: Tensor, new: Tensor) -> None:
        """Let everything that reads or returns a tensor use another one."""
        for operator in self.operators:
            operator.inputs = [new if tensor is old else tensor for tensor in operator.inputs]
        for border in (self.inputs, self.outputs):
            border[:] = [new if tensor is old else tensor for tensor in border]
        self._signatures = [
            (entry, new if tensor is old else tensor) for entry, tensor in self._signatures
        ]

    def remove_dead(self) -> None:
        """Remove operators and tensors that no output depends on."""
        needed = {id(tensor) for tensor in self.outputs}
        for operator in reversed(self.operators):
            if any(id(tensor) in needed for tensor in operator.outputs):
                needed |= {id(tensor) for tensor in operator.inputs if tensor is not None}
        self.operators[:] = [
            operator
            for operator in self.operators
            if any(id(tensor) in needed for tensor in operator.outputs)
        ]
        self.drop_unused_tensors()

    def without_signature(self) -> Graph:
        """Forget the signature, for a part of a graph that has other inputs and outputs."""
        self._model.signatureDefs, self._signatures = None, []
        return self

    def to_bytes(self) -> bytes:
        """Return the file, without tensors and buffers that nothing uses.

        See :func:`~tinyseg.tflite.annotate.seal`.
        """
        self.drop_unused_tensors()
        index = {id(tensor): number for number, tensor in enumerate(self.tensors)}
        for entry, tensor in self._signatures:
            entry.tensorIndex = index.get(id(tensor), entry.tensorIndex)
        buffers = self._number_buffers()
        model, table = self._model, self._model.subgraphs[0]
        model.version = model.version or schema.VERSION
        model.operatorCodes = self._write_operators(index)
        for tensor in self.tensors:
            _write_tensor(tensor)
        table.tensors = [tensor.table for tensor in self.tensors]
        table.operators = [operator.table for operator in self.operators]
        table.inputs = [index[id(tensor)] for tensor in self.inputs]
        table.outputs = [index[id(tensor)] for tensor in self.outputs]
        # The schema's classes pack lists byte by byte: contents go in later, as arrays.
        model.buffers = [_new_buffer(b"") for _ in buffers]
        model.metadata = []
        for name, data in self.metadata.items():
            entry = schema.MetadataT()
            entry.name, entry.buffer = name, len(model.buffers)
            model.buffers.append(_new_buffer(data))
            model.metadata.append(entry)
        # What is sealed must be another object than what is edited further.
        written = schema.unpack(schema.pack(model))
        for buffer in buffers:
            if buffer.data:
                written.buffers[buffer.index].data = np.frombuffer(buffer.data, np.uint8)
        return seal(written)

    def _number_buffers(self) -> list[Buffer]:
        """Number the buffers in use: those of the file in their order, then new ones."""
        used = {id(t.buffer): t.buffer for t in self.tensors if t.buffer is not None}
        self._buffers[1:] = [buffer for buffer in self._buffers[1:] if id(buffer) in used]
        known = {id(buffer) for buffer in self._buffers}
        new = [buffer for key, buffer in used.items() if key not in known]
        for number, buffer in enumerate([*self._buffers, *new]):
            buffer.index = number
        return [*self._buffers, *new]

    def _write_operators(self, index: dict[int, int]) -> list[schema.OperatorCodeT]:
        """Write operators into their tables; return the codes in use."""
        known = {_key(code): code for code in self._codes}
        used: dict[tuple[int, str | None], schema.OperatorCodeT] = {}
        for operator in self.operators:
            if operator.code not in used:
                used[operator.code] = known.get(operator.code) or _new_code(operator.code)
            table = operator.table
            table.opcodeIndex = list(used).index(operator.code)
            table.inputs = [-1 if t is None else index[id(t)] for t in operator.inputs]
            table.outputs = [index[id(t)] for t in operator.outputs]
            table.intermediates = [index[id(t)] for t in operator.intermediates] or None
        return list(used.values())

    def drop_unused_tensors(self) -> None:
        """List the tensors in use, those of new operators included."""
        groups = [self.inputs, self.outputs]
        for op in self.operators:
            groups += [op.inputs, op.outputs, op.intermediates]
        used = {id(t): t for group in groups for t in group if t is not None}
        kept = [tensor for tensor in self.tensors if used.pop(id(tensor), None) is not None]
        self.tensors[:] = [*kept, *used.values()]


def make(name: str, inputs: list[Tensor], output: Tensor, **values: Any) -> Operator:
    """Return a new operator.

    Args:
        name: such as ``CONV_2D``.
        inputs: tensors.
        output: tensor.
        values: fields of the schema's options, such as ``padding``; strides, dilation and depth
            multiplier are 1 and others 0 by default.
    """
    table = named(name).options
    made = schema.new_options(table)
    for key, value in {
        **{k: v for k, v in _DEFAULTS.items() if hasattr(made, k)},
        **values,
    }.items():
        if not hasattr(made, key):
            raise ValueError(f"{name} has no option {key}")
        setattr(made, key, value)
    operator = Operator(name, inputs, [output])
    operator.set_options(made, table)
    return operator


def constant(name: str, values: np.ndarray, quantization: Quantization | None = None) -> Tensor:
    """Return a new constant tensor."""
    values = np.ascontiguousarray(values)
    return Tensor(
        name,
        values.shape,
        values.dtype.name,
        quantization=quantization,
        buffer=Buffer(values.tobytes()),
    )


def activation(name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Return a new activation with type and quantization of another tensor."""
    return Tensor(name, shape, like.dtype, quantization=like.quantization)


def is_constant(tensor: Tensor | None) -> bool:
    """Tell whether the file holds a tensor's content."""
    return tensor is not None and tensor.buffer is not None and len(tensor.buffer.data) > 0


def scale_of(tensor: Tensor) -> tuple[float, int]:
    """Return scale and zero point of a tensor quantized as a whole."""
    return float(tensor.quantization.scales[0]), int(tensor.quantization.zero_points[0])


def _pick(tensors: list[Tensor], indices: Any, optional: bool = False) -> list[Tensor | None]:
    """Look tensors up; an optional input is -1 where it is absent."""
    found = [] if indices is None else [int(index) for index in indices]
    if any(index < (-1 if optional else 0) for index in found):
        raise ValueError("negative index of a tensor")
    return [None if index == -1 else tensors[index] for index in found]


def _quantization(table: schema.QuantizationParametersT | None) -> Quantization | None:
    if table is None or table.scale is None or not len(table.scale):
        return None
    scales, axis = list(table.scale), table.quantizedDimension
    zeros = [0] if table.zeroPoint is None else list(table.zeroPoint)
    return Quantization(scales, zeros, None if axis == 0 and len(scales) == 1 else axis)


def _write_tensor(tensor: Tensor) -> None:
    table, scheme = tensor.table, tensor.quantization
    table.buffer = 0 if tensor.buffer is None else tensor.buffer.index
    if scheme is None:
        return
    # Other fields stay, such as the range that the converter saw.
    table.quantization = table.quantization or schema.QuantizationParametersT()
    table.quantization.scale, table.quantization.zeroPoint = scheme.scales, scheme.zero_points
    if scheme.axis is not None:
        table.quantization.quantizedDimension = scheme.axis


def _key(code: schema.OperatorCodeT) -> tuple[int, str | None]:
    name = code.customCode
    return code.builtinCode, name.decode() if isinstance(name, bytes) else name


def _new_code(key: tuple[int, str | None]) -> schema.OperatorCodeT:
    code = schema.OperatorCodeT()
    code.builtinCode, name = key
    if name:
        code.customCode = name
    return code


def _new_buffer(data: bytes) -> schema.BufferT:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(data, np.uint8) if data else []
    return buffer
