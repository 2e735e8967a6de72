"""Edit the numbered tables of a file: what is dropped or moved gives others new numbers."""

from __future__ import annotations

from typing import Any

from tinyseg.tflite import schema


def _index_lists(model: schema.ModelT) -> list[tuple[Any, str]]:
    """Return where tensors of the first subgraph are named: objects and their attributes."""
    graph = model.subgraphs[0]
    lists = [(graph, "inputs"), (graph, "outputs")]
    for operator in graph.operators:
        lists += [(operator, name) for name in ("inputs", "outputs", "intermediates")]
    return [(holder, name) for holder, name in lists if getattr(holder, name) is not None]


def _signature_entries(model: schema.ModelT) -> list[schema.TensorMapT]:
    """Return where signatures name tensors of the first subgraph."""
    signatures = [s for s in model.signatureDefs or [] if s.subgraphIndex == 0]
    return [entry for s in signatures for entry in (*(s.inputs or []), *(s.outputs or []))]


def renumber(model: schema.ModelT, number: dict[int, int]) -> None:
    """Replace tensor numbers; what is no tensor (-1 for an absent one) stays."""
    for holder, name in _index_lists(model):
        old = map(int, getattr(holder, name))
        setattr(holder, name, [number.get(index, index) for index in old])
    for entry in _signature_entries(model):
        entry.tensorIndex = number.get(entry.tensorIndex, entry.tensorIndex)


def drop_tensors(model: schema.ModelT, candidates: set[int]) -> None:
    """Drop those of the tensors that nothing refers to."""
    used = {index for holder, name in _index_lists(model) for index in getattr(holder, name)}
    used |= {entry.tensorIndex for entry in _signature_entries(model)}
    graph = model.subgraphs[0]
    kept = [i for i in range(len(graph.tensors)) if i in used or i not in candidates]
    graph.tensors = [graph.tensors[index] for index in kept]
    renumber(model, {old: new for new, old in enumerate(kept)})


def drop_buffers_and_codes(model: schema.ModelT) -> None:
    """Drop data and operator codes that nothing refers to."""
    graph = model.subgraphs[0]
    holders = [*graph.tensors, *(model.metadata or [])]
    # The first buffer is empty by convention.
    kept = sorted({0} | {holder.buffer for holder in holders})
    model.buffers = [model.buffers[index] for index in kept]
    for holder in holders:
        holder.buffer = kept.index(holder.buffer)
    kept = sorted({operator.opcodeIndex for operator in graph.operators})
    model.operatorCodes = [model.operatorCodes[index] for index in kept]
    for operator in graph.operators:
        operator.opcodeIndex = kept.index(operator.opcodeIndex)
