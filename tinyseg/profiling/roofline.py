"""Lower bounds on cycles: no kernel on such a core can be faster.

A layer takes at least the cycles its multiply-accumulates need at the core's peak rate, and
at least those that moving its inputs, weights and outputs once needs on the core's data path
(the roofline of Williams et al., CACM 52(4), 2009). These are bounds, not estimates: real
kernels reach a tenth to a half of them.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tinyseg.tflite import Operator
from tinyseg.tflite.ops.registry import cost


@dataclasses.dataclass(frozen=True)
class PeakRates:
    """Peak rates of a processor core.

    Attributes:
        name: as Arm calls it.
        macs_per_cycle: int8 multiply-accumulates a cycle: two by SMLAD, eight by MVE.
        bytes_per_cycle: width of the data path to memory.
    """

    name: str
    macs_per_cycle: float
    bytes_per_cycle: float


# Peak rates after Arm's Technical Reference Manuals: one 32-bit load or store a cycle on M4 and
# M33, a 64-bit path on M7, 64 bits a cycle (two beats of MVE) on M55.
CORES = {
    "cortex_m4": PeakRates("Cortex-M4", 2, 4),
    "cortex_m33": PeakRates("Cortex-M33", 2, 4),
    "cortex_m7": PeakRates("Cortex-M7", 2, 8),
    "cortex_m55": PeakRates("Cortex-M55", 8, 8),
}


def bound_cycles(operator: Operator, core: PeakRates) -> int:
    """Return the least number of cycles that an operator can take on a core."""
    compute = cost(operator).macs / core.macs_per_cycle
    memory = _traffic(operator) / core.bytes_per_cycle
    return int(np.ceil(max(compute, memory)))


def _traffic(operator: Operator) -> int:
    """Return the bytes of all distinct inputs and outputs, each moved once."""
    tensors = {t.index: t for t in (*operator.inputs, *operator.outputs) if t is not None}
    bits = [
        t.elements * (4 if t.dtype == "int4" else 8 * np.dtype(t.dtype).itemsize)
        for t in tensors.values()
    ]
    return sum(bits) // 8
