"""What Helium's kernels are given, and what is left to the portable ones."""

import dataclasses

import numpy as np
import pytest

from tests.tflite.drafts import File, options
from tinyseg.engine.compiled import compiled
from tinyseg.engine.cores import SLACK, Core
from tinyseg.engine.cores.mve.packing import product, starts
from tinyseg.engine.packed_weights import pack_weights
from tinyseg.engine.program import Data, Kernel, Link, Node, Program
from tinyseg.engine.selection import specialize
from tinyseg.tflite import TfliteModel


def convolution(weights, shift=-7, kernel=Kernel.CONVOLUTION, constant=None, own=(), pad=0):
    """A program of one convolution of stride 1.

    Args:
        weights: int8 ``(channels out, height, width, channels in)``, of a depthwise one ``(height,
            width, channels)``.
        pad: rows and columns of padding on each side.
    """
    depthwise = kernel == Kernel.DEPTHWISE
    channels = weights.shape[-1] if depthwise else weights.shape[0]
    height, width = weights.shape[:2] if depthwise else weights.shape[1:3]
    # A depthwise one may make several channels of each.
    depth = weights.shape[-1] // (own[0] if own else 1)
    facts = np.tile([100, 1 << 30, shift], (channels, 1)).astype("<i4")
    source = Node(None, (), height + 3, width + 3, depth, constant=constant)
    params = (
        *(height, width, 1, 1, 1, 1, pad, pad, 0, 0, -128, 127),
        *own,
        Data(weights.astype(np.int8).tobytes()),
        Data(facts.tobytes()),
    )
    side = 4 + 2 * pad
    node = Node(kernel, (Link(0),), side, side, channels, params=params)
    return Program((source, node), int(constant is None), (1,))


def kernel_of(program):
    return specialize(program, Core.MVE).nodes[1].kernel


def test_products_hold_every_weight():
    random = np.random.default_rng(0)
    weights = random.integers(-128, 128, (7, 21)).astype(np.int8)
    channels = np.stack([np.arange(7), 1000 + np.arange(7), -np.arange(7)], axis=1)
    packed, facts, steps = product(weights, channels)
    assert starts(7) == [0, 3]
    assert steps == 2
    groups = np.frombuffer(packed.content, np.int8).reshape(2, steps, 4, 16)
    numbers = np.frombuffer(facts.content, "<i4").reshape(2, 20)
    for group, first in enumerate(starts(7)):
        rows = groups[group].transpose(1, 0, 2).reshape(4, 32)
        np.testing.assert_array_equal(rows[:, :21], weights[first : first + 4])
        assert not rows[:, 21:].any()
        np.testing.assert_array_equal(numbers[group, :8:2], channels[first : first + 4, 0])
        np.testing.assert_array_equal(numbers[group, 8:12], channels[first : first + 4, 1])
        np.testing.assert_array_equal(numbers[group, 12:16], channels[first : first + 4, 2])
    # A shift of 0 rounds nothing, so that a negative sum loses nothing.
    assert numbers[0, 16] == 32
    assert set(numbers[1, 16:]) == {-31}


@pytest.mark.parametrize("channels", [1, 3, 4, 5, 8, 11])
def test_groups_cover_all_channels(channels):
    covered = {c for start in starts(channels) for c in range(start, start + 4)}
    assert set(range(channels)) <= covered
    assert max(covered) < max(channels, 4)


def test_what_kernels_cannot_is_left_to_others():
    weights = np.ones((4, 1, 1, 8))
    assert kernel_of(convolution(weights)) == Kernel.MVE_CONVOLUTION
    assert kernel_of(convolution(weights, shift=0)) == Kernel.MVE_CONVOLUTION
    assert kernel_of(convolution(weights, shift=1)) == Kernel.CONVOLUTION
    # Reading beyond a constant may leave the memory.
    assert kernel_of(convolution(weights, constant=bytes(128))) == Kernel.DSP_CONVOLUTION


@pytest.mark.parametrize(
    ("most", "expected"),
    [(28, 0), (85, 1), (127, 3)],
    ids=["two groups", "three groups", "five groups"],
)
def test_taps_are_added_in_groups_that_fit_16_bits(most, expected):
    weights = np.full((3, 3, 16), most)
    node = specialize(convolution(weights, kernel=Kernel.DEPTHWISE, own=(1,)), Core.MVE).nodes[1]
    assert node.kernel == Kernel.MVE_DEPTHWISE
    assert node.params[13] == expected


@pytest.mark.parametrize("channels", [1, 3, 7])
@pytest.mark.parametrize("values", [2, 40])
def test_packed_weights_are_planes_of_bits(channels, values):
    random = np.random.default_rng(channels)
    weights = random.integers(0, values, (channels, 2, 3, 135)) - 50
    plain = convolution(weights)
    facts = plain.nodes[1].params[-1]
    params = (*plain.nodes[1].params[:12], 0, facts, *pack_weights(weights.astype(np.int8)).params)
    node = dataclasses.replace(plain.nodes[1], kernel=Kernel.PACKED_CONVOLUTION, params=params)
    packed = dataclasses.replace(plain, nodes=(plain.nodes[0], node))
    made, like = (specialize(program, Core.MVE).nodes[1] for program in (packed, plain))
    assert made.kernel == Kernel.MVE_PACKED_CONVOLUTION
    planes, _, steps, tables, bits, step, rest = made.params[13:]
    assert rest == 2 * 3 * 135 - 16 * (steps - 1)
    digits = np.unpackbits(np.frombuffer(planes.content, np.uint8), bitorder="little")
    indices = np.moveaxis(digits.reshape(-1, steps, 4, bits, 16), 3, -1) @ (1 << np.arange(bits))
    expected = np.frombuffer(like.params[13].content, np.int8).reshape(-1, steps, 4, 16)
    for group, first in enumerate(starts(channels)):
        for channel in range(first, min(first + 4, channels)):
            table = np.frombuffer(tables.content, np.int8)[channel * step :]
            found = table[indices[group, :, channel - first]].ravel()[: 2 * 3 * 135]
            lane = expected[group, :, channel - first].ravel()[: 2 * 3 * 135]
            np.testing.assert_array_equal(found, lane)


