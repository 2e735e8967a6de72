"""Convolutions as products of windows and weights."""

from __future__ import annotations

import dataclasses

import numpy as np

from tinyseg.engine.cores.mve.packing import GROUP, VECTOR, Layer, product, sources
from tinyseg.engine.program import Data, Kernel, Node, Program


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
    scratch += GROUP * (node.width + 1) if node.channels < GROUP else 0
    windows = weights.transpose(0, 2, 1, 3).reshape(node.channels, -1)
    params: tuple[int | Data, ...] = (
        *layer.window,
        *layer.border,
        int(copied),
        *product(windows, layer.channels[0]),
    )
    return dataclasses.replace(node, kernel=Kernel.MVE_CONVOLUTION, params=params, scratch=scratch)


def transposed(program: Program, node: Node) -> Node | None:
    """Return a TRANSPOSED node for Helium; None for outputs between windows, and large factors."""
    layer, read = Layer.of(node), sources(program.nodes, node)
    height, width, stride_y, stride_x = layer.window[:4]
    weights = layer.weights.reshape(node.channels, height, width, -1)
    phases = [
        # Rows and columns of the input run the other way than those of the window.
        weights[:, y::stride_y, x::stride_x][:, ::-1, ::-1].transpose(0, 2, 1, 3)
        for y in range(stride_y)
        for x in range(stride_x)
    ]
    magnitudes = np.stack([np.abs(w.astype(np.int64)).sum(axis=(1, 2, 3)) for w in phases])
    if read is None or height < stride_y or width < stride_x or not layer.fits(magnitudes):
        return None
    products = [
        part
        for phase, channels in zip(phases, layer.channels, strict=True)
        for part in product(phase.reshape(node.channels, -1), channels)
    ]
    columns = read[0].width + 2 * (-(-width // stride_x) - 1)
    scratch = columns * -(-height // stride_y) * read[0].channels + VECTOR
    scratch += GROUP * (node.width + 1) if node.channels < GROUP else 0
    return dataclasses.replace(
        node,
        kernel=Kernel.MVE_TRANSPOSED,
        params=(*layer.window, *layer.border, *products),
        scratch=scratch,
    )
