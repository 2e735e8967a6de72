"""What TensorFlow Lite's own metadata say of a file's input.

They are a flatbuffer of their own in the buffer ``TFLITE_METADATA``. Its schema is
``metadata_schema.fbs`` of https://github.com/tensorflow/tflite-support; of it only the way to an
input's normalization is read: model, first subgraph, input tensor, process unit, options.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from flatbuffers import number_types as types
from flatbuffers.table import Table

from tinyseg.errors import InputError
from tinyseg.tflite.model import TfliteModel

NAME = "TFLITE_METADATA"
# Numbers of the fields in the schema's tables, in the order of their declaration.
_MODEL_SUBGRAPHS, _SUBGRAPH_INPUTS, _TENSOR_UNITS = 3, 2, 4
_UNIT_KIND, _UNIT_OPTIONS, _MEAN, _STD = 0, 1, 0, 1
_NORMALIZATION = 1

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Normalization:
    """Input = (pixel 0..255 - mean) / std.

    Attributes:
        mean, std: one value, or one for each channel.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]


def normalization(model: TfliteModel) -> Normalization | None:
    """Return the normalization of a file's first input, None if its metadata state none.

    Raises:
        InputError: the metadata are damaged, or the normalization is impossible.
    """
    stored = model.metadata.get(NAME)
    if not stored:
        return None
    try:
        found = next(_normalizations(stored), None)
    # The readers of flatbuffers do not check offsets, so damage surfaces as any of these.
    except (IndexError, OverflowError, TypeError, ValueError, struct.error):
        raise InputError(f"{model.path}: damaged {NAME}; write the metadata again") from None
    if found is not None and not _possible(found):
        raise InputError(
            f"{model.path}: {NAME} states mean {found.mean} and std {found.std}; "
            "write the metadata again"
        )
    return found


def _normalizations(stored: bytes) -> Iterator[Normalization]:
    root = Table(stored, _number(stored, 0))
    for graph in _tables(root, _MODEL_SUBGRAPHS)[:1]:
        for tensor in _tables(graph, _SUBGRAPH_INPUTS)[:1]:
            for unit in _tables(tensor, _TENSOR_UNITS):
                options = _table(unit, _UNIT_OPTIONS)
                if _byte(unit, _UNIT_KIND) == _NORMALIZATION and options is not None:
                    yield Normalization(_floats(options, _MEAN), _floats(options, _STD))


def _possible(found: Normalization) -> bool:
    values = np.array([*found.mean, *found.std])
    positive = all(value > 0 for value in found.std)
    return bool(found.mean and found.std and positive and np.isfinite(values).all())


def _number(stored: bytes, place: int) -> int:
    return int(struct.unpack_from("<I", stored, place)[0])


def _place(table: Table, field: int) -> int:
    """Return where a field's value lies, 0 if the table has none."""
    offset = table.Offset(4 + 2 * field)
    return int(offset + table.Pos) if offset else 0


def _byte(table: Table, field: int) -> int:
    place = _place(table, field)
    return int(table.Get(types.Uint8Flags, place)) if place else 0


def _table(table: Table, field: int) -> Table | None:
    place = _place(table, field)
    return Table(table.Bytes, table.Indirect(place)) if place else None


def _tables(table: Table, field: int) -> list[Table]:
    def read(place: int) -> Table:
        return Table(table.Bytes, table.Indirect(place))

    return _vector(table, field, read)


def _floats(table: Table, field: int) -> tuple[float, ...]:
    return tuple(_vector(table, field, lambda p: float(table.Get(types.Float32Flags, p))))


def _vector(table: Table, field: int, read: Callable[[int], T]) -> list[T]:
    place = _place(table, field)
    if not place:
        return []
    start = place + _number(table.Bytes, place)
    length = _number(table.Bytes, start)
    if start + 4 + 4 * length > len(table.Bytes):
        raise IndexError("a vector beyond the end")
    return [read(start + 4 + 4 * row) for row in range(length)]
