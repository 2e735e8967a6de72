"""An estimate of a processor's cycles beside the count of instructions.

Each loop of the kernels has its cycles an instruction on each processor: what a table of published
timings (Cortex-M4, which stands for the M33 too) or llvm-mca (M7, M55) tells of the blocks that
emulated boards count. They lie in ``cycles.json``; ``python -m tests.benchmarks.cycles`` fits them
anew. To that comes waiting for flash: each row of a node reads its weights and tables once.

These are estimates, by a quarter or more too low where memory is slow: docs/engine.md.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tinyseg.engine import cost
from tinyseg.engine.cores import core_of
from tinyseg.engine.program import Data, Node
from tinyseg.engine.schedule import Schedule

FILE = Path(__file__).with_name("cycles.json")
# Whose timings stand for those of a processor without any.
_LIKE = {"cortex-m33": "cortex-m4", "cortex-m85": "cortex-m55"}
_ALL = ""


class Wait(NamedTuple):
    """What a processor waits for flash.

    Attributes:
        line: bytes that are read at once.
        cycles: of the processor, for each of them.
    """

    line: int
    cycles: float


def estimate(
    schedule: Schedule, processor: str, wait: Wait | None = None
) -> list[float | None] | None:
    """Return the cycles of each node of a program.

    Args:
        schedule: of a program with the kernels of the processor's class of cores.
        processor: such as ``cortex-m7``.
        wait: for flash; None if it never waits.

    Returns:
        None for a node with a kernel that nobody has measured; nothing at all for a processor of
        which no timings are known.
    """
    each = stored().get(_LIKE.get(processor, processor))
    factors = cost.stored().get(core_of(processor).value)
    if each is None or factors is None:
        return None
    found: list[float | None] = []
    for index, (node, lives) in enumerate(zip(schedule.program.nodes, schedule.lives, strict=True)):
        per_row = 0.0 if wait is None else _lines(node, wait.line) * wait.cycles
        is_known = True
        for name, terms in cost.loops(schedule.program, index).items():
            instructions = cost.dot(factors, {name: terms})
            is_known = is_known and instructions is not None
            per_row += (instructions or 0.0) * each.get(name, each[_ALL])
        found.append(per_row * lives.computed if is_known else None)
    return found


@functools.cache
def stored() -> Mapping[str, Mapping[str, float]]:
    """Return the cycles an instruction, by processor and loop."""
    return json.loads(FILE.read_text())


def _lines(node: Node, line: int) -> int:
    """Return the lines of flash that a row of a node reads: all of its weights and tables."""
    sizes = [len(param.content) for param in node.params if isinstance(param, Data)]
    return sum(-(-size // line) for size in sizes)
