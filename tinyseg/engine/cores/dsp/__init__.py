"""Cores with the DSP extension: Cortex-M4, M7 and M33."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tinyseg.engine.cores.dsp import elementwise
from tinyseg.engine.cores.dsp.convolutions import convolution, transposed
from tinyseg.engine.cores.dsp.depthwise import depthwise
from tinyseg.engine.cores.dsp.packed import packed_convolution
from tinyseg.engine.program import Kernel, Node, Program

RULES: Mapping[Kernel, Callable[[Program, Node], Node | None]] = {
    Kernel.CONVOLUTION: convolution,
    Kernel.PACKED_CONVOLUTION: packed_convolution,
    Kernel.DEPTHWISE: depthwise,
    Kernel.TRANSPOSED: transposed,
    Kernel.TABLE: elementwise.table,
    Kernel.ADD: elementwise.add,
    Kernel.MULTIPLY: elementwise.multiply,
    Kernel.MAX_POOL: elementwise.max_pool,
    Kernel.AVERAGE_POOL: elementwise.average_pool,
    Kernel.RESIZE_NEAREST: elementwise.resize_nearest,
}
