"""Read a ``.tflite`` file into plain objects."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from tinyseg.errors import InputError
from tinyseg.tflite import schema

METADATA_NAME = "tinyseg"
# Hex digits of the checksum in the plan.
CHECKSUM_LENGTH = 64
# Where TFLM finds places of tensors in the arena.
OFFLINE_PLAN = "OfflineMemoryAllocation"


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A tensor of the graph.

    Attributes:
        index: position in the subgraph.
        name: as stored.
        shape: dimensions; empty for a scalar.
        dtype: NumPy type name.
        scales, zero_points: float32 and int64 arrays, empty if not quantized; one entry per
            tensor or per channel along ``axis``.
        axis: quantized dimension.
        data: constant content, None for an activation.
        variable: whether kernels keep state in it from one inference to the next.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: np.ndarray
    zero_points: np.ndarray
    axis: int
    data: bytes | None
    variable: bool = False

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

    def array(self) -> np.ndarray:
        """Return constant content with shape and dtype."""
        return np.frombuffer(self.data, self.dtype).reshape(self.shape)


@dataclasses.dataclass(frozen=True)
class Operator:
    """An operator of the graph.

    Attributes:
        index: position in execution order.
        opcode: builtin name such as ``CONV_2D``, or a custom operator's own name.
        inputs: tensors, None where an optional one is absent.
        outputs: tensors.
        options: the schema's options object, None if there are none.
        custom: whether it is a custom operator.
        custom_options: bytes that a custom operator stores.
    """

    index: int
    opcode: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: Any
    custom: bool
    custom_options: bytes = b""


@dataclasses.dataclass(frozen=True)
class TfliteModel:
    """A parsed file.

    Attributes:
        path: where it came from, for messages.
        content: the bytes.
        version: schema version, 3 in every known file.
        description: free text.
        tensors, operators, inputs, outputs: of the first subgraph.
        subgraphs: number of subgraphs.
        metadata: buffers by name.
    """

    path: str
    content: bytes
    version: int
    description: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    subgraphs: int
    metadata: dict[str, bytes]

    @classmethod
    def read(cls, path: str | Path) -> TfliteModel:
        """Read and parse a file.

        Raises:
            InputError: missing, truncated, or not a TensorFlow Lite model.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from None
        return cls.parse(content, str(path))

    @classmethod
    def parse(cls, content: bytes, path: str = "model") -> TfliteModel:
        """Parse the bytes of a file; ``path`` is used in messages.

        Raises:
            InputError: truncated, damaged, or not a TensorFlow Lite model.
        """
        if len(content) < 8 or content[4:8] != schema.IDENTIFIER:
            raise InputError(f"{path}: not a .tflite file (no TFL3 identifier); convert it again")
        try:
            return _parse(content, path)
        except InputError:
            raise
        # The generated readers do not check offsets, so damage surfaces as any of these.
        except Exception as error:
            raise InputError(
                f"{path}: damaged or truncated flatbuffer ({type(error).__name__}); "
                "convert or download it again"
            ) from None

    @functools.cached_property
    def plan(self) -> dict[str, Any]:
        """Pre- and post-processing that tinyseg stored in the file, empty in others' files."""
        return read_plan(self.metadata.get(METADATA_NAME, b""))

    def sha256(self) -> str:
        """Return the SHA-256 of the whole file, in hex digits."""
        return hashlib.sha256(self.content).hexdigest()

    def checksum(self) -> str:
        """Return a SHA-256 over graph, quantization and constants; names and metadata are out."""
        digest = hashlib.sha256()
        for tensor in self.tensors:
            digest.update(repr((tensor.shape, tensor.dtype, tensor.axis)).encode())
            digest.update(tensor.scales.tobytes() + tensor.zero_points.tobytes())
            digest.update(tensor.data or b"")
        for operator in self.operators:
            tensors = (operator.inputs, operator.outputs)
            indices = [[None if t is None else t.index for t in group] for group in tensors]
            options = vars(operator.options) if operator.options else {}
            scalars = {k: v for k, v in sorted(options.items()) if np.isscalar(v)}
            digest.update(repr((operator.opcode, indices, scalars)).encode())
        border = [[tensor.index for tensor in group] for group in (self.inputs, self.outputs)]
        digest.update(repr(border).encode())
        return digest.hexdigest()

    @property
    def opcodes(self) -> list[str]:
        """Operator names in execution order."""
        return [operator.opcode for operator in self.operators]


