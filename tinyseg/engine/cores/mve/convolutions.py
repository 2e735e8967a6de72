"""Convolutions as products of windows and weights."""

from __future__ import annotations

import dataclasses

import numpy as np

from tinyseg.engine.cores.mve.packing import GROUP, VECTOR, Layer, product, sources
from tinyseg.engine.program import Kernel, Node, Program


def convolution(program: Program, node: Node) -> Node | None:
    """Return a CONVOLUTION node for Helium; None for columns that are apart, and large factors."""
    layer, read = Layer.of(node), sources(program.nodes, node)
    height, width, _, stride, _, dilation, top, left = layer.window
    weights = layer.weights.reshape(node.channels, height, width, -1)
    magnitudes = np.abs(weights.astype(np.int64)).sum(axis=(1, 2, 3))
    if read is None or (dilation != 1 and width > 1) or not layer.fits(magnitudes):
        return None
    depth = weights.shape[3]
    columns = (node.width - 1) * stride + width
    last = (node.rows - 1) * layer.window[2] - top
    inside = top <= 0 and left <= 0 and columns <= read[0].width and last < read[0].rows
    copied = not (inside and height == 1 and len(read) == 1)
    scratch = columns * height * depth + VECTOR if copied else 0
    scratch += GROUP * node.width if node.channels < GROUP else 0
    windows = weights.transpose(0, 2, 1, 3).reshape(node.channels, -1)
    params = (*layer.window, *layer.border, int(copied), *product(windows, layer.channels[0]))
    return dataclasses.replace(node, kernel=Kernel.MVE_CONVOLUTION, params=params, scratch=scratch)
