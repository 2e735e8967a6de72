"""Read a ``.tflite`` file; to edit one, see :class:`~tinyseg.tflite.graph.Graph`."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from tinyseg.errors import InputError
from tinyseg.tflite import schema, storage
from tinyseg.tflite.nodes import Operator, Tensor

METADATA_NAME = "tinyseg"
# Hex digits of the checksum in the plan.
CHECKSUM_LENGTH = 64
# Where TFLM finds places of tensors in the arena.
OFFLINE_PLAN = "OfflineMemoryAllocation"


@dataclasses.dataclass(frozen=True)
class TfliteModel:
    """A parsed file; its tensors and operators are read, never edited.

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


def _parse(content: bytes, path: str) -> TfliteModel:
    model = schema.unpack(content)
    if model.version != schema.VERSION:
        raise InputError(
            f"{path}: schema version {model.version}, expected {schema.VERSION}; convert it again"
        )
    if not model.subgraphs:
        raise InputError(f"{path}: holds no graph; convert it again")
    contents = storage.read(model, path)
    return TfliteModel(
        path,
        content,
        model.version,
        schema.text(model.description),
        tuple(contents.tensors),
        tuple(contents.operators),
        tuple(contents.inputs),
        tuple(contents.outputs),
        len(model.subgraphs),
        contents.metadata,
    )