def read_plan(stored: bytes) -> dict[str, Any]:
    """Return the plan in a file's metadata, empty if there is none."""
    try:
        plan = json.loads(stored)
    except ValueError:
        return {}
    return plan if isinstance(plan, dict) else {}


def layer_of(tensor_name: str) -> str:
    """Return the Keras layer name in a tensor name such as ``model/layer/Relu;model/...``."""
    parts = tensor_name.split(";")[0].split("/")
    return parts[1] if len(parts) > 1 else parts[0]


def _parse(content: bytes, path: str) -> TfliteModel:
    model = schema.unpack(content)
    if model.version != schema.VERSION:
        raise InputError(
            f"{path}: schema version {model.version}, expected {schema.VERSION}; convert it again"
        )
    if not model.subgraphs:
        raise InputError(f"{path}: holds no graph; convert it again")
    graph = model.subgraphs[0]
    tensors = tuple(
        _tensor(index, tensor, model.buffers, path) for index, tensor in enumerate(graph.tensors)
    )

    def pick(indices: Any, lowest: int = 0) -> tuple[Tensor | None, ...]:
        """Look up tensors; an optional input is -1 where it is absent, an output never is."""
        if indices is None:
            return ()
        for index in indices:
            if not lowest <= index < len(tensors):
                raise InputError(f"{path}: refers to tensor {index} of {len(tensors)}; damaged")
        return tuple(None if index == -1 else tensors[index] for index in indices)

    operators = []
    for index, operator in enumerate(graph.operators or []):
        if not 0 <= operator.opcodeIndex < len(model.operatorCodes):
            raise InputError(f"{path}: operator {index} has no operator code; damaged")
        code = model.operatorCodes[operator.opcodeIndex]
        builtin = schema.builtin_of(code)
        custom = builtin == schema.CUSTOM
        name = schema.opcode_name(builtin, schema.text(code.customCode))
        operators.append(
            Operator(
                index,
                name,
                pick(operator.inputs, -1),
                pick(operator.outputs),
                operator.builtinOptions,
                custom,
                bytes([] if operator.customOptions is None else list(operator.customOptions)),
            )
        )
    metadata = {
        schema.text(entry.name): bytes(_buffer(model.buffers, entry.buffer, path) or b"")
        for entry in model.metadata or []
    }
    return TfliteModel(
        path,
        content,
        model.version,
        schema.text(model.description),
        tensors,
        tuple(operators),
        pick(graph.inputs),
        pick(graph.outputs),
        len(model.subgraphs),
        metadata,
    )


def _tensor(index: int, tensor: Any, buffers: list, path: str) -> Tensor:
    quantization = tensor.quantization
    scales = zero_points = None
    if quantization is not None:
        scales, zero_points = quantization.scale, quantization.zeroPoint
    data = _buffer(buffers, tensor.buffer, path)
    return Tensor(
        index,
        schema.text(tensor.name),
        tuple(int(size) for size in tensor.shape) if tensor.shape is not None else (),
        schema.dtype_name(tensor.type),
        np.asarray([] if scales is None else scales, np.float32),
        np.asarray([] if zero_points is None else zero_points, np.int64),
        quantization.quantizedDimension if quantization is not None else 0,
        data,
        bool(tensor.isVariable),
    )


def _buffer(buffers: list, index: int, path: str) -> bytes | None:
    if not 0 <= index < len(buffers):
        raise InputError(f"{path}: refers to buffer {index} of {len(buffers)}; damaged")
    data = buffers[index].data
    return bytes(data) if data is not None and len(data) else None
