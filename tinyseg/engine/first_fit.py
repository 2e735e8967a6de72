"""Give pieces of memory places, so that those in use at the same time lie apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

# Long enough for all that does not fit into the regions.
_OVERFLOW = 1 << 48


class Item(NamedTuple):
    """A piece of memory.

    Attributes:
        size: units, 1 at least.
        when: bit t is set if it is in use during step t.
    """

    size: int
    when: int


class Space:
    """Memory of several regions, empty at first; what fits nowhere lies behind the last one.

    The space is a list of segments, each used the same way all along: a bit for each step in
    which it is in use. Between regions lie walls that are always in use.
    """

    def __init__(self, capacities: Sequence[int]) -> None:
        """Make an empty space of regions of so many units."""
        self.capacities = tuple(capacities)
        self.used = [0] * (len(capacities) + 1)
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._busy: list[int] = []
        self._bases: list[int] = []
        start = 0
        for capacity in (*capacities, _OVERFLOW):
            self._bases.append(start)
            self._starts += [start, start + capacity]
            self._ends += [start + capacity, start + capacity + 1]
            self._busy += [0, -1]
            start += capacity + 1

    def put(self, item: Item) -> tuple[int, int]:
        """Give an item the lowest place that is free all the time that it needs it.

        Returns:
            The region, the number of regions if it fits into none, and the unit in it.
        """
        first, last = self._find(item)
        start = self._starts[first]
        end = start + item.size
        if self._ends[last] > end:
            self._starts.insert(last + 1, end)
            self._ends.insert(last + 1, self._ends[last])
            self._busy.insert(last + 1, self._busy[last])
            self._ends[last] = end
        for segment in range(first, last + 1):
            self._busy[segment] |= item.when
        region = len(self._bases) - 1
        while self._bases[region] > start:
            region -= 1
        place = start - self._bases[region]
        self.used[region] = max(self.used[region], place + item.size)
        return region, place

    def _find(self, item: Item) -> tuple[int, int]:
        """Return the first and the last segment of the lowest place."""
        size, when = item
        busy, starts, ends = self._busy, self._starts, self._ends
        first = 0
        while True:
            if busy[first] & when:
                first += 1
                continue
            last, end = first, starts[first] + size
            while ends[last] < end and not busy[last + 1] & when:
                last += 1
            if ends[last] >= end:
                return first, last
            first = last + 2
