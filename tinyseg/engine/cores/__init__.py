"""Classes of cores: which nodes a faster kernel computes there, with parameters packed for it.

A class has a module here with its ``RULES``, and its kernels in ``firmware/engine/kernels/NAME``.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Mapping

from tinyseg.engine.cores import dsp, mve
from tinyseg.engine.program import Kernel, Node, Program

# What a rule returns: the node with a kernel of the class, or None to keep the portable one.
Rule = Callable[[Program, Node], Node | None]


class Core(enum.StrEnum):
    """What a core's instructions can do; the values are folders of kernels."""

    PORTABLE = "portable"
    DSP = "dsp"
    MVE = "mve"


RULES: Mapping[Core, Mapping[Kernel, Rule]] = {
    Core.PORTABLE: {},
    Core.DSP: dsp.RULES,
    Core.MVE: mve.RULES,
}

# Bytes that kernels may read beyond a row.
SLACK: Mapping[Core, int] = {Core.PORTABLE: 0, Core.DSP: 0, Core.MVE: 16}

_PROCESSORS = {
    "cortex-m4": Core.DSP,
    "cortex-m7": Core.DSP,
    "cortex-m33": Core.DSP,
    "cortex-m55": Core.MVE,
    "cortex-m85": Core.MVE,
}


def core_of(processor: str) -> Core:
    """Return the class of a processor such as ``cortex-m7``; portable where it is unknown."""
    return _PROCESSORS.get(processor, Core.PORTABLE)


def specialize(program: Program, core: Core) -> Program:
    """Return a program whose nodes have the fastest kernels of a class of cores."""
    rules = RULES[core]
    nodes = tuple(
        (rules[node.kernel](program, node) if node.kernel in rules else None) or node
        for node in program.nodes
    )
    return dataclasses.replace(program, nodes=nodes).pruned()
