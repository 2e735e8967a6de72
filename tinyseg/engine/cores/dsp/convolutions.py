"""Convolutions as products of matrices: ``firmware/engine/kernels/dsp/gemm.h``."""

from __future__ import annotations

import dataclasses

from tinyseg.engine.cores.dsp.packing import Border, packed, pairs_of, windows
from tinyseg.engine.cores.dsp.parts import parts
from tinyseg.engine.program import Data, Kernel, Node, Program

TILE = 4
_MOST_RUNS = 32
# Weights are unpacked by fours.
_PANEL_SLACK = 24
# Of windows that are multiplied with a pair's weights once these are unpacked. Scratch is shared:
# where a tile of one node takes more, all may have as much.
_BLOCK_BYTES = 6 << 10
_LEAST_BLOCK = 2
_WINDOWED = (Kernel.CONVOLUTION, Kernel.PACKED_CONVOLUTION, Kernel.TRANSPOSED)


def product(program: Program, node: Node) -> Node | None:
    """Return a convolution of four pixels a row and more as a product of matrices."""
    found = windows(program, node)
    window, border, runs = found.window, found.border, found.runs
    width, stride, depth = window[1], window[3], max(found.depths)
    if node.width < TILE or len(runs) > _MOST_RUNS:
        return None
    data = packed(runs, found.channels, border.zero, border.signed)
    if data is None:
        return None
    pairs = pairs_of([run.shape[1] for run in runs])
    strip = ((TILE - 1) * stride + (width if found.is_whole else 1)) * depth
    gemm, scratch = _gemm(node.width, node.channels, pairs, strip, border, _block_bytes(program))
    params: tuple[int | Data, ...] = (*window, *gemm, pairs, data)
    return dataclasses.replace(node, kernel=Kernel.DSP_CONVOLUTION, params=params, scratch=scratch)


def transposed(program: Program, node: Node) -> Node | None:
    """Return a transposed convolution as a product of matrices for each phase of its output."""
    numbers, weights, channels = parts(node)
    window, border = numbers[:8], Border(*numbers[8:])
    height, width, stride_y, stride_x = window[:4]
    depth = program.nodes[node.links[0].source].channels
    kernel = weights.reshape(node.channels, height, width, depth)
    records = channels.reshape(stride_y, stride_x, node.channels, 3)
    if node.width // stride_x < TILE or node.channels < 2:
        return None
    if height < stride_y or width < stride_x or height > _MOST_RUNS:
        return None
    phases: list[int | Data] = []
    most = 0
    for y in range(stride_y):
        for x in range(stride_x):
            # Neighbouring columns of the input meet the window's columns backwards.
            part = kernel[:, y::stride_y, x::stride_x][:, :, ::-1]
            runs = [part[:, tap].reshape(node.channels, -1) for tap in range(part.shape[1])]
            data = packed(runs, records[y, x], border.zero, border.signed)
            if data is None:
                return None
            pairs = pairs_of([run.shape[1] for run in runs])
            phases += [pairs, data]
            most = max(most, pairs)
    strip = (TILE - 1 + -(-width // stride_x)) * depth
    gemm, scratch = _gemm(
        -(-node.width // stride_x), node.channels, most, strip, border, _block_bytes(program)
    )
    params: tuple[int | Data, ...] = (*window, *gemm, *phases)
    return dataclasses.replace(node, kernel=Kernel.DSP_TRANSPOSED, params=params, scratch=scratch)


def _block_bytes(program: Program) -> int:
    """Return the bytes that widened windows may take at a time."""
    depths = [
        _depth(program, node)
        for node in program.nodes
        if node.kernel in _WINDOWED and node.width >= TILE
    ]
    return max([_BLOCK_BYTES, *(_LEAST_BLOCK * TILE * 2 * depth for depth in depths)])


def _depth(program: Program, node: Node) -> int:
    """Return the products of an output, of a transposed convolution those of its largest phase."""
    height, width, stride_y, stride_x = (part for part in node.params[:4] if isinstance(part, int))
    depth = sum(program.nodes[link.source].channels for link in node.links)
    if node.kernel != Kernel.TRANSPOSED:
        return height * width * depth
    return depth * -(-height // stride_y) * -(-width // stride_x)


def _gemm(
    pixels: int, channels: int, pairs: int, strip: int, border: Border, block_bytes: int
) -> tuple[tuple[int, ...], int]:
    """Return ``GemmParams`` of rows of so many pixels, and the bytes of scratch.

    Args:
        pixels: of the widest row.
        channels: of the output.
        pairs: of depths, of the largest product.
        strip: bytes of a row under the windows of a tile.
        block_bytes: that widened windows may take.
        border: zero points and clamp.
    """
    tile_bytes = pairs * TILE * 4
    tiles = -(-pixels // TILE)
    block = min(tiles, max(block_bytes // tile_bytes, 1))
    block = -(-tiles // -(-tiles // block))
    windows = max(strip // 4 * 4 + 4, 8)
    scratch = pairs * 8 + _PANEL_SLACK + block * tile_bytes + windows
    doubles_weights = channels <= TILE * block
    gemm = (
        *(border.input_zero, border.least, border.most, int(border.signed), block),
        int(doubles_weights),
    )
    return gemm, scratch
