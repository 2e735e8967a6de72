"""Cores with the DSP extension: Cortex-M4, M7 and M33."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tinyseg.engine.cores.dsp import elementwise
from tinyseg.engine.cores.dsp.convolutions import product, transposed
from tinyseg.engine.cores.dsp.depthwise import depthwise
from tinyseg.engine.cores.dsp.narrow import narrow
from tinyseg.engine.cores.dsp.packed import packed_convolution
from tinyseg.engine.cores.dsp.pixels import dot, pixel_table
from tinyseg.engine.cores.multiplied import as_convolution
from tinyseg.engine.cores.rule import Rule
from tinyseg.engine.program import Kernel

_CONVOLUTION = (pixel_table, dot, narrow, product)
RULES: Mapping[Kernel, Sequence[Rule]] = {
    Kernel.CONVOLUTION: _CONVOLUTION,
    Kernel.PACKED_CONVOLUTION: [packed_convolution],
    Kernel.DEPTHWISE: [*as_convolution(_CONVOLUTION), depthwise],
    Kernel.TRANSPOSED: [transposed],
    Kernel.TABLE: [elementwise.table],
    Kernel.ADD: [elementwise.add],
    Kernel.MULTIPLY: [elementwise.multiply],
    Kernel.MAX_POOL: [elementwise.max_pool],
    Kernel.AVERAGE_POOL: [elementwise.average_pool],
    Kernel.RESIZE_NEAREST: [elementwise.resize_nearest],
}
