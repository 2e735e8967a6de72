"""A placed program as the bytes that the runtime reads: ``firmware/engine/program.h``."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable

from tinyseg.engine.placement import Placement
from tinyseg.engine.program import Data, Node, Program
from tinyseg.errors import InputError

MAGIC, VERSION, MOST_REGIONS = 0x31455354, 1, 8
_CONSTANT, _INPUT, _OUTPUT = 1, 2, 4
_HEADER = struct.Struct(f"<4I4H3I{2 * MOST_REGIONS}I4I")
_NODE = struct.Struct("<BBHIIIHHHHII")
_LINK = struct.Struct("<HHIii")
# Bytes of magic, version, size and checksum, which the checksum leaves out.
_UNCHECKED = 16


def pack(program: Program, placement: Placement) -> bytes:
    """Return a program as bytes; the same for the same program and placement.

    Raises:
        InputError: it holds numbers that the format does not.
    """
    content = _Content(_HEADER.size + _NODE.size * len(program.nodes))
    try:
        nodes = b"".join(
            _node(program, index, placement, content) for index in range(len(program.nodes))
        )
        outputs = content.add(struct.pack(f"<{len(program.outputs)}H", *program.outputs))
        rest = content.bytes()
        size = _HEADER.size + len(nodes) + len(rest)
        header = _HEADER.pack(
            *(MAGIC, VERSION, size, 0),
            *(len(program.nodes), len(placement.regions)),
            *(program.inputs, len(program.outputs)),
            *(_HEADER.size, outputs, placement.unit),
            *_padded(placement.regions),
            *_padded(placement.starts),
            *(placement.scratch, placement.scratch_bytes),
            *(placement.state, placement.state_bytes),
        )
    except struct.error:
        raise InputError(
            f"{program.path}: is too large for the engine's numbers; take --engine tflm"
        ) from None
    packed = bytearray(header + nodes + rest)
    packed[12:16] = struct.pack("<I", zlib.crc32(packed[_UNCHECKED:]))
    return bytes(packed)


class _Content:
    """Bytes behind the nodes; equal ones lie there once."""

    def __init__(self, start: int) -> None:
        self._start, self._size = start, 0
        self._parts: list[bytes] = []
        self._found: dict[bytes, int] = {}

    def add(self, part: bytes) -> int:
        """Store bytes, and return their offset in the program."""
        if part not in self._found:
            self._found[part] = self._start + self._size
            padded = part + bytes(-len(part) % 4)
            self._parts.append(padded)
            self._size += len(padded)
        return self._found[part]

    def bytes(self) -> bytes:
        """Return all of them."""
        return b"".join(self._parts)


def _node(program: Program, index: int, placement: Placement, content: _Content) -> bytes:
    node = program.nodes[index]
    links = b"".join(
        _LINK.pack(link.source, link.need.divisor, link.need.step, link.need.low, link.need.high)
        for link in node.links
    )
    flags = _INPUT * (index < program.inputs) + _OUTPUT * (index in program.outputs)
    if node.constant is not None:
        flags, slots, period = _CONSTANT, content.add(node.constant), node.rows
    else:
        table = placement.slots[index]
        slots, period = content.add(struct.pack(f"<{len(table)}H", *table)), len(table)
    return _NODE.pack(
        *(node.kernel or 0, flags, len(node.links)),
        *(content.add(links), content.add(_params(node, content)), slots),
        *(period, node.rows, node.width, node.op),
        *(node.channels, node.row_bytes),
    )


def _params(node: Node, content: _Content) -> bytes:
    words = (content.add(p.content) if isinstance(p, Data) else p for p in node.params)
    return b"".join(struct.pack("<i", word) for word in words)


def _padded(numbers: Iterable[int]) -> list[int]:
    found = list(numbers)
    return found + [0] * (MOST_REGIONS - len(found))
