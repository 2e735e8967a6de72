"""Where each row of a program lies in memory, decided before it runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from tinyseg.engine.periods import ENTRY, Search, Trial, supplies
from tinyseg.engine.program import Data, Program
from tinyseg.engine.schedule import ALIGNMENT, Schedule, align
from tinyseg.errors import InputError

# Numbers of slots have 16 bits.
_NUMBERS = 1 << 16
# Tables may take this share of the weights' bytes, and as much anyway, as long as all fits.
_TABLE_SHARE = 0.02
_TABLE_BYTES = 2048
_UNLIMITED = 1 << 40
_EFFORT = 150_000


class DoesNotFitError(InputError):
    """A program needs more memory than there is.

    Args:
        path: of the file.
        needed: bytes.
        sizes: bytes of each memory.
        work: multiply-accumulates with which it needs so much, times those of the file; None where
            no others were tried.

    Attributes:
        needs: what it needs and what is there, for people.
    """

    def __init__(
        self, path: str, needed: int, sizes: Sequence[int], work: float | None = None
    ) -> None:
        pieces = f" in {len(sizes)} pieces" if len(sizes) > 1 else ""
        times = "" if work is None else f" at {work:.2f} times the work"
        there = f"{sum(sizes):,} are there{pieces}"
        self.needs = f"needs {needed:,} bytes of memory{times}, {there}"
        cure = "allow more work with --max-work, or take a smaller network"
        super().__init__(f"{path}: {self.needs}; {cure}")


@dataclasses.dataclass(frozen=True)
class Placement:
    """Places of all rows.

    The regions follow one another in a space counted in units. Row r of a node lies at unit
    ``slots[node][r % len(slots[node])]``; a row never lies in two regions.

    Attributes:
        schedule: of what.
        unit: bytes, a power of two; 16 or more.
        slots: table of each node, empty of a constant.
        regions: bytes used of each region, multiples of the unit.
        starts: byte of the space at which each region starts.
        state, state_bytes: in the first region: where counters and the waiting nodes are.
        scratch, scratch_bytes: in the first region: the kernels' own.
    """

    schedule: Schedule
    unit: int
    slots: tuple[tuple[int, ...], ...]
    regions: tuple[int, ...]
    starts: tuple[int, ...]
    state: int
    state_bytes: int
    scratch: int
    scratch_bytes: int

    @property
    def ram(self) -> int:
        """Bytes of all regions: rows, scratch and state; the stack is not among them."""
        return sum(self.regions)

    @cached_property
    def table_bytes(self) -> int:
        """Bytes of flash that the tables take."""
        return ENTRY * sum(map(len, self.slots))

    def address(self, node: int, row: int) -> tuple[int, int]:
        """Return in which region a row lies and at which byte of it."""
        table = self.slots[node]
        place = table[row % len(table)] * self.unit
        region = max(index for index, start in enumerate(self.starts) if start <= place)
        return region, place - self.starts[region]


def state_bytes(nodes: int, depth: int) -> int:
    """Return the bytes of the interpreter's counters.

    A 16-bit number of rows done for each node, then a stack of 16-bit node indices: those that
    wait, ``depth`` at most, and the one that is computed.
    """
    return align(2 * nodes + 2 * (depth + 1))


def other_bytes(schedule: Schedule) -> int:
    """Return the bytes of state and scratch, which are there all the time."""
    nodes = schedule.program.nodes
    scratch = align(max((node.scratch for node in nodes), default=0))
    return state_bytes(len(nodes), schedule.depth) + scratch


def place(
    schedule: Schedule, regions: Sequence[int] | None = None, effort: int | None = _EFFORT
) -> Placement:
    """Give each row a place.

    Memory comes first, as long as tables stay below 2 % of the weights' bytes; they may grow
    beyond that only if all would not fit otherwise.

    Args:
        schedule: of the program.
        regions: bytes of each of the board's memory regions, eight at most; None for one without
            an end. The first one also holds state and scratch.
        effort: how long to look for better places; 0 for a first good one, None for the first
            one: rings that share what memory they can.

    Raises:
        DoesNotFitError: it does not fit.
    """
    program = schedule.program
    state = state_bytes(len(program.nodes), schedule.depth)
    others = other_bytes(schedule)
    sizes = (_UNLIMITED,) if regions is None else tuple(regions)
    allowed = max(int(_TABLE_SHARE * data_bytes(program)), _TABLE_BYTES)
    unit = ALIGNMENT
    while True:
        head = align(others, unit)
        # Both are at the beginning of the first region.
        capacities = [max(sizes[0] - head, 0) // unit, *(size // unit for size in sizes[1:])]
        search = Search(supplies(schedule, unit), capacities, unit, allowed)
        found = search.rings() if effort is None else search.best(effort)
        needed = head + unit * sum(found.used)
        if found.used[-1] or head > sizes[0]:
            raise DoesNotFitError(program.path, needed, sizes)
        if needed <= _NUMBERS * unit:
            break
        unit *= 2
    used = [head + unit * found.used[0], *(unit * units for units in found.used[1:-1])]
    starts = tuple(int(start) for start in np.cumsum([0, *used[:-1]]))
    origins = [start // unit for start in (head, *starts[1:])]
    slots = _tables(schedule, found, origins)
    return Placement(schedule, unit, slots, tuple(used), starts, 0, state, state, others - state)


def _tables(
    schedule: Schedule, found: Trial, origins: Sequence[int]
) -> tuple[tuple[int, ...], ...]:
    """Return for each node the slots of its rows, as short as they repeat."""
    tables: list[list[int]] = [[] for _ in schedule.program.nodes]
    for (node, _), (region, unit) in sorted(found.places.items()):
        tables[node].append(origins[region] + unit)
    return tuple(
        _shortest(table, lives.computed)
        for table, lives in zip(tables, schedule.lives, strict=True)
    )


def _shortest(table: list[int], rows: int) -> tuple[int, ...]:
    """Return the shortest table that gives so many rows the same slots."""
    if not table:
        return ()
    slots = np.resize(np.array(table), rows)
    for period in range(1, len(table)):
        if np.array_equal(slots[period:], slots[:-period]):
            return tuple(table[:period])
    return tuple(table)


def data_bytes(program: Program) -> int:
    """Return the bytes of weights and tables; equal ones count once."""
    content = {node.constant for node in program.nodes if node.constant is not None}
    for node in program.nodes:
        content |= {value.content for value in node.params if isinstance(value, Data)}
    return sum(map(len, content))
