"""Cores with Helium, the M-profile vector extension: Cortex-M55 and M85."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tinyseg.engine.cores import dsp
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
from tinyseg.engine.program import Kernel, Node, Program

Rule = Callable[[Program, Node], Node | None]

# Rules for Helium. These cores have the DSP extension, too: its kernels take what is left.
_OWN: Mapping[Kernel, Rule] = {
    Kernel.CONVOLUTION: convolution,
    Kernel.DEPTHWISE: depthwise,
    Kernel.TRANSPOSED: transposed,
    Kernel.ADD: add,
    Kernel.MULTIPLY: multiply,
    Kernel.TABLE: table,
    Kernel.MAX_POOL: max_pool,
    Kernel.AVERAGE_POOL: average_pool,
    Kernel.RESIZE_NEAREST: resize_nearest,
    Kernel.COPY_ROWS: copy_rows,
}


def _or_dsp(kernel: Kernel) -> Rule:
    rules = [of[kernel] for of in (_OWN, dsp.RULES) if kernel in of]

    def rule(program: Program, node: Node) -> Node | None:
        made = (rule(program, node) for rule in rules)
        return next((found for found in made if found is not None), None)

    return rule


RULES: Mapping[Kernel, Rule] = {kernel: _or_dsp(kernel) for kernel in {**_OWN, **dsp.RULES}}
