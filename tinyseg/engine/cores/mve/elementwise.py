"""Operators that treat elements, pixels or pieces of rows alike."""

from __future__ import annotations

import dataclasses

import numpy as np

from tinyseg.engine.cores.mve.packing import sources
from tinyseg.engine.program import Data, Kernel, Node, Program

# Where numbers of ElementwiseParams lie: both operands, then what is common.
_FIRST, _SECOND, _COMMON = slice(0, 5), slice(5, 10), slice(10, None)


def add(program: Program, node: Node) -> Node | None:
    """Return an ADD node for Helium; None where shapes differ or a factor shifts to the left."""
    first, second = node.params[_FIRST], node.params[_SECOND]
    shifts = (first[4], second[4], node.params[_COMMON][2])
    whole = (node.channels, 1)
    ready = sources(program.nodes, node) and first[:2] == second[:2] == whole
    return _with(node, Kernel.MVE_ADD) if ready and _between(shifts, 0) else None


def multiply(program: Program, node: Node) -> Node | None:
    """Return a MULTIPLY node for Helium: of one shape, or with one value for each pixel."""
    operands = [node.params[part][:2] for part in (_FIRST, _SECOND)]
    dense = (node.channels, 1) in operands and (
        operands[0] == operands[1] or any(step_c == 0 for _, step_c in operands)
    )
    ready = sources(program.nodes, node) and dense
    return _with(node, Kernel.MVE_MULTIPLY) if ready and _between((node.params[12],), -1) else None


def table(program: Program, node: Node) -> Node | None:
    """Return a TABLE node for Helium, whose tables begin with the value 0."""
    content, per_channel = node.params
    if not isinstance(content, Data) or not sources(program.nodes, node):
        return None
    tables = np.frombuffer(content.content, np.int8).reshape(-1, 256)
    turned = Data(np.roll(tables, -128, axis=1).tobytes())
    return dataclasses.replace(node, kernel=Kernel.MVE_TABLE, params=(turned, per_channel))


def max_pool(program: Program, node: Node) -> Node | None:
    """Return a MAX_POOL node for Helium."""
    return _with(node, Kernel.MVE_MAX_POOL) if sources(program.nodes, node) else None


def resize_nearest(program: Program, node: Node) -> Node | None:
    """Return a RESIZE_NEAREST node for Helium."""
    ready = node.element == 1 and sources(program.nodes, node)
    return _with(node, Kernel.MVE_RESIZE_NEAREST) if ready else None


def copy_rows(program: Program, node: Node) -> Node | None:
    """Return a COPY_ROWS node for Helium."""
    return _with(node, Kernel.MVE_COPY_ROWS) if sources(program.nodes, node) else None


def _with(node: Node, kernel: Kernel) -> Node:
    return dataclasses.replace(node, kernel=kernel)


def _between(shifts: tuple[int | Data, ...], most: int) -> bool:
    return all(isinstance(shift, int) and -31 <= shift <= most for shift in shifts)
