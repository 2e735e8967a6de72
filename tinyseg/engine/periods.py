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

# Entries by steps of a trial, a bit for each: a network of 512 by 512 pixels may have whole tables.
_MOST_BITS = 600_000_000


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
    def choices(self) -> tuple[int, ...]:
        """Periods that are worth a trial."""
        return tuple(sorted({self.ring, self.cyclic, self.whole}))

    def pieces(self, period: int) -> list[Piece]:
        """Return what the entries of a table stand for."""
        count = self.lives.computed
        if not count:
            return [Piece(Item(self.size, 1), self.node, 0, 0, 1)]
        births, deaths = self.lives.births[:count], self.lives.deaths[:count]
        if period == count:
            pairs = zip(births.tolist(), deaths.tolist(), strict=True)
            masks = [((2 << (death - birth)) - 1) << birth for birth, death in pairs]
        else:
            masks = [_mask(births[i::period], deaths[i::period]) for i in range(period)]
        return [
            Piece(Item(self.size, mask), self.node, entry, int(births[entry]), mask.bit_count())
            for entry, mask in enumerate(masks)
        ]


def _mask(births: np.ndarray, deaths: np.ndarray) -> int:
    """Return bits for the steps of rows that are never alive at once."""
    change = np.zeros(deaths[-1] + 2, np.int8)
    change[births] += 1
    change[deaths + 1] -= 1
    return int.from_bytes(
        np.packbits(np.cumsum(change, dtype=np.int8), bitorder="little"), "little"
    )


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

    def rings(self) -> Trial:
        """Return the choice of the shortest tables, which takes no time to find."""
        return self.trial(tuple(s.ring for s in self.supplies), _by_birth)

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
                for period in self.supplies[index].choices:
                    if period == best.periods[index]:
                        continue
                    periods = (*best.periods[:index], period, *best.periods[index + 1 :])
                    if self._too_many(periods):
                        continue
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
            if choice == tuple(rings) or not self._too_many(choice):
                yield choice, _by_birth
                yield choice, _by_duration

    def _too_many(self, periods: Sequence[int]) -> bool:
        """Whether the time to place so many entries would be too long."""
        last = max(int(s.lives.deaths.max(initial=0)) for s in self.supplies)
        return sum(periods) * last > _MOST_BITS

    def _ranked(self, periods: Sequence[int]) -> list[int]:
        """Return the supplies in the order of the memory that they take."""
        sizes = [period * s.size for period, s in zip(periods, self.supplies, strict=True)]
        return sorted(range(len(sizes)), key=lambda index: -sizes[index])
