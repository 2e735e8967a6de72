"""Cores with Helium, the M-profile vector extension: Cortex-M55 and M85."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tinyseg.engine.cores.mve.convolutions import convolution, transposed
from tinyseg.engine.cores.mve.depthwise import depthwise
from tinyseg.engine.cores.mve.elementwise import (
    add,
    copy_rows,
    max_pool,
    multiply,
    resize_nearest,
    table,
)
from tinyseg.engine.program import Kernel, Node, Program

RULES: Mapping[Kernel, Callable[[Program, Node], Node | None]] = {
    Kernel.CONVOLUTION: convolution,
    Kernel.DEPTHWISE: depthwise,
    Kernel.TRANSPOSED: transposed,
    Kernel.ADD: add,
    Kernel.MULTIPLY: multiply,
    Kernel.TABLE: table,
    Kernel.MAX_POOL: max_pool,
    Kernel.RESIZE_NEAREST: resize_nearest,
    Kernel.COPY_ROWS: copy_rows,
}
