"""Cores with Helium, the M-profile vector extension: Cortex-M55 and M85."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tinyseg.engine.cores.mve.convolutions import convolution, transposed
from tinyseg.engine.cores.mve.depthwise import depthwise
from tinyseg.engine.program import Kernel, Node, Program

RULES: Mapping[Kernel, Callable[[Program, Node], Node | None]] = {
    Kernel.CONVOLUTION: convolution,
    Kernel.DEPTHWISE: depthwise,
    Kernel.TRANSPOSED: transposed,
}
