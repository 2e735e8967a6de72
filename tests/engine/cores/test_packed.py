"""Packed weights as kernels with the DSP extension unpack them: those of a plain convolution."""

import dataclasses

import numpy as np
import pytest

from tinyseg.engine.cores import Core
from tinyseg.engine.packed_weights import pack_weights
from tinyseg.engine.program import Data, Kernel, Link, Node, Program
from tinyseg.engine.selection import specialize

HEADER, SLACK = 32, 12


def programs(kernel):
    """A convolution of rows of eight pixels with plain weights, and with packed ones.

    Args:
        kernel: int8 ``(channels out, height, width, channels in)``.
    """
    channels, height, width, depth = kernel.shape
    facts = Data(np.tile([100, 1 << 30, -7], (channels, 1)).astype("<i4").tobytes())
    source = Node(None, (), 8, 8, depth)
    numbers = (height, width, 1, 1, 1, 1, 1, 1, -3, 5, -128, 127)
    plain = (*numbers, Data(kernel.tobytes()), facts)
    packed = (*numbers, 0, facts, *pack_weights(kernel).params)
    node = Node(Kernel.CONVOLUTION, (Link(0),), 8, 8, channels, params=plain)
    few = dataclasses.replace(node, kernel=Kernel.PACKED_CONVOLUTION, params=packed)
    return [Program((source, n), 1, (1,)) for n in (node, few)]


def unpacked(node):
    """Each ChannelPair with the weights that a kernel looks up for it."""
    *_, pairs, headers, stream, tables, bits, pair_bytes, step = node.params
    digits = np.frombuffer(stream.content[:-3], np.uint8).reshape(-1, pair_bytes)
    digits = np.unpackbits(digits, axis=1, bitorder="little", count=4 * pairs * bits)
    indices = digits.reshape(len(digits), -1, 2, bits) @ (1 << np.arange(bits))
    firsts = np.minimum(2 * np.arange(len(digits)), node.channels - 2)
    starts = (firsts[:, None, None] + np.arange(2)) * step
    weights = np.frombuffer(tables.content, np.int8)[indices + starts]
    found = np.frombuffer(headers.content, np.uint8).reshape(-1, HEADER)
    return np.concatenate([found, weights.reshape(len(found), -1).view(np.uint8)], axis=1)


@pytest.mark.parametrize("bits", range(1, 8))
@pytest.mark.parametrize("own", [False, True], ids=["one table", "a table for each channel"])
@pytest.mark.parametrize("channels", [2, 7])
def test_pairs_of_channels_have_the_weights_of_plain_ones(bits, own, channels):
    random = np.random.default_rng(bits)
    tables = [random.choice(256, 1 << bits, replace=False) - 128 for _ in range(channels)]
    tables = np.array(tables if own else tables[:1] * channels, np.int8)
    chosen = random.integers(1 << bits, size=(channels, 3 * 3 * 256))
    kernel = np.take_along_axis(tables, chosen, axis=1).reshape(channels, 3, 3, 256)
    plain, few = (specialize(program, Core.DSP).nodes[1] for program in programs(kernel))
    assert few.kernel == Kernel.DSP_PACKED_CONVOLUTION
    assert plain.kernel == Kernel.DSP_CONVOLUTION
    content = plain.params[-1].content[:-SLACK]
    assert unpacked(few).tobytes() == content
    # Of the plain one's, and a pair of channels.
    assert few.scratch == plain.scratch + len(content) // -(-channels // 2) + SLACK


def test_padding_that_no_table_has_stays_portable():
    # Fifteen bytes of a window's row are one less than four words, and no table has a zero.
    kernel = np.where(np.arange(4 * 9 * 5) % 2, 9, -7).astype(np.int8).reshape(4, 3, 3, 5)
    _, few = (specialize(program, Core.DSP).nodes[1] for program in programs(kernel))
    assert few.kernel == Kernel.PACKED_CONVOLUTION
