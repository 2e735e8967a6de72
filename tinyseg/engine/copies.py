"""Compute a tensor a second time, for those that read it late, instead of keeping it for them."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property

import numpy as np

from tinyseg.engine.program import Link, Node, Program
from tinyseg.engine.schedule import Schedule, align, last_reads

# A copy starts from tensors that are at most so large, against the one that it computes.
_NARROW = 0.75


@dataclasses.dataclass(frozen=True)
class Late:
    """Readers that come long after the others.

    Attributes:
        node: what they read.
        readers: nodes.
        saved: bytes that are kept only for them when memory is fullest.
    """

    node: int
    readers: frozenset[int]
    saved: int


def late_readers(schedule: Schedule) -> list[Late]:
    """Return groups of readers that others need not wait for, those that cost most first."""
    program = schedule.program
    fullest = int(schedule.live.argmax())
    found = []
    for index, readers in enumerate(program.readers()):
        lives = schedule.lives[index]
        if program.nodes[index].kernel is None or len(readers) < 2:
            continue
        reads = [(reader, last_reads(schedule, reader, link)) for reader, link in readers]
        reads.sort(key=lambda read: _mean(read[1]))
        early = lives.births.copy()
        for count, (_, steps) in enumerate(reads[:-1], 1):
            early = np.maximum(early, steps)
            kept = (lives.births >= 0) & (early < fullest) & (fullest <= lives.deaths)
            late = {reader for reader, _ in reads[count:]} - {r for r, _ in reads[:count]}
            saved = int(kept.sum()) * align(program.nodes[index].row_bytes)
            if late and saved:
                found.append(Late(index, frozenset(late), saved))
    return sorted(found, key=lambda late: -late.saved)


def _mean(steps: np.ndarray) -> float:
    read = steps[steps >= 0]
    return float(read.mean()) if len(read) else -1.0


@dataclasses.dataclass(frozen=True)
class Draft:
    """A program with copies.

    Attributes:
        program: nodes.
        origins: of each, the node of the first program that it computes.
    """

    program: Program
    origins: tuple[int, ...]

    @classmethod
    def of(cls, program: Program) -> Draft:
        """Return a program without copies."""
        return cls(program, tuple(range(len(program.nodes))))

    def split(self, late: Late) -> Iterator[Draft]:
        """Give programs in which late readers read from another copy.

        It is one that is there already, or computed from the inputs, from copies that are
        there, or from a smaller tensor on the way.
        """
        for other in self._others(late.node, late):
            yield self._redirected(late, [], [], other)
        yield self._copied(late, {})
        copies = {node: self._others(node, late) for node in self._needed[late.node]}
        copies = {node: others for node, others in copies.items() if others and node != late.node}
        for which in range(max((len(copies.get(n, ())) for n in self._way(late.node)), default=0)):
            chosen = {n: others[min(which, len(others) - 1)] for n, others in copies.items()}
            yield self._copied(late, chosen)
        for narrow in self._narrow(late.node):
            yield self._copied(late, {narrow: narrow})

    def _others(self, node: int, late: Late) -> list[int]:
        """Return other copies of a node that late readers can read."""
        origin = self.origins[node]
        same = [n for n, its in enumerate(self.origins) if its == origin and n != node]
        return [n for n in same if not self._needed[n] & late.readers]

    @cached_property
    def _needed(self) -> list[frozenset[int]]:
        """Of each node, those that it needs, itself too."""
        needed: list[frozenset[int]] = []
        for index, node in enumerate(self.program.nodes):
            needed.append(frozenset({index}).union(*(needed[k.source] for k in node.links)))
        return needed

    @cached_property
    def _gates(self) -> list[frozenset[int]]:
        """Of each node, those on every way to it from the inputs, itself too."""
        gates: list[frozenset[int]] = []
        for index, node in enumerate(self.program.nodes):
            sources = [k.source for k in node.links]
            ways = [gates[s] for s in sources if self.program.nodes[s].constant is None]
            gates.append(frozenset({index}) | (frozenset.intersection(*ways) if ways else set()))
        return gates

    def _way(self, node: int) -> list[int]:
        """Return computed nodes on every way to one, the last it."""
        return [n for n in sorted(self._gates[node]) if self.program.nodes[n].kernel is not None]

    def _narrow(self, node: int) -> list[int]:
        """Return nodes on the way to one where little is to be kept."""
        nodes, way = self.program.nodes, self._way(node)
        sizes = [nodes[n].row_bytes * nodes[n].rows for n in way]
        return [
            way[place]
            for place in range(len(way) - 1)
            if sizes[place] < sizes[place + 1]
            and sizes[place] <= min(sizes[max(place - 1, 0)], _NARROW * sizes[-1])
        ]

    def _copied(self, late: Late, instead: Mapping[int, int]) -> Draft:
        """Return the program with a copy of what the late readers' node is computed from.

        Args:
            late: readers of the copy.
            instead: nodes that stand for some of those, which are not copied then.
        """
        nodes = self.program.nodes
        place: dict[int, int] = {}
        added: list[Node] = []
        origins: list[int] = []
        for index in sorted(self._to_copy(late.node, instead)):
            links = tuple(
                Link(instead.get(k.source, place.get(k.source, k.source)), k.need)
                for k in nodes[index].links
            )
            place[index] = len(nodes) + len(added)
            added.append(dataclasses.replace(nodes[index], links=links))
            origins.append(self.origins[index])
        return self._redirected(late, added, origins, place[late.node])

    def _to_copy(self, node: int, instead: Mapping[int, int]) -> Collection[int]:
        nodes = self.program.nodes
        found, left = {node}, [node]
        while left:
            for link in nodes[left.pop()].links:
                source = link.source
                if source in found or nodes[source].kernel is None or source in instead:
                    continue
                found.add(source)
                left.append(source)
        return found

    def _redirected(self, late: Late, added: list[Node], origins: list[int], target: int) -> Draft:
        """Return the program with more nodes, where late readers read from another one."""
        nodes = [*self.program.nodes, *added]
        for reader in late.readers:
            links = tuple(
                Link(target, k.need) if k.source == late.node else k for k in nodes[reader].links
            )
            nodes[reader] = dataclasses.replace(nodes[reader], links=links)
        return _sorted(self.program, nodes, [*self.origins, *origins])


def _sorted(program: Program, nodes: list[Node], origins: list[int]) -> Draft:
    """Return the nodes that outputs need, and the inputs, sources before their readers."""
    order = list(range(program.inputs))
    seen = set(order)
    for output in program.outputs:
        waiting = [output]
        while waiting:
            node = waiting[-1]
            missing = [k.source for k in nodes[node].links if k.source not in seen]
            if missing:
                waiting.append(missing[0])
                continue
            waiting.pop()
            if node not in seen:
                seen.add(node)
                order.append(node)
    place = {node: index for index, node in enumerate(order)}
    kept = tuple(
        dataclasses.replace(
            nodes[n], links=tuple(Link(place[k.source], k.need) for k in nodes[n].links)
        )
        for n in order
    )
    outputs = tuple(place[output] for output in program.outputs)
    changed = dataclasses.replace(program, nodes=kept, outputs=outputs)
    return Draft(changed, tuple(origins[n] for n in order))
