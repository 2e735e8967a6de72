"""How many instructions a program takes on a core, without an emulator.

What a row takes is a sum of terms that the loops of a kernel have: once a row, a pixel, a channel,
a block of them, a multiply-accumulate. The factors of the terms are fitted to what the emulated
boards count, a Cortex-M7 for all cores with the DSP extension, which run the same kernels, and a
Cortex-M55. They lie in ``cost.json``; ``make costs`` fits them anew.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from pathlib import Path

from tinyseg.engine.cores import Core
from tinyseg.engine.cost_terms import OUTPUT, border_terms, parts
from tinyseg.engine.cost_windows import Parts
from tinyseg.engine.program import Node, Program
from tinyseg.engine.schedule import Schedule

FILE = Path(__file__).with_name("cost.json")
# By the names that people give them; the figures do not differ between those of a class.
PROCESSORS = {"m4": "cortex-m4", "m7": "cortex-m7", "m33": "cortex-m33", "m55": "cortex-m55"}


@dataclasses.dataclass(frozen=True)
class Counted:
    """What a node takes in an inference.

    Attributes:
        instructions: estimated; None where nobody has measured its kernel.
        rows: that are computed.
    """

    instructions: float | None
    rows: int


def estimate(schedule: Schedule, core: Core) -> list[Counted]:
    """Return what each node of a program takes.

    Args:
        schedule: of a program with the kernels of a class of cores.
        core: that class.
    """
    factors = stored().get(core.value, {})
    counted = []
    for index, lives in enumerate(schedule.lives):
        per_row = dot(factors, loops(schedule.program, index))
        total = None if per_row is None else per_row * lives.computed
        counted.append(Counted(total, lives.computed))
    return counted


def row_costs(program: Program, core: Core) -> list[float] | None:
    """Return the instructions of a row of each node; None where those of one are not known.

    Args:
        program: with the kernels of a class of cores.
        core: that class.
    """
    factors = stored().get(core.value, {})
    found = [dot(factors, loops(program, index)) for index in range(len(program.nodes))]
    return None if None in found else [cost for cost in found if cost is not None]


def of_row(program: Program, node: Node, core: Core) -> float | None:
    """Return the instructions of a row of a node; None where nobody has measured its kernel.

    Args:
        program: the nodes that it reads.
        node: with a kernel for a class of cores.
        core: that class.
    """
    return dot(stored().get(core.value, {}), parts(program, node))


def loops(program: Program, index: int) -> Parts:
    """Return what a row of a node runs: terms by the names of loops, with what is around them."""
    node = program.nodes[index]
    found = {} if node.constant is not None else parts(program, node)
    return found | ({OUTPUT: border_terms(node)} if index in program.outputs else {})


@functools.cache
def stored() -> Mapping[str, Mapping[str, Mapping[str, float]]]:
    """Return the fitted factors: by class of cores, key and term."""
    return json.loads(FILE.read_text())


def dot(factors: Mapping[str, Mapping[str, float]], found: Parts) -> float | None:
    """Return the instructions of loops; None where nobody has measured one of them.

    A use of a kernel that nobody measured is the kernel's plain one.
    """
    total = 0.0
    for name, terms in found.items():
        own = factors.get(name)
        if own is None:
            alike = [other for other in factors if other.split()[0] == name.split()[0]]
            if not alike:
                return None
            own = factors[min(alike, key=len)]
        total += sum(factor * terms.get(term, 0.0) for term, factor in own.items())
    return total