@pytest.mark.parametrize(
    ("window", "channels", "expected"),
    [
        ((3, 3), 16, Kernel.MVE_DEPTHWISE),
        ((3, 3), 8, Kernel.MVE_DEPTHWISE),
        ((3, 3), 24, Kernel.MVE_DEPTHWISE_ANY),
        ((5, 5), 16, Kernel.MVE_DEPTHWISE_MANY),
    ],
)
def test_kernels_of_windows_and_vectors(window, channels, expected):
    program = convolution(np.ones((*window, channels)), kernel=Kernel.DEPTHWISE, own=(1,))
    assert kernel_of(program) == expected


@pytest.mark.parametrize(
    ("channels", "pad", "rows"), [(16, 0, 0), (16, 1, 1), (8, 0, 0), (8, 1, 3)]
)
def test_rows_are_read_where_they_lie(channels, pad, rows):
    """Scratch has a row of padding, or copies of all rows if a vector has several pixels."""
    weights = np.ones((3, 3, channels))
    program = convolution(weights, kernel=Kernel.DEPTHWISE, own=(1,), pad=pad)
    node = specialize(program, Core.MVE).nodes[1]
    assert node.params[12] == (rows == 3)
    columns = node.width + 2 if rows == 3 else program.nodes[0].width
    assert node.scratch == rows * columns * channels + 16


def test_taps_whose_sums_do_not_fit_are_left_to_others():
    weights = np.full((3, 3, 16), -128)
    program = convolution(weights, kernel=Kernel.DEPTHWISE, own=(1,))
    assert kernel_of(program) == Kernel.DSP_DEPTHWISE3X3
    # Large ones are kept apart from each other.
    weights[:, 1:] = 0
    program = convolution(weights, kernel=Kernel.DEPTHWISE, own=(1,))
    assert kernel_of(program) == Kernel.MVE_DEPTHWISE


def test_few_channels_that_become_several_are_a_product():
    weights = np.ones((3, 3, 8))
    program = convolution(weights, kernel=Kernel.DEPTHWISE, own=(8,))
    assert kernel_of(program) == Kernel.MVE_CONVOLUTION


@pytest.mark.parametrize(
    ("side", "expected"), [(16, Kernel.MVE_AVERAGE_POOL), (17, Kernel.AVERAGE_POOL)]
)
def test_means_whose_sums_fit_16_bits(side, expected):
    window = (side, side, 1, 1, 1, 1, 0, 0, -128, 127)
    source = Node(None, (), 20, 20, 8)
    node = Node(Kernel.AVERAGE_POOL, (Link(0),), 4, 4, 8, params=window)
    assert kernel_of(Program((source, node), 1, (1,))) == expected


@pytest.mark.parametrize(
    ("first", "second", "shift", "expected"),
    [
        ((1 << 30, 0), (1 << 30, -1), -17, Kernel.MVE_ADD),
        ((1 << 29, -3), (-(1 << 30), 0), -17, Kernel.MVE_ADD),
        ((1 << 30, 0), (1 << 30, 0), -17, Kernel.MVE_ADD),
        ((1 << 30, 0), (1 << 30, -1), 0, Kernel.ADD),
        ((1 << 29, -3), (1 << 29, -1), -17, Kernel.ADD),
    ],
)
def test_sums_with_a_factor_of_a_half(first, second, shift, expected):
    params = (*(8, 1, 3), *first, *(8, 1, -5), *second, 20, 1 << 30, shift, 7, -128, 127, 0)
    sources = (Node(None, (), 4, 4, 8), Node(None, (), 4, 4, 8))
    node = Node(Kernel.ADD, (Link(0), Link(1)), 4, 4, 8, params=params)
    program = specialize(Program((*sources, node), 2, (2,)), Core.MVE)
    assert program.nodes[2].kernel == expected


def test_regions_have_bytes_to_spare():
    file = File()
    source, target = file.tensor((1, 4, 4, 8)), file.tensor((1, 2, 2, 8))
    setting = options("Pool2D", strideH=2, strideW=2)
    setting.filterHeight = setting.filterWidth = 2
    file.operator("MAX_POOL_2D", [source], target, setting)
    model = TfliteModel.parse(file.content([source], [target]))
    portable, vector = compiled(model), compiled(model, core=Core.MVE)
    assert vector.ram == portable.ram + SLACK[Core.MVE]
    # A region that is full but for them is too small.
    exact = compiled(model, [portable.ram + SLACK[Core.MVE]], core=Core.MVE)
    assert exact.placement.regions == vector.placement.regions
