"""Cores with Helium, the M-profile vector extension: Cortex-M55 and M85."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tinyseg.engine.cores import dsp
from tinyseg.engine.cores.multiplied import as_convolution
from tinyseg.engine.cores.mve.convolutions import convolution, transposed
from tinyseg.engine.cores.mve.depthwise import depthwise
from tinyseg.engine.cores.mve.elementwise import (
    add,
    average_pool,
    copy_rows,
    max_pool,
    multiply,
    resize_nearest,
    table,
)
from tinyseg.engine.cores.mve.packed import packed_convolution
from tinyseg.engine.cores.rule import Rule
from tinyseg.engine.program import Kernel

_OWN: Mapping[Kernel, Sequence[Rule]] = {
    Kernel.CONVOLUTION: [convolution],
    Kernel.PACKED_CONVOLUTION: [packed_convolution],
    Kernel.DEPTHWISE: [*as_convolution([convolution]), depthwise],
    Kernel.TRANSPOSED: [transposed],
    Kernel.ADD: [add],
    Kernel.MULTIPLY: [multiply],
    Kernel.TABLE: [table],
    Kernel.MAX_POOL: [max_pool],
    Kernel.AVERAGE_POOL: [average_pool],
    Kernel.RESIZE_NEAREST: [resize_nearest],
    Kernel.COPY_ROWS: [copy_rows],
}

# These cores have the DSP extension, too.
RULES: Mapping[Kernel, Sequence[Rule]] = {
    kernel: [*_OWN.get(kernel, ()), *dsp.RULES.get(kernel, ())] for kernel in {**_OWN, **dsp.RULES}
}
