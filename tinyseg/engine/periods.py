"""After how many rows a node uses a place again: tables of places against bytes of memory.

Row r of a node lies at entry ``r % period`` of its table. The shortest period is a ring's: as
many rows as live at once. A longer one leaves places to other nodes between two of the node's own
rows. With as many entries as rows, each row has a place of its own choice, and U-Nets come to
within a few percent of the bytes that are alive at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from tinyseg.engine.first_fit import Item, Space
from tinyseg.engine.schedule import Lives, Schedule

# Bytes of an entry.
ENTRY = 2
# How many nodes, those with most to gain first, have a place for each row in the first trials.
_LADDER = (0, 2, 4, 8, 16, 24)


class Piece(NamedTuple):
    """Rows of a node with the same place.

    Attributes:
        item: its size, and when it is in use.
        node, entry: whose, and where in its table.
        birth: first step.
        duration: steps in use.
    """

    item: Item
    node: int
    entry: int
    birth: int
    duration: int


@dataclasses.dataclass(frozen=True)
class Supply:
    """Rows of a node that need places; a node without has a place all the same.

    Attributes:
        node: index.
        size: units of a row.
        lives: of its rows.
        cycle: rows that it computes while the slowest node computes one.
    """

    node: int
    size: int
    lives: Lives
    cycle: int

    @cached_property
    def whole(self) -> int:
        """Period with a place for each row."""
        return max(self.lives.computed, 1)

    @cached_property
    def ring(self) -> int:
        """Shortest period: rows so far apart are never alive at once."""
        count = self.lives.computed
        if not count:
            return 1
        deaths = np.maximum.accumulate(self.lives.deaths[:count])
        last = np.searchsorted(self.lives.births[:count], deaths, side="right") - 1
        return int((last - np.arange(count)).max()) + 1

    @cached_property
    def cyclic(self) -> int:
        """Shortest period that comes back to the same place in the slowest node's rhythm."""
        return min(-(-self.ring // self.cycle) * self.cycle, self.whole)

    @cached_property
    def choices(self) -> set[int]:
        """Periods that are worth a trial."""
        return {self.ring, self.cyclic, self.whole}

    @cached_property
    def _masks(self) -> list[int]:
        count = self.lives.computed
        if not count:
            return [1]
        births, deaths = self.lives.births[:count].tolist(), self.lives.deaths[:count].tolist()
        return [((2 << (d - b)) - 1) << b for b, d in zip(births, deaths, strict=True)]

    def pieces(self, period: int) -> list[Piece]:
        """Return what the entries of a table stand for."""
        when = [0] * period
        for row, mask in enumerate(self._masks):
            when[row % period] |= mask
        births = np.maximum(self.lives.births, 0).tolist()
        return [
            Piece(Item(self.size, mask), self.node, entry, births[entry], mask.bit_count())
            for entry, mask in enumerate(when)
        ]


def supplies(schedule: Schedule, unit: int) -> list[Supply]:
    """Return the nodes whose rows lie in memory: all but constants."""
    heights = [lives.computed for lives in schedule.lives]
    slowest = min((height for height in heights if height > 1), default=1)
    return [
        Supply(
            index,
            -(-node.row_bytes // unit),
            schedule.lives[index],
            max(heights[index] // slowest, 1),
        )
        for index, node in enumerate(schedule.program.nodes)
        if node.constant is None
    ]


class Trial(NamedTuple):
    """A choice of periods and what comes of it.

    Attributes:
        key: what the choice is worth, least first: units that do not fit, bytes of tables above
            those allowed, bytes of memory and tables.
        periods: of each supply.
        order: of the pieces.
        places: region and unit of each entry, by node and entry.
        used: units of each region.
    """

    key: tuple[int, int, int]
    periods: tuple[int, ...]
    order: Callable[[Piece], tuple[int, int]]
    places: dict[tuple[int, int], tuple[int, int]]
    used: list[int]


def _by_birth(piece: Piece) -> tuple[int, int]:
    return -piece.item.size, piece.birth


def _by_duration(piece: Piece) -> tuple[int, int]:
    return -piece.item.size, -piece.duration


@dataclasses.dataclass(frozen=True)
class Search:
    """Looks for periods.

    Attributes:
        supplies: rows that need places.
        capacities: units of each region.
        unit: bytes.
        allowed: bytes that tables may take as long as all fits.
    """

    supplies: Sequence[Supply]
    capacities: Sequence[int]
    unit: int
    allowed: int

    def best(self, effort: int) -> Trial:
        """Return the best choice found.

        Args:
            effort: entries to place, in all trials together, after the first ones.
        """
        best = min((self.trial(*choice) for choice in self._ladder()), key=lambda trial: trial.key)
        before = None
        while before is not best:
            before = best
            for index in self._ranked(best.periods):
                for period in self.supplies[index].choices - {best.periods[index]}:
                    periods = (*best.periods[:index], period, *best.periods[index + 1 :])
                    effort -= sum(periods)
                    if effort < 0:
                        return best
                    best = min(best, self.trial(periods, best.order), key=lambda trial: trial.key)
        return best

    def trial(self, periods: tuple[int, ...], order: Callable[[Piece], tuple[int, int]]) -> Trial:
        """Place all rows with these periods, in this order."""
        space = Space(self.capacities)
        pairs = zip(range(len(periods)), periods, strict=True)
        pieces = [piece for index, period in pairs for piece in self._pieces(index, period)]
        places = {(p.node, p.entry): space.put(p.item) for p in sorted(pieces, key=order)}
        tables = ENTRY * sum(periods)
        memory = self.unit * sum(space.used)
        key = space.used[-1], max(tables - self.allowed, 0), memory + tables
        return Trial(key, periods, order, places, space.used)

    @cached_property
    def _known(self) -> dict[tuple[int, int], list[Piece]]:
        return {}

    def _pieces(self, index: int, period: int) -> list[Piece]:
        if (index, period) not in self._known:
            self._known[index, period] = self.supplies[index].pieces(period)
        return self._known[index, period]

    def _ladder(self) -> Iterator[tuple[tuple[int, ...], Callable[[Piece], tuple[int, int]]]]:
        """Give the first choices: rings or cycles, and whole tables for some nodes."""
        rings = [s.ring for s in self.supplies]
        ranked = self._ranked(rings)
        shortest = [rings, [s.cyclic for s in self.supplies]]
        choices = {tuple(s.whole for s in self.supplies): None}
        for base in shortest:
            for whole in _LADDER:
                periods = list(base)
                for index in ranked[:whole]:
                    periods[index] = self.supplies[index].whole
                choices[tuple(periods)] = None
        for choice in choices:
            yield choice, _by_birth
            yield choice, _by_duration

    def _ranked(self, periods: Sequence[int]) -> list[int]:
        """Return the supplies in the order of the memory that they take."""
        sizes = [period * s.size for period, s in zip(periods, self.supplies, strict=True)]
        return sorted(range(len(sizes)), key=lambda index: -sizes[index])
