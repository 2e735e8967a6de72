"""Edit a ``.tflite`` file: change operators and tensors, write it again.

Operators and tensors are those of TFLM's own model editor; buffers that tensors share stay
shared, and fields that nobody here knows stay as they are. Read-only work is easier on a
:class:`~tinyseg.tflite.model.TfliteModel`.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
from tflite_micro.tensorflow.lite.micro.compression import model_editor
from tflite_micro.tensorflow.lite.micro.compression.model_editor import (
    Operator,
    Quantization,
    Tensor,
)
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tinyseg.errors import InputError
from tinyseg.tflite.annotate import has_empty_union, seal
from tinyseg.tflite.model import OFFLINE_PLAN, opcode_name
from tinyseg.tflite.ops.registry import named

# Where the schema's own default, zero, is no use.
_DEFAULTS = {
    name: 1
    for name in ("strideH", "strideW", "dilationHFactor", "dilationWFactor", "depthMultiplier")
}
_TYPES = {
    np.dtype(name): getattr(schema.TensorType, name.upper())
    for name in ("int8", "int16", "int32", "int64", "float32")
}


class Graph:
    """An editable copy of a file with one graph.

    Args:
        content: bytes of a ``.tflite`` file that lint finds usable.
        path: where it came from, for messages.

    Attributes:
        operators: in execution order, edited in place.
        inputs, outputs: of the graph.

    Raises:
        InputError: the file is damaged in parts that lint does not look at.
    """

    def __init__(self, content: bytes, path: str = "model") -> None:
        try:
            self._editor = model_editor.read(content)
            for tensor in self._editor.subgraphs[0].tensors:
                _ = tensor.name  # Decoded only now.
        # The editor checks little, so damage surfaces as any of these.
        except Exception as error:
            raise InputError(
                f"{path}: damaged ({type(error).__name__}); convert or download it again"
            ) from None
        if has_empty_union(self._editor._fb):
            raise InputError(f"{path}: options or parameters are missing; convert it again")
        for code in self._editor.operator_codes:
            # Older converters only wrote the field of one byte.
            code.builtin_code = max(code.builtin_code, code._fb.deprecatedBuiltinCode)
        # Places of tensors are those of the graph as it was.
        self.metadata.pop(OFFLINE_PLAN, None)
        self._graph = self._editor.subgraphs[0]
        self.operators: list[Operator] = self._graph.operators
        for operator in self.operators:
            operator.opcode = self._editor.operator_codes[operator._fb.opcodeIndex].builtin_code
        self.inputs: list[Tensor] = self._graph.inputs
        self.outputs: list[Tensor] = self._graph.outputs
        self._signatures = [
            (entry, self._graph.tensors[entry.tensorIndex])
            for signature in self._editor._fb.signatureDefs or []
            for entry in (*(signature.inputs or []), *(signature.outputs or []))
        ]

    @property
    def metadata(self) -> dict[str, bytes]:
        """Buffers by name, edited in place; an offline memory plan is dropped."""
        return self._editor.metadata

    @property
    def tensors(self) -> list[Tensor]:
        """The tensors; those of new operators only once they are listed."""
        return self._graph.tensors

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
        self._editor._fb.signatureDefs, self._signatures = None, []
        return self

    def to_bytes(self) -> bytes:
        """Return the file, without tensors and buffers that nothing uses; see :func:`seal`."""
        self.drop_unused_tensors()
        for index, tensor in enumerate(self.tensors):
            tensor._index = index
        for entry, tensor in self._signatures:
            entry.tensorIndex = tensor._index
        model_editor.prune_buffers(self._editor)
        # The schema's classes pack lists byte by byte: contents go in later, as arrays.
        buffers = {id(buffer): buffer for buffer in self._editor.buffers}
        buffers |= {id(tensor.buffer): tensor.buffer for tensor in self.tensors if tensor.buffer}
        contents = [(buffer, buffer.data) for buffer in buffers.values()]
        for buffer, _ in contents:
            buffer.data = b""
        try:
            model = schema.ModelT.InitFromPackedBuf(bytes(self._editor.build()), 0)
        finally:
            for buffer, data in contents:
                buffer.data = data
        for buffer, data in contents:
            if data:
                model.buffers[buffer.index].data = np.frombuffer(data, np.uint8)
        return seal(model)

    def drop_unused_tensors(self) -> None:
        """List the tensors in use, those of new operators included."""
        groups = [self.inputs, self.outputs]
        groups += [group for op in self.operators for group in (op.inputs, op.outputs)]
        used = {id(t): t for group in groups for t in group if t is not None}
        kept = [tensor for tensor in self.tensors if used.pop(id(tensor), None) is not None]
        self._graph.tensors[:] = [*kept, *used.values()]


def opcode(operator: Operator) -> str:
    """Return an operator's name as in :class:`~tinyseg.tflite.model.Operator`."""
    return opcode_name(operator.opcode, operator.custom_code)


def options(operator: Operator) -> Any:
    """Return the schema's options of an operator, those by default if the file has none."""
    kind = named(opcode(operator)).options
    if operator._fb.builtinOptions is None and kind is not None:
        return getattr(schema, f"{kind}T")()
    return operator._fb.builtinOptions


def make(name: str, inputs: list[Tensor], output: Tensor, **values: Any) -> Operator:
    """Return a new operator.

    Args:
        name: such as ``CONV_2D``.
        inputs: tensors.
        output: tensor.
        values: fields of the schema's options, such as ``padding``; strides, dilation and depth
            multiplier are 1 and others 0 by default.
    """
    operator = Operator(
        opcode=getattr(schema.BuiltinOperator, name), inputs=inputs, outputs=[output]
    )
    kind = named(name).options
    made = getattr(schema, f"{kind}T")()
    for key, value in {
        **{k: v for k, v in _DEFAULTS.items() if hasattr(made, k)},
        **values,
    }.items():
        if not hasattr(made, key):
            raise ValueError(f"{name} has no option {key}")
        setattr(made, key, value)
    operator._fb.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
    operator._fb.builtinOptions = made
    return operator


def clone(operator: Operator, inputs: list[Tensor | None], output: Tensor) -> Operator:
    """Return a copy of an operator, with its options, for other tensors."""
    copied = copy.copy(operator)
    copied._fb = copy.copy(operator._fb)
    copied._fb.builtinOptions = copy.copy(options(operator))
    copied.inputs, copied.outputs = inputs, [output]
    return copied


def constant(name: str, values: np.ndarray, quantization: Quantization | None = None) -> Tensor:
    """Return a new constant tensor."""
    values = np.ascontiguousarray(values)
    return Tensor(
        shape=values.shape,
        dtype=_TYPES[values.dtype],
        data=values,
        quantization=quantization,
        name=name,
    )


def activation(name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Return a new activation with type and quantization of another tensor."""
    return Tensor(shape=shape, dtype=like.dtype, quantization=like.quantization, name=name)


def is_constant(tensor: Tensor | None) -> bool:
    """Tell whether the file holds a tensor's content."""
    return tensor is not None and tensor.buffer is not None and len(tensor.buffer.data) > 0


def scale_of(tensor: Tensor) -> tuple[float, int]:
    """Return scale and zero point of a tensor quantized as a whole."""
    return float(tensor.quantization.scales[0]), int(tensor.quantization.zero_points[0])
