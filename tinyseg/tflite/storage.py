"""From the schema's tables to tensors and operators, and back.

Both :class:`~tinyseg.tflite.model.TfliteModel` and :class:`~tinyseg.tflite.graph.Graph` are made
of what is read here. What is written keeps every field that nobody here knows.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinyseg.errors import InputError
from tinyseg.tflite import schema
from tinyseg.tflite.nodes import Buffer, Operator, Tensor


@dataclasses.dataclass
class Contents:
    """A file with one graph, or the first graph of several.

    Attributes:
        model: the schema's tables, as read.
        buffers: of the file, in order; the first is empty by convention.
        tensors: in order.
        operators: in execution order.
        inputs, outputs: of the graph.
        metadata: buffers by name.
    """

    model: schema.ModelT
    buffers: list[Buffer]
    tensors: list[Tensor]
    operators: list[Operator]
    inputs: list[Tensor]
    outputs: list[Tensor]
    metadata: dict[str, bytes]


def read(model: schema.ModelT, path: str) -> Contents:
    """Turn a file's tables into tensors and operators.

    Args:
        model: from :func:`tinyseg.tflite.schema.unpack`.
        path: where it came from, for messages.

    Raises:
        InputError: a table refers to what is not there; other damage surfaces as any exception.
    """
    graph = model.subgraphs[0]
    stored = [b"" if buffer.data is None else bytes(buffer.data) for buffer in model.buffers]
    buffers = [Buffer(data) for data in stored or [b""]]
    tensors = [
        _tensor(index, table, _at(buffers, table.buffer, "buffer", path))
        for index, table in enumerate(graph.tensors)
    ]

    def pick(indices: Any) -> list[Tensor]:
        found = [] if indices is None else indices
        return [_at(tensors, int(index), "tensor", path) for index in found]

    def pick_optional(indices: Any) -> list[Tensor | None]:
        """Look up inputs; one that is absent is -1, what is no input never is."""
        found = [] if indices is None else indices
        return [None if i == -1 else _at(tensors, int(i), "tensor", path) for i in found]

    operators = []
    for index, table in enumerate(graph.operators or []):
        if not 0 <= table.opcodeIndex < len(model.operatorCodes):
            raise InputError(f"{path}: operator {index} has no operator code; damaged")
        builtin, custom = _key(model.operatorCodes[table.opcodeIndex])
        operators.append(
            Operator(
                index,
                schema.opcode_name(builtin, custom),
                pick_optional(table.inputs),
                pick(table.outputs),
                table.builtinOptions,
                builtin == schema.CUSTOM,
                _custom_options(table),
                table,
                pick(table.intermediates),
            )
        )
    metadata = {
        schema.text(entry.name): _at(buffers, entry.buffer, "buffer", path).data
        for entry in model.metadata or []
    }
    border = pick(graph.inputs), pick(graph.outputs)
    return Contents(model, buffers, tensors, operators, *border, metadata)


def write(contents: Contents) -> schema.ModelT:
    """Turn tensors and operators into tables, all that nobody uses left out but listed tensors.

    Args:
        contents: as read or edited; it stays as it is. All tensors in use are listed.

    Returns:
        The tables of a file, its signatures not brought up to date.
    """
    index = {id(tensor): number for number, tensor in enumerate(contents.tensors)}
    buffers = _buffers_in_use(contents)
    places = {id(buffer): number for number, buffer in enumerate(buffers)}
    codes = _codes_in_use(contents)
    model, table = copy.copy(contents.model), copy.copy(contents.model.subgraphs[0])
    model.subgraphs = [table]
    model.version = model.version or schema.VERSION
    model.operatorCodes = list(codes.values())
    table.tensors = [_tensor_table(t, places.get(id(t.buffer), 0)) for t in contents.tensors]
    table.operators = [
        _operator_table(operator, list(codes).index(_code_of(operator)), index)
        for operator in contents.operators
    ]
    table.inputs = [index[id(tensor)] for tensor in contents.inputs]
    table.outputs = [index[id(tensor)] for tensor in contents.outputs]
    # The schema's classes pack lists byte by byte: contents go in later, as arrays.
    model.buffers = [_new_buffer(b"") for _ in buffers]
    model.metadata = []
    for name, data in contents.metadata.items():
        entry = schema.MetadataT()
        entry.name, entry.buffer = name, len(model.buffers)
        model.buffers.append(_new_buffer(data))
        model.metadata.append(entry)
    # What is sealed must be another object than what is edited further.
    written = schema.unpack(schema.pack(model))
    for number, buffer in enumerate(buffers):
        if buffer.data:
            written.buffers[number].data = np.frombuffer(buffer.data, np.uint8)
    return written


def _at(things: Sequence[Any], index: int, kind: str, path: str) -> Any:
    if not 0 <= index < len(things):
        raise InputError(f"{path}: refers to {kind} {index} of {len(things)}; damaged")
    return things[index]


def _tensor(index: int, table: schema.TensorT, buffer: Buffer) -> Tensor:
    scheme = table.quantization
    scales, zero_points = (None, None) if scheme is None else (scheme.scale, scheme.zeroPoint)
    return Tensor(
        index,
        schema.text(table.name),
        _shape(table),
        schema.dtype_name(table.type),
        np.asarray([] if scales is None else scales, np.float32),
        np.asarray([] if zero_points is None else zero_points, np.int64),
        0 if scheme is None else scheme.quantizedDimension,
        buffer,
        bool(table.isVariable),
        table,
    )


def _tensor_table(tensor: Tensor, buffer: int) -> schema.TensorT:
    table = copy.copy(tensor.table or schema.TensorT())
    table.buffer = buffer
    if tensor.name != schema.text(table.name):
        table.name = tensor.name
    if tensor.table is None or tensor.shape != _shape(table):
        table.shape = list(tensor.shape)
    table.type = schema.dtype_number(tensor.dtype)
    table.quantization = _quantization_table(tensor, table.quantization)
    return table


def _quantization_table(
    tensor: Tensor, stored: schema.QuantizationParametersT | None
) -> schema.QuantizationParametersT | None:
    scheme = tensor.quantization
    if scheme is None:
        had_scales = stored is not None and stored.scale is not None and len(stored.scale)
        return None if had_scales else stored
    # Other fields stay, such as the range that the converter saw.
    made = copy.copy(stored or schema.QuantizationParametersT())
    made.scale, made.zeroPoint, made.quantizedDimension = scheme
    return made


def _operator_table(operator: Operator, code: int, index: dict[int, int]) -> schema.OperatorT:
    table = copy.copy(operator.table or schema.OperatorT())
    table.opcodeIndex = code
    table.inputs = [-1 if t is None else index[id(t)] for t in operator.inputs]
    table.outputs = [index[id(t)] for t in operator.outputs]
    table.intermediates = [index[id(t)] for t in operator.intermediates] or None
    if operator.custom_options != _custom_options(table):
        table.customOptions = list(operator.custom_options)
    options = operator.options
    stored = operator.table is None or table.builtinOptions is not None
    # Those by default stay as absent as they were.
    if options is None or stored or vars(options) != vars(type(options)()):
        table.builtinOptions = options
        table.builtinOptionsType = schema.options_number(options)
    return table


def _buffers_in_use(contents: Contents) -> list[Buffer]:
    """Return the buffers in use: those of the file in their order, then new ones."""
    used = {id(t.buffer): t.buffer for t in contents.tensors if t.buffer is not None}
    first, *others = contents.buffers
    known = [first, *(buffer for buffer in others if id(buffer) in used)]
    ids = {id(buffer) for buffer in known}
    return [*known, *(buffer for key, buffer in used.items() if key not in ids)]


def _codes_in_use(contents: Contents) -> dict[tuple[int, str], schema.OperatorCodeT]:
    """Return the codes of the operators in the order of their first use."""
    known = {_key(code): code for code in contents.model.operatorCodes or []}
    used: dict[tuple[int, str], schema.OperatorCodeT] = {}
    for operator in contents.operators:
        key = _code_of(operator)
        if key not in used:
            used[key] = _code(key, known.get(key))
    return used


def _code_of(operator: Operator) -> tuple[int, str]:
    if operator.custom:
        return schema.CUSTOM, operator.opcode
    return schema.builtin_number(operator.opcode), ""


def _key(code: schema.OperatorCodeT) -> tuple[int, str]:
    builtin = schema.builtin_of(code)
    return builtin, schema.text(code.customCode) if builtin == schema.CUSTOM else ""


def _code(key: tuple[int, str], stored: schema.OperatorCodeT | None) -> schema.OperatorCodeT:
    code = copy.copy(stored or schema.OperatorCodeT())
    code.builtinCode, name = key
    if name and stored is None:
        code.customCode = name
    return code


def _custom_options(table: schema.OperatorT) -> bytes:
    return b"" if table.customOptions is None else bytes(list(table.customOptions))


def _shape(table: schema.TensorT) -> tuple[int, ...]:
    return () if table.shape is None else tuple(int(size) for size in table.shape)


def _new_buffer(data: bytes) -> schema.BufferT:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(data, np.uint8) if data else []
    return buffer
