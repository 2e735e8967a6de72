"""Convolutions as products of matrices: ``firmware/engine/kernels/dsp/gemm.h``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tinyseg.engine.cores.dsp.finish import finishes, is_signed
from tinyseg.engine.cores.dsp.parts import parts
from tinyseg.engine.cores.dsp.pixels import dot, pixel_table
from tinyseg.engine.program import Data, Kernel, Node, Program

_TILE = 4
_MOST_RUNS = 32
# Weights are unpacked by fours.
_PANEL_SLACK = 24
# Of windows that are multiplied with a pair's weights once these are unpacked. Scratch is shared:
# where a tile of one node takes more, all may have as much.
_BLOCK_BYTES = 6 << 10
_LEAST_BLOCK = 2
_WINDOWED = (Kernel.CONVOLUTION, Kernel.TRANSPOSED)


@dataclasses.dataclass(frozen=True)
class _Border:
    input_zero: int
    zero: int
    least: int
    most: int

    @property
    def signed(self) -> bool:
        return is_signed(self.zero, self.least)


def convolution(program: Program, node: Node) -> Node | None:
    """Return a convolution as a table, a product of vectors or of matrices."""
    return pixel_table(program, node) or dot(program, node) or _product(program, node)


def _product(program: Program, node: Node) -> Node | None:
    numbers, weights, channels = parts(node)
    window, border = numbers[:8], _Border(*numbers[8:])
    height, width, _, stride, _, dilation = window[:6]
    depths = [program.nodes[link.source].channels for link in node.links]
    kernel = weights.reshape(node.channels, height, width, sum(depths))
    is_whole = len(depths) == 1 and (dilation == 1 or width == 1)
    if is_whole:
        runs = [kernel[:, y].reshape(node.channels, -1) for y in range(height)]
    else:
        ends = np.cumsum(depths)[:-1]
        runs = [
            part
            for y in range(height)
            for x in range(width)
            for part in np.split(kernel[:, y, x], ends, axis=1)
        ]
    if node.width < _TILE or len(runs) > _MOST_RUNS:
        return None
    packed = _packed(runs, channels, border)
    if packed is None:
        return None
    pairs = _pairs([run.shape[1] for run in runs])
    strip = ((_TILE - 1) * stride + (width if is_whole else 1)) * max(depths)
    gemm, scratch = _gemm(node.width, node.channels, pairs, strip, border, _block_bytes(program))
    params: tuple[int | Data, ...] = (*window, *gemm, pairs, packed)
    return dataclasses.replace(node, kernel=Kernel.DSP_CONVOLUTION, params=params, scratch=scratch)


def transposed(program: Program, node: Node) -> Node | None:
    """Return a transposed convolution as a product of matrices for each phase of its output."""
    numbers, weights, channels = parts(node)
    window, border = numbers[:8], _Border(*numbers[8:])
    height, width, stride_y, stride_x = window[:4]
    depth = program.nodes[node.links[0].source].channels
    kernel = weights.reshape(node.channels, height, width, depth)
    records = channels.reshape(stride_y, stride_x, node.channels, 3)
    if node.width // stride_x < _TILE or node.channels < 2:
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
            packed = _packed(runs, records[y, x], border)
            if packed is None:
                return None
            pairs = _pairs([run.shape[1] for run in runs])
            phases += [pairs, packed]
            most = max(most, pairs)
    strip = (_TILE - 1 + -(-width // stride_x)) * depth
    gemm, scratch = _gemm(
        -(-node.width // stride_x), node.channels, most, strip, border, _block_bytes(program)
    )
    params: tuple[int | Data, ...] = (*window, *gemm, *phases)
    return dataclasses.replace(node, kernel=Kernel.DSP_TRANSPOSED, params=params, scratch=scratch)


def _block_bytes(program: Program) -> int:
    """Return the bytes that widened windows may take at a time."""
    depths = [_depth(node) for node in program.nodes if node.kernel in _WINDOWED]
    return max(_BLOCK_BYTES, *(_LEAST_BLOCK * _TILE * 2 * depth for depth in depths))


def _depth(node: Node) -> int:
    """Return the products of an output, of a transposed convolution those of its largest phase."""
    numbers, weights, _ = parts(node)
    products = weights.size // node.channels
    if node.kernel == Kernel.CONVOLUTION:
        return products
    height, width, stride_y, stride_x = numbers[:4]
    return products // (height * width) * -(-height // stride_y) * -(-width // stride_x)


def _pairs(runs: Sequence[int]) -> int:
    """Return the pairs of depths of runs of so many bytes."""
    return sum((size + 1) // 4 * 2 + (size % 4 in (1, 2)) for size in runs)


def _gemm(
    pixels: int, channels: int, pairs: int, strip: int, border: _Border, block_bytes: int
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
    tile_bytes = pairs * _TILE * 4
    tiles = -(-pixels // _TILE)
    block = min(tiles, max(block_bytes // tile_bytes, 1))
    block = -(-tiles // -(-tiles // block))
    windows = max(strip // 4 * 4 + 4, 8)
    scratch = pairs * 8 + _PANEL_SLACK + block * tile_bytes + windows
    doubles_weights = channels <= _TILE * block
    gemm = (
        *(border.input_zero, border.least, border.most, int(border.signed), block),
        int(doubles_weights),
    )
    return gemm, scratch


def _packed(runs: list[np.ndarray], channels: np.ndarray, border: _Border) -> Data | None:
    """Return channels and weights as ``ChannelPair`` and what follows it.

    Args:
        runs: weights ``(channels, bytes)`` of each run.
        channels: biases, multipliers and shifts ``(channels, 3)``.
        border: zero points and clamp.

    Returns:
        None if the kernel cannot compute a channel.
    """
    weights = np.concatenate([_in_pairs(run) for run in runs], axis=1)
    bounds = np.abs(weights.astype(np.int64)).sum(axis=(1, 2)) * 128
    finish = finishes(channels, bounds, border.zero, border.signed)
    if finish is None:
        return None
    content = bytearray()
    last = len(channels) - 1
    for first in range(0, len(channels), 2):
        # The last pair may overlap the one before; one channel is computed twice.
        both = [max(min(first, last - 1), 0), min(first + 1, last)]
        content += finish[both, 0].astype("<i4").tobytes()
        content += finish[both, 1:].astype("<i4").tobytes()
        content += weights[both].transpose(1, 2, 0).tobytes()
    # Words are unpacked four at a time.
    return Data(bytes(content) + bytes(12))


def _in_pairs(run: np.ndarray) -> np.ndarray:
    """Return a run's weights ``(channels, bytes)`` as ``(channels, pairs, 2)``.

    Of four bytes the first and third are a pair, and the second and fourth; one or two bytes left
    over are one more, of three the last is with a zero.
    """
    channels, size = run.shape
    words = (size + 1) // 4
    rest = 2 * (size % 4 in (1, 2))
    padded = np.zeros((channels, 4 * words + rest), np.int8)
    padded[:, :size] = run
    whole = padded[:, : 4 * words].reshape(channels, words, 2, 2).transpose(0, 1, 3, 2)
    tail = padded[:, 4 * words :].reshape(channels, rest // 2, 2)
    return np.concatenate([whole.reshape(channels, 2 * words, 2), tail], axis=1)
