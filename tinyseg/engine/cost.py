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
from tinyseg.engine.cost_terms import OUTPUT, border_terms, key, terms
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
    program = schedule.program
    counted = []
    for index, (node, lives) in enumerate(zip(program.nodes, schedule.lives, strict=True)):
        per_row: float | None = 0.0
        if node.constant is None:
            per_row = _dot(factors, key(node), terms(program, node))
            if per_row is not None and index in program.outputs:
                per_row += _dot(factors, OUTPUT, border_terms(node)) or 0.0
        total = None if per_row is None else per_row * lives.computed
        counted.append(Counted(total, lives.computed))
    return counted


@functools.cache
def stored() -> Mapping[str, Mapping[str, Mapping[str, float]]]:
    """Return the fitted factors: by class of cores, key and term."""
    return json.loads(FILE.read_text())


def _dot(
    factors: Mapping[str, Mapping[str, float]], name: str, found: Mapping[str, float]
) -> float | None:
    """Return the sum of terms times factors; a use that nobody fitted is the kernel's plain one."""
    own = factors.get(name)
    if own is None:
        alike = [other for other in factors if other.split()[0] == name.split()[0]]
        if not alike:
            return None
        own = factors[min(alike, key=len)]
    return sum(factor * found.get(term, 0.0) for term, factor in own.items())
