"""The memories of a board that a program's rows may lie in."""

from __future__ import annotations

from typing import NamedTuple

from tinyseg.boards.board import DATA_BYTES, RAM_KINDS, Board

# A program has so many regions at most.
_MOST = 8
_ALIGNMENT = 16


class FreeMemory(NamedTuple):
    """Memory for a program.

    Attributes:
        bytes: that are left for it.
        section: of the linker script.
        memory: name of the board's memory.
    """

    bytes: int
    section: str
    memory: str


def pieces(board: Board, taken: int) -> list[FreeMemory]:
    """Return what is left of a board's memories, that of the tensor arena first, then the largest.

    Args:
        board: whose.
        taken: bytes that the firmware's own buffers take of the arena's memory.

    Returns:
        Pieces; none if those buffers do not fit.
    """
    arena, ram = board.roles["ARENA"], board.roles["RAM"]
    found = []
    for name, region in board.memory.items():
        if region.kind not in RAM_KINDS:
            continue
        left = region.length - (taken if name == arena else 0)
        left -= DATA_BYTES + board.stack if name == ram else 0
        if left < 0 and name == arena:
            return []
        section = ".arena" if name == arena else f".in_{name}"
        outside = region.kind != RAM_KINDS[0]
        left = max(left, 0)
        order = (name != arena, outside, -left)
        found.append((order, FreeMemory(left // _ALIGNMENT * _ALIGNMENT, section, name)))
    chosen = [piece for _, piece in sorted(found, key=lambda item: item[0])]
    return [piece for piece in chosen if piece.bytes > 0][:_MOST] or chosen[:1]
