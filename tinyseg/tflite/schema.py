"""The schema of ``.tflite`` files: the only place that reads and writes raw flatbuffers.

The classes are those that ship with TensorFlow Lite Micro's own Python package, so the reader
knows exactly the operators that its interpreter may know. ``storage.py`` turns the tables into
tensors and operators and back; other modules take enumerations from here, and nobody else imports
the schema.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import flatbuffers
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as raw
from tflite_micro.tensorflow.lite.micro.python.schema_py_generated import (
    ActivationFunctionType,
    BufferT,
    MetadataT,
    ModelT,
    OperatorCodeT,
    OperatorT,
    Padding,
    QuantizationParametersT,
    SignatureDefT,
    TensorMapT,
    TensorT,
    TensorType,
)
from tflite_micro.tensorflow.lite.micro.tools import tflite_flatbuffer_align_wrapper

# The schema's classes that others take from here.
__all__ = [
    "ActivationFunctionType",
    "BufferT",
    "MetadataT",
    "ModelT",
    "OperatorCodeT",
    "OperatorT",
    "Padding",
    "QuantizationParametersT",
    "SignatureDefT",
    "TensorMapT",
    "TensorT",
    "TensorType",
]

IDENTIFIER = b"TFL3"
VERSION = 3
CUSTOM = raw.BuiltinOperator.CUSTOM
# Element types by number, as NumPy names them where it has them.
DTYPES = {
    raw.TensorType.FLOAT32: "float32",
    raw.TensorType.FLOAT16: "float16",
    raw.TensorType.INT32: "int32",
    raw.TensorType.UINT8: "uint8",
    raw.TensorType.INT64: "int64",
    raw.TensorType.STRING: "string",
    raw.TensorType.BOOL: "bool",
    raw.TensorType.INT16: "int16",
    raw.TensorType.INT8: "int8",
    raw.TensorType.INT4: "int4",
    raw.TensorType.UINT16: "uint16",
    raw.TensorType.UINT32: "uint32",
    raw.TensorType.UINT64: "uint64",
    raw.TensorType.FLOAT64: "float64",
    raw.TensorType.COMPLEX64: "complex64",
    raw.TensorType.RESOURCE: "resource",
}
_NUMBERS = {name: number for number, name in DTYPES.items()}
_BUILTINS = {name: value for name, value in vars(raw.BuiltinOperator).items() if name.isupper()}
_OPCODES = {number: name for name, number in _BUILTINS.items()}


def unpack(content: bytes) -> ModelT:
    """Return a file's tables as objects; damage surfaces as any exception."""
    return raw.ModelT.InitFromObj(raw.Model.GetRootAsModel(content, 0))


def pack(model: ModelT) -> bytes:
    """Return the bytes of a file, buffers not aligned."""
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def pack_aligned(model: ModelT) -> bytes:
    """Return the bytes of a file, buffers aligned to 16 bytes.

    flatbuffers' Python packer ignores ``force_align``; TFLM's own tool repairs that.
    """
    with tempfile.TemporaryDirectory() as folder:
        packed, aligned = Path(folder, "packed.tflite"), Path(folder, "aligned.tflite")
        packed.write_bytes(pack(model))
        tflite_flatbuffer_align_wrapper.align_tflite_model(str(packed), str(aligned))
        return aligned.read_bytes()


def has_empty_union(part: Any) -> bool:
    """Return whether a union has a type and no value, which makes TFLM's alignment tool crash.

    Args:
        part: a model that is to be written, or any part of one.
    """
    if isinstance(part, list):
        return any(map(has_empty_union, part))
    fields = getattr(part, "__dict__", {})
    unions = [name for name in fields if f"{name}Type" in fields]
    empty = any(fields[f"{name}Type"] and fields[name] is None for name in unions)
    return empty or any(map(has_empty_union, fields.values()))


def dtype_name(number: int) -> str:
    """Return the name of an element type, ``type_99`` and the like for unknown ones."""
    return DTYPES.get(number, f"type_{number}")


def dtype_number(name: str) -> int:
    """Return the number of an element type; the reverse of :func:`dtype_name`."""
    return _NUMBERS[name] if name in _NUMBERS else int(name.removeprefix("type_"))


def builtin_of(code: OperatorCodeT) -> int:
    """Return the number of an operator code; older converters only wrote the field of one byte."""
    return max(code.builtinCode, code.deprecatedBuiltinCode)


def opcode_name(builtin: int, custom: str | None) -> str:
    """Return ``ADD`` and the like for an operator code, a custom operator's own name."""
    if builtin == CUSTOM:
        return custom or ""
    return _OPCODES.get(builtin, f"BUILTIN_{builtin}")


def builtin_number(name: str) -> int:
    """Return the number of a builtin operator; the reverse of :func:`opcode_name`."""
    if name in _BUILTINS:
        return _BUILTINS[name]
    return int(name.removeprefix("BUILTIN_"))


def new_options(table: str) -> Any:
    """Return options of a table, such as ``Conv2DOptions``, as the schema has them by default."""
    return getattr(raw, f"{table}T")()


def options_number(options: Any) -> int:
    """Return the number of an operator's options in the union that holds them; 0 for None."""
    if options is None:
        return raw.BuiltinOptions.NONE
    return getattr(raw.BuiltinOptions, type(options).__name__.removesuffix("T"))


def text(value: bytes | str | None) -> str:
    """Return a string of the schema; what is no UTF-8 is replaced."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value or ""
