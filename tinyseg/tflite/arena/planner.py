"""TFLM's greedy planner, which places buffers in the arena's head.

Source: ``memory_planner/greedy_memory_planner.cc`` in ``tensorflow/lite/micro``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tinyseg.tflite.nodes import Tensor

ALIGNMENT = 16


def align(size: int, alignment: int = ALIGNMENT) -> int:
    """Round up to a multiple of the alignment."""
    return -(-size // alignment) * alignment


@dataclasses.dataclass(frozen=True)
class PlannedBuffer:
    """Bytes that the planner places in the arena's head.

    Attributes:
        size: bytes, a multiple of 16.
        first, last: operators between which it lives, inclusive; ``first`` is -1 for an input of
            the graph, and both are -2 for a tensor that no operator touches.
        tensor: the activation that it holds, None for a scratch buffer.
        operator: index of the operator that asked for a scratch buffer, None for a tensor.
        offset: where the file's own plan wants it, None to leave it to the planner.
    """

    size: int
    first: int
    last: int
    tensor: Tensor | None = None
    operator: int | None = None
    offset: int | None = None

    @property
    def holds(self) -> Tensor:
        """The activation in it; a scratch buffer holds none."""
        if self.tensor is None:
            raise ValueError("a scratch buffer holds no tensor")
        return self.tensor


def plan(buffers: Sequence[PlannedBuffer]) -> tuple[list[int], int]:
    """Place buffers as TFLM's ``GreedyMemoryPlanner`` does, to the byte.

    Buffers with an offset of their own come first, in order. The others follow by falling
    size, of equals the last one first, each into the lowest gap between the buffers alive at
    the same time.

    Returns:
        The offset of each buffer, and the bytes of the whole.
    """
    count = len(buffers)
    fixed = [i for i in range(count) if buffers[i].offset is not None]
    free = [i for i in reversed(range(count)) if buffers[i].offset is None]
    free.sort(key=lambda i: -buffers[i].size)
    offsets = [0] * count
    # What is placed, by rising offset: start, end, first and last use.
    placed = np.empty((4, count), np.int64)
    for done, index in enumerate(fixed + free):
        buffer, rows = buffers[index], placed[:, :done]
        offset = buffer.offset
        if offset is None:
            together = (rows[2] <= buffer.last) & (rows[3] >= buffer.first)
            offset = lowest_gap(rows[0][together], rows[1][together], buffer.size)
        offsets[index] = offset
        place = int(np.searchsorted(rows[0], offset, side="right"))
        placed[:, place + 1 : done + 1] = placed[:, place:done].copy()
        placed[:, place] = offset, offset + buffer.size, buffer.first, buffer.last
    ends = (offset + buffer.size for offset, buffer in zip(offsets, buffers, strict=True))
    return offsets, max(ends, default=0)


def lowest_gap(starts: np.ndarray, ends: np.ndarray, size: int) -> int:
    """Return the lowest offset for a buffer between placed ones, sorted by their starts."""
    if not len(starts):
        return 0
    before = np.maximum.accumulate(np.concatenate(([0], ends)))
    fits = starts - before[:-1] >= size
    return int(before[np.argmax(fits)] if fits.any() else before[-1])


def live_bytes(buffers: Sequence[PlannedBuffer], operators: int) -> list[int]:
    """Return the bytes alive at each operator; no plan needs less than the largest of them."""
    return live_bytes_from_start(buffers, operators)[2:]


def live_bytes_from_start(buffers: Sequence[PlannedBuffer], operators: int) -> list[int]:
    """Return the bytes alive before the graph's inputs, with these, and at each operator."""
    changes = np.zeros(operators + 3, np.int64)
    for buffer in buffers:
        changes[buffer.first + 2] += buffer.size
        changes[buffer.last + 3] -= buffer.size
    return np.cumsum(changes)[:-1].tolist()
