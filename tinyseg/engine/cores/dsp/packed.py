"""Convolutions whose weights stay packed in flash: unpacked for a pair of channels at a time."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from tinyseg.engine.cores.dsp.convolutions import product
from tinyseg.engine.program import Data, Kernel, Node, Program

# Of a ChannelPair, and of weights behind the last ones that the loops read.
_HEADER, _SLACK = 32, 12
# Indices are read by words, at any address.
_BEYOND = 3


class Packed(NamedTuple):
    """Weights of a PACKED_CONVOLUTION.

    Attributes:
        indices: of each channel's table ``(channels, weights)``.
        rows: int8 ``(channels, values)``, a table for each channel.
        tables: as they are stored.
        bits: of an index.
        step: between tables; 0 if there is one.
    """

    indices: np.ndarray
    rows: np.ndarray
    tables: Data
    bits: int
    step: int

    @classmethod
    def of(cls, program: Program, node: Node) -> Packed:
        """Return the weights of a node."""
        indices, tables, bits, filter_bytes, step = node.params[-5:]
        assert isinstance(indices, Data)
        assert isinstance(tables, Data)
        assert isinstance(bits, int)
        assert isinstance(filter_bytes, int)
        assert isinstance(step, int)
        values = np.frombuffer(tables.content, np.int8)
        rows = values.reshape(node.channels, step) if step else np.tile(values, (node.channels, 1))
        numbers = _indices(indices.content, bits, filter_bytes)[:, : _filter(program, node)]
        return cls(np.minimum(numbers, rows.shape[1] - 1), rows, tables, bits, step)

    def plain(self, node: Node) -> Node:
        """Return the convolution with weights that are not packed."""
        weights = np.take_along_axis(self.rows, self.indices, axis=1)
        params = (*node.params[:12], Data(weights.tobytes()), node.params[-6])
        return dataclasses.replace(node, kernel=Kernel.CONVOLUTION, params=params, scratch=0)


def packed_convolution(program: Program, node: Node) -> Node | None:
    """Return a PACKED_CONVOLUTION as a product of matrices; None where its plain form is none."""
    found = Packed.of(program, node)
    rows, tables, bits, step = found.rows, found.tables, found.bits, found.step
    made = product(program, found.plain(node))
    if made is None or node.channels < 2:
        return None
    *numbers, pairs, data = made.params
    assert isinstance(pairs, int)
    assert isinstance(data, Data)
    record = _HEADER + 4 * pairs
    records = np.frombuffer(data.content, np.uint8)[:-_SLACK].reshape(-1, record)
    last = node.channels - 1
    firsts = [min(2 * i, last - 1) for i in range(len(records))]
    stream = _stream(records[:, _HEADER:].view(np.int8), rows, firsts, bits)
    if stream is None:
        return None
    headers = Data(records[:, :_HEADER].tobytes())
    params: tuple[int | Data, ...] = (
        *(*numbers, pairs, headers),
        *(Data(stream.tobytes() + bytes(_BEYOND)), tables, bits, stream.shape[1], step),
    )
    return dataclasses.replace(
        made,
        kernel=Kernel.DSP_PACKED_CONVOLUTION,
        params=params,
        scratch=made.scratch + record + _SLACK,
    )


def _filter(program: Program, node: Node) -> int:
    height, width = node.params[:2]
    assert isinstance(height, int)
    assert isinstance(width, int)
    return height * width * sum(program.nodes[link.source].channels for link in node.links)


def _indices(indices: bytes, bits: int, filter_bytes: int) -> np.ndarray:
    """Return numbers ``(channels, as many as the bytes hold)``."""
    stored = np.frombuffer(indices, np.uint8).reshape(-1, filter_bytes)
    digits = np.unpackbits(stored, axis=1, bitorder="little")
    count = digits.shape[1] // bits
    digits = digits[:, : count * bits].reshape(len(stored), count, bits)
    return (digits << np.arange(bits, dtype=np.uint8)).sum(axis=2, dtype=np.int64)


def _stream(
    weights: np.ndarray, tables: np.ndarray, firsts: list[int], bits: int
) -> np.ndarray | None:
    """Return indices ``(pairs of channels, bytes)``; None if a table lacks a padding zero.

    Args:
        weights: int8 ``(pairs of channels, weights)``, those of both channels by turns.
        tables: int8 ``(channels, values)``.
        firsts: first channel of each pair.
        bits: of an index.
    """
    found = np.zeros(weights.shape, np.uint8)
    for row, (values, first) in enumerate(zip(weights, firsts, strict=True)):
        for which in range(2):
            equal = values[which::2, None] == tables[first + which]
            if not equal.any(axis=1).all():
                return None
            found[row, which::2] = equal.argmax(axis=1)
    digits = found[..., None] >> np.arange(bits, dtype=np.uint8) & 1
    return np.packbits(digits.reshape(len(weights), -1), axis=1, bitorder="little")
