"""Convolutions of rows too narrow for tiles, and fully connected layers."""

from __future__ import annotations

import dataclasses

from tinyseg.engine.cores.dsp.packing import packed, pairs_of, windows
from tinyseg.engine.program import Data, Kernel, Node, Program

# Pixels of a row, for each number of which there is a loop.
_MOST_PIXELS = 3


def narrow(program: Program, node: Node) -> Node | None:
    """Return a convolution of one to three pixels a row, whose weights are read where they lie."""
    if node.width > _MOST_PIXELS:
        return None
    found = windows(program, node)
    border = found.border
    # Sums below zero are rounded as such: no other form of it is worth its code.
    data = packed(found.runs, found.channels, border.zero, signed=True)
    if data is None:
        return None
    sizes = [run.shape[1] for run in found.runs]
    pairs = pairs_of(sizes)
    params: tuple[int | Data, ...] = (
        *(*found.window, border.input_zero, border.least, border.most),
        *(pairs, data),
    )
    scratch = pairs * node.width * 4 + max(sizes) // 4 * 4 + 8
    return dataclasses.replace(node, kernel=Kernel.DSP_NARROW, params=params, scratch=scratch)
