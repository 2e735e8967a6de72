"""In which order a program computes its rows, and how long each row is needed.

The rule is the runtime's own. The outputs are completed in their order. To compute the next row
of a node, its links are taken in their order; as long as a source has fewer rows than the link's
rule reaches, as far as the source has them, the next row of that source comes first, by the same
rule. Rows of inputs are pulled like those of any node; constants are there from the beginning.
"""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import NamedTuple

import numpy as np

from tinyseg.engine.program import Link, Node, Program

ALIGNMENT = 16


def align(size: int, alignment: int = ALIGNMENT) -> int:
    """Round up to a multiple of the alignment."""
    return -(-size // alignment) * alignment


class Lives(NamedTuple):
    """When each row of a node is computed and when it is read for the last time.

    Attributes:
        births: int32 step of each row; -1 of a row that is never computed. Rows that are
            computed come first.
        deaths: int32 step that reads it last; its own if none does.
    """

    births: np.ndarray
    deaths: np.ndarray

    @property
    def computed(self) -> int:
        """Number of rows that are computed."""
        return int(np.count_nonzero(self.births >= 0))


@dataclasses.dataclass(frozen=True)
class Schedule:
    """What the runtime does, step by step; a step computes one row.

    Attributes:
        program: whose.
        nodes, rows: int32 per step.
        lives: of each node's rows.
        depth: most nodes that wait for others at once.
    """

    program: Program
    nodes: np.ndarray
    rows: np.ndarray
    lives: tuple[Lives, ...]
    depth: int

    @property
    def steps(self) -> int:
        """Number of rows that are computed or pulled."""
        return len(self.nodes)

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of an inference."""
        per_row = np.array([node.macs for node in self.program.nodes], np.int64)
        return int(per_row[self.nodes].sum())

    @cached_property
    def live(self) -> np.ndarray:
        """Bytes of rows, each rounded to 16, that must be in memory during each step; int64."""
        change = np.zeros(self.steps + 1, np.int64)
        for node, lives in zip(self.program.nodes, self.lives, strict=True):
            count, size = lives.computed, align(node.row_bytes)
            np.add.at(change, lives.births[:count], size)
            np.add.at(change, lives.deaths[:count] + 1, -size)
        return np.cumsum(change)[:-1]

    @property
    def peak(self) -> int:
        """Most bytes of rows at once: no placement takes less."""
        return int(self.live.max(initial=0))


def simulate(program: Program) -> Schedule:
    """Return the order of all rows, and how long each lives."""
    nodes, rows, depth = _order(program)
    births = [np.full(node.rows, -1, np.int32) for node in program.nodes]
    for index in range(len(program.nodes)):
        steps = np.flatnonzero(nodes == index)
        births[index][: len(steps)] = steps
    deaths = [birth.copy() for birth in births]
    for index, node in enumerate(program.nodes):
        for link in node.links:
            death = deaths[link.source]
            reads = _last_reads(births[index], link, len(death))
            # Rows of constants are never computed and never die.
            np.copyto(death, reads, where=(reads > death) & (births[link.source] >= 0))
    lives = tuple(Lives(birth, death) for birth, death in zip(births, deaths, strict=True))
    return Schedule(program, nodes, rows, lives, depth)


def last_reads(schedule: Schedule, reader: int, link: Link) -> np.ndarray:
    """Return the last step at which a reader needs each row of a source; -1 if it needs it not."""
    height = schedule.program.nodes[link.source].rows
    return _last_reads(schedule.lives[reader].births, link, height)


def reach(link: Link, rows: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Return ``link.need.rows(row, height)`` of the first rows: first ones and ends."""
    need, row = link.need, np.arange(rows, dtype=np.int64)
    first = np.maximum((row * need.step + need.low) // need.divisor, 0)
    end = np.minimum((row * need.step + need.high) // need.divisor + 1, height)
    return np.minimum(first, height), np.maximum(end, 0)


def _order(program: Program) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the node and row of each step, and the most nodes that wait at once."""
    needs = [_ends(node, program) for node in program.nodes]
    done = [node.rows if node.constant is not None else 0 for node in program.nodes]
    nodes: list[int] = []
    rows: list[int] = []
    depth = 0
    for output in program.outputs:
        while done[output] < program.nodes[output].rows:
            waiting = [output]
            while waiting:
                node = waiting[-1]
                row = done[node]
                for source, ends in needs[node]:
                    if done[source] < ends[row]:
                        waiting.append(source)
                        depth = max(depth, len(waiting) - 1)
                        break
                else:
                    nodes.append(node)
                    rows.append(row)
                    done[node] = row + 1
                    waiting.pop()
    return np.array(nodes, np.int32), np.array(rows, np.int32), depth


def _ends(node: Node, program: Program) -> list[tuple[int, list[int]]]:
    """Return of each link the source and, for each row, how many of its rows must be there."""
    return [
        (link.source, reach(link, node.rows, program.nodes[link.source].rows)[1].tolist())
        for link in node.links
    ]


def _last_reads(births: np.ndarray, link: Link, height: int) -> np.ndarray:
    """Return the same for a reader whose rows come at ``births``.

    Rules never go back, so the last reader of a row is the last whose first row is not above it.
    """
    steps = np.full(height, -1, np.int32)
    computed = int(np.count_nonzero(births >= 0))
    if computed:
        firsts, ends = reach(link, computed, height)
        rows = np.arange(height)
        reader = np.searchsorted(firsts, rows, side="right") - 1
        read = (reader >= 0) & (ends[reader] > rows)
        steps[read] = births[reader[read]]
    return steps
