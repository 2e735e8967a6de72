"""Place tensors in the arena better than TFLM's planner does, and store the places in the file.

Elementwise operators may write over what they read: both tensors are then placed as one.
TFLM takes offsets from the metadata ``OfflineMemoryAllocation``
(``tensorflow/lite/micro/docs/memory_management.md``); scratch buffers, whose sizes depend on
the kernels, it still places itself. Interpreters that do not know the metadata ignore it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tinyseg.tflite.arena.memory import buffers, predict_arena
from tinyseg.tflite.arena.planner import PlannedBuffer, live_bytes, lowest_gap, plan
from tinyseg.tflite.graph import Graph
from tinyseg.tflite.model import OFFLINE_PLAN, TfliteModel
from tinyseg.tflite.ops.registry import op_of

# Trials without success after which the search ends.
_PATIENCE = 30
_ONLINE = -1


def place(content: bytes) -> bytes:
    """Store offsets of all tensors if that makes the arena smaller; exact.

    Args:
        content: bytes of a ``.tflite`` file.

    Returns:
        The bytes of the file with an offline plan, or without one if TFLM's own is as good.
    """
    model = TfliteModel.parse(content)
    groups = _share_places(model)
    offsets, size = best_offsets([_union(group) for group in groups], len(model.operators))
    graph = Graph(content)
    if size >= plan(_to_place(model))[1]:
        return graph.to_bytes() if OFFLINE_PLAN in model.metadata else content
    places = {
        buffer.holds.index: offset
        for group, offset in zip(groups, offsets, strict=True)
        for buffer in group
    }
    # Tensors that nothing uses are not written, so the others get other numbers.
    place_of = {id(tensor): places.get(n, _ONLINE) for n, tensor in enumerate(graph.tensors)}
    graph.drop_unused_tensors()
    words = [place_of[id(tensor)] for tensor in graph.tensors]
    graph.metadata[OFFLINE_PLAN] = np.array([1, 0, len(words), *words], "<i4").tobytes()
    return graph.to_bytes()


def least_arena(model: TfliteModel, target: str = "host") -> int:
    """Return the bytes of arena that a file takes if places are as good as can be.

    Args:
        model: without places of its own.
        target: as for :func:`tinyseg.tflite.arena.memory.predict_arena`.
    """
    memory = predict_arena(model, target)
    scratch = [buffer for buffer in memory.buffers if buffer.tensor is None]
    together = [_union(group) for group in _share_places(model)]
    head = max(live_bytes([*together, *scratch], len(model.operators)))
    return max(head + memory.tail, memory.setup)


def _to_place(model: TfliteModel) -> list[PlannedBuffer]:
    """Return the tensors in the order of the file, which is what TFLM's planner goes by in ties."""
    found = [buffer for buffer in buffers(model) if buffer.tensor is not None]
    return [dataclasses.replace(buffer, offset=None) for buffer in found]


def _share_places(model: TfliteModel) -> list[list[PlannedBuffer]]:
    """Return the tensors to place, those together that operators compute in place."""
    groups = {buffer.holds.index: [buffer] for buffer in _to_place(model)}
    last = {index: group[0].last for index, group in groups.items()}
    border = {tensor.index for tensor in (*model.inputs, *model.outputs)}
    for operator in model.operators:
        if not op_of(operator).in_place:
            continue
        target = operator.outputs[0]
        for source in operator.inputs:
            if source is None or source.index in border:
                continue
            if source.index not in groups or target.index not in groups:
                continue
            same = (source.shape, source.dtype) == (target.shape, target.dtype)
            if same and last[source.index] == operator.index:
                merged = [*groups[source.index], *groups[target.index]]
                for buffer in merged:
                    groups[buffer.holds.index] = merged
                break
    unique = {id(group): group for group in groups.values()}
    return list(unique.values())


def _union(group: list[PlannedBuffer]) -> PlannedBuffer:
    """Return a buffer that lives as long as a group, of tensors of one size, the first first."""
    return dataclasses.replace(group[0], last=max(buffer.last for buffer in group))


def best_offsets(placed: Sequence[PlannedBuffer], operators: int) -> tuple[list[int], int]:
    """Search an order in which first fit needs little memory.

    Long-lived buffers go first. Then, again and again, buffers that end too high are placed
    earlier ("squeaky wheel" optimization: Joslin and Clements, JAIR 10, 1999).

    Args:
        placed: buffers without an offset of their own.
        operators: number of operators of the graph.

    Returns:
        Offsets, and the bytes of the whole.
    """
    bound = max(live_bytes(placed, operators))
    sizes = np.array([buffer.size for buffer in placed])
    spans = np.array([buffer.last - buffer.first for buffer in placed])
    ranks = np.empty(len(placed))
    ranks[np.lexsort((-sizes, -spans))] = np.arange(len(placed))
    random = np.random.default_rng(0)
    best: list[int] = []
    least, since = -1, 0
    while since < _PATIENCE:
        offsets = _first_fit(placed, np.argsort(ranks, kind="stable"))
        size = int((offsets + sizes).max())
        if least < 0 or size < least:
            best, least, since = offsets.tolist(), size, 0
        if least == bound:
            break
        since += 1
        high = np.flatnonzero(offsets + sizes > max(bound, 0.98 * least))
        ranks[high] = ranks[high] * random.uniform(0.2, 0.9, len(high)) - 1
    return best, least


def _first_fit(placed: Sequence[PlannedBuffer], order: np.ndarray) -> np.ndarray:
    """Place buffers one after the other, each into the lowest gap."""
    offsets = np.zeros(len(placed), np.int64)
    starts, ends, first, last = np.empty((4, len(placed)), np.int64)
    for done, index in enumerate(order):
        buffer = placed[index]
        together = (first[:done] <= buffer.last) & (last[:done] >= buffer.first)
        begin, end = starts[:done][together], ends[:done][together]
        rising = np.argsort(begin, kind="stable")
        offset = lowest_gap(begin[rising], end[rising], buffer.size)
        offsets[index] = starts[done] = offset
        ends[done] = offset + buffer.size
        first[done], last[done] = buffer.first, buffer.last
    return offsets
