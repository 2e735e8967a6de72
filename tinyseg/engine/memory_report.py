"""Which row lives when and where, as plain values for a picture."""

from __future__ import annotations

import dataclasses

from tinyseg.engine.placement import Placement
from tinyseg.engine.schedule import align


@dataclasses.dataclass(frozen=True)
class RowLife:
    """A row in memory.

    Attributes:
        row: its number.
        birth, death: first and last step, both included.
        region, offset: where it lies.
    """

    row: int
    birth: int
    death: int
    region: int
    offset: int


@dataclasses.dataclass(frozen=True)
class NodeMemory:
    """What a node takes of the memory.

    Attributes:
        node: index.
        name: of its tensor.
        op: index of the operator in the file.
        kernel: name; ``INPUT`` of an input.
        copy: how many earlier nodes compute the same tensor; 0 of the first.
        row_bytes: of a row, rounded to 16.
        alive: most rows at once.
        period: entries of its table.
        rows: that are computed.
    """

    node: int
    name: str
    op: int
    kernel: str
    copy: int
    row_bytes: int
    alive: int
    period: int
    rows: tuple[RowLife, ...]


@dataclasses.dataclass(frozen=True)
class MemoryReport:
    """What the memory of a program holds over time.

    Attributes:
        nodes: all but constants.
        live: bytes of rows that must be there, for each step.
        peak, fullest: most of them, and the first step with so many.
        regions: bytes used of each.
        ram: of all regions together.
        state, scratch, tables: bytes of counters, of the kernels' memory, of tables in flash.
        macs: multiply-accumulates of an inference.
    """

    nodes: tuple[NodeMemory, ...]
    live: tuple[int, ...]
    peak: int
    fullest: int
    regions: tuple[int, ...]
    ram: int
    state: int
    scratch: int
    tables: int
    macs: int


def memory_report(placement: Placement) -> MemoryReport:
    """Return what the picture of a placed program shows."""
    schedule = placement.schedule
    nodes: list[NodeMemory] = []
    for index, node in enumerate(schedule.program.nodes):
        if node.constant is None:
            copy = sum((n.name, n.op) == (node.name, node.op) for n in nodes)
            nodes.append(_node(placement, index, copy))
    return MemoryReport(
        tuple(nodes),
        tuple(schedule.live.tolist()),
        schedule.peak,
        int(schedule.live.argmax()) if schedule.steps else 0,
        placement.regions,
        placement.ram,
        placement.state_bytes,
        placement.scratch_bytes,
        placement.table_bytes,
        schedule.macs,
    )


def _node(placement: Placement, index: int, copy: int) -> NodeMemory:
    node, lives = placement.schedule.program.nodes[index], placement.schedule.lives[index]
    births, deaths = lives.births.tolist(), lives.deaths.tolist()
    rows = tuple(
        RowLife(row, births[row], deaths[row], *placement.address(index, row))
        for row in range(lives.computed)
    )
    ends = sorted(deaths[: lives.computed])
    alive, gone = 0, 0
    for row, birth in enumerate(births[: lives.computed]):
        while ends[gone] < birth:
            gone += 1
        alive = max(alive, row + 1 - gone)
    kernel = "INPUT" if node.kernel is None else node.kernel.name
    period = len(placement.slots[index])
    size = align(node.row_bytes)
    return NodeMemory(index, node.name, node.op, kernel, copy, size, alive, period, rows)
