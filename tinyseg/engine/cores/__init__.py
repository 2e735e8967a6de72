"""Classes of cores: which nodes a faster kernel computes there, with parameters packed for it.

A class has a module here with its ``RULES``, and its kernels in ``firmware/engine/kernels/NAME``.
Where several apply to a node, ``selection`` chooses.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence

from tinyseg.engine.cores import dsp, mve
from tinyseg.engine.cores.rule import Rule
from tinyseg.engine.program import Kernel


class Core(enum.StrEnum):
    """What a core's instructions can do; the values are folders of kernels."""

    PORTABLE = "portable"
    DSP = "dsp"
    MVE = "mve"


RULES: Mapping[Core, Mapping[Kernel, Sequence[Rule]]] = {
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
