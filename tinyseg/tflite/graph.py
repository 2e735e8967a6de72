"""Edit a ``.tflite`` file: change operators and tensors, write it again.

Buffers that tensors share stay shared, and fields that nobody here knows stay as they are.
Read-only work is easier on a :class:`~tinyseg.tflite.model.TfliteModel`.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tinyseg.errors import InputError
from tinyseg.tflite import schema, storage
from tinyseg.tflite.annotate import seal
from tinyseg.tflite.model import OFFLINE_PLAN
from tinyseg.tflite.nodes import Buffer, Operator, Quantization, Tensor, new_tensor
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
        operators: in execution order, edited in place; options that the file lacks are those by
            default.
        tensors: the tensors; those of new operators only once they are listed.
        inputs, outputs: of the graph.
        metadata: buffers by name, edited in place; an offline memory plan is dropped.

    Raises:
        InputError: the file is damaged in parts that lint does not look at, or has several graphs.
    """

    def __init__(self, content: bytes, path: str = "model") -> None:
        try:
            self._read(schema.unpack(content), path)
        except InputError:
            raise
        # The schema's classes check little, so damage surfaces as any of these.
        except Exception as error:
            raise InputError(
                f"{path}: damaged ({type(error).__name__}); convert or download it again"
            ) from None
        subgraphs = len(self._contents.model.subgraphs)
        if subgraphs != 1:
            raise InputError(f"{path}: {subgraphs} subgraphs; export a single inference graph")
        if schema.has_empty_union(self._contents.model):
            raise InputError(f"{path}: options or parameters are missing; convert it again")

    def _read(self, model: schema.ModelT, path: str) -> None:
        self._contents = contents = storage.read(model, path)
        self.tensors, self.operators = contents.tensors, contents.operators
        self.inputs, self.outputs = contents.inputs, contents.outputs
        self.metadata = contents.metadata
        # Places of tensors are those of the graph as it was.
        self.metadata.pop(OFFLINE_PLAN, None)
        for operator in self.operators:
            kind = None if operator.custom else named(operator.opcode).options
            if operator.options is None and kind is not None:
                operator.options = schema.new_options(kind)
        self._signatures = [
            (entry, self.tensors[entry.tensorIndex])
            for signature in model.signatureDefs or []
            for entry in (*(signature.inputs or []), *(signature.outputs or []))
        ]

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
        self._contents.model.signatureDefs, self._signatures = None, []
        return self

    def to_bytes(self) -> bytes:
        """Return the file, without tensors and buffers that nothing uses.

        See :func:`~tinyseg.tflite.annotate.seal`.
        """
        self.drop_unused_tensors()
        index = {id(tensor): number for number, tensor in enumerate(self.tensors)}
        for entry, tensor in self._signatures:
            entry.tensorIndex = index.get(id(tensor), entry.tensorIndex)
        edited = dataclasses.replace(
            self._contents,
            tensors=self.tensors,
            operators=self.operators,
            inputs=self.inputs,
            outputs=self.outputs,
            metadata=self.metadata,
        )
        return seal(storage.write(edited))

    def drop_unused_tensors(self) -> None:
        """List the tensors in use, those of new operators included."""
        groups: list[Sequence[Tensor | None]] = [self.inputs, self.outputs]
        for operator in self.operators:
            groups += [operator.inputs, operator.outputs, operator.intermediates]
        used = {id(t): t for group in groups for t in group if t is not None}
        kept = [tensor for tensor in self.tensors if used.pop(id(tensor), None) is not None]
        self.tensors[:] = [*kept, *used.values()]


def make(name: str, inputs: Sequence[Tensor], output: Tensor, **values: Any) -> Operator:
    """Return a new operator.

    Args:
        name: such as ``ADD``.
        inputs: tensors.
        output: tensor.
        values: fields of the schema's options, such as ``padding``; strides, dilation and depth
            multiplier are 1 and others 0 by default.
    """
    kind = named(name).options
    if kind is None:
        raise ValueError(f"{name}: its options are not known here")
    options = schema.new_options(kind)
    for key, value in {
        **{k: v for k, v in _DEFAULTS.items() if hasattr(options, k)},
        **values,
    }.items():
        if not hasattr(options, key):
            raise ValueError(f"{name} has no option {key}")
        setattr(options, key, value)
    return Operator(-1, name, list(inputs), [output], options)


def constant(name: str, values: np.ndarray, quantization: Quantization | None = None) -> Tensor:
    """Return a new constant tensor."""
    values = np.ascontiguousarray(values)
    return new_tensor(name, values.shape, values.dtype.name, quantization, Buffer(values.tobytes()))


def activation(name: str, shape: Sequence[int], like: Tensor) -> Tensor:
    """Return a new activation with type and quantization of another tensor."""
    return new_tensor(name, shape, like.dtype, like.quantization)


def cut_rows(source: Tensor, first: int, last: int, made: list[Operator]) -> Tensor:
    """Return the rows ``first`` to before ``last``; appends the operator that cuts them."""
    shape = (1, last - first, *source.shape[2:])
    output = activation(f"{source.name}/rows_{first}_{last}", shape, source)
    begin = constant(f"{output.name}/begin", np.array([0, first, 0, 0], np.int32))
    size = constant(f"{output.name}/size", np.array(shape, np.int32))
    made.append(make("SLICE", [source, begin, size], output))
    return output


def pad(
    source: Tensor, margin: tuple[tuple[int, int], tuple[int, int]], name: str, made: list[Operator]
) -> Tensor:
    """Return the source with zeros around; appends the operator if there is a margin.

    Args:
        source: an image.
        margin: rows above and below, columns left and right.
        name: of what the zeros are for.
        made: operators so far.
    """
    rows, columns = margin
    if not any((*rows, *columns)):
        return source
    batch, height, width, channels = source.shape
    shape = (batch, height + sum(rows), width + sum(columns), channels)
    label = "".join(str(size) for size in (*rows, *columns))
    padded = activation(f"{name}/padded_{label}", shape, source)
    paddings = constant(
        f"{padded.name}/paddings", np.array([(0, 0), rows, columns, (0, 0)], np.int32)
    )
    made.append(make("PAD", [source, paddings], padded))
    return padded


def is_constant(tensor: Tensor | None) -> bool:
    """Return whether the file holds a tensor's content."""
    return tensor is not None and tensor.constant


def scale_of(tensor: Tensor) -> tuple[float, int]:
    """Return scale and zero point of a tensor quantized as a whole."""
    return float(tensor.scales[0]), int(tensor.zero_points[0]) if tensor.zero_points.size else 0
