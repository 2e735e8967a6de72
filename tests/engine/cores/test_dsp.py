"""Kernels for cores with the DSP extension, in plain C++ on this machine."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine import cases, on_core
from tests.tflite.drafts import SAME, VALID, File, on_tflm, options, random_inputs
from tinyseg.engine.compiled import compiled
from tinyseg.engine.cores import Core
from tinyseg.engine.program import Kernel
from tinyseg.runtime.engine import HostProgram
from tinyseg.tflite import TfliteModel

RELU = 1
# One for each core: M4, M7, M33.
MACHINES = ["mps2_an386", "mps2_an500", "mps2_an505"]


def check(file, inputs, outputs):
    """The bytes of the kernels are TFLM's; returns which kernels they were."""
    content = file.content(inputs, outputs)
    made = compiled(TfliteModel.parse(content), core=Core.DSP)
    runner = HostProgram(made)
    for seed in range(2):
        values = random_inputs(content, seed)
        for found, expected in zip(runner.run(values), on_tflm(content, values), strict=True):
            np.testing.assert_array_equal(found, expected.reshape(found.shape))
    return [node.kernel for node in made.program.nodes if node.kernel is not None]


@pytest.mark.parametrize("kind", cases.KINDS)
@settings(max_examples=25)
@given(st.data())
def test_operators(kind, data):
    case = data.draw(cases.KINDS[kind]())
    check(case.file, case.inputs, case.outputs)


def windowed(kind, source, kernel, channels, *, stride=1, activation=0, multiplier=1):
    """A file of one convolution by a square window, with 'same' padding."""
    random = np.random.default_rng(5)
    depth = source[2]
    channels *= multiplier
    shape = (channels, kernel, kernel, depth) if kind == "Conv2D" else (1, kernel, kernel, channels)
    file = File()
    data = file.tensor((1, *source), scale=0.1, zero_point=-3)
    weights = file.constant(
        random.integers(-128, 128, shape),
        scale=2.0 ** random.uniform(-9, -6, channels),
        axis=0 if kind == "Conv2D" else 3,
    )
    bias = file.constant(random.integers(-9999, 9999, channels), "int32")
    sides = [-(-side // stride) for side in source[:2]]
    zero = -128 if activation else 9
    target = file.tensor((1, *sides, channels), scale=0.1, zero_point=zero)
    setting = options(
        kind, padding=SAME, strideH=stride, strideW=stride, dilationHFactor=1, dilationWFactor=1,
        fusedActivationFunction=activation,
    )  # fmt: skip
    if kind == "DepthwiseConv2D":
        setting.depthMultiplier = multiplier
    name = "CONV_2D" if kind == "Conv2D" else "DEPTHWISE_CONV_2D"
    file.operator(name, [data, weights, bias], target, setting)
    return file, [data], [target]


@pytest.mark.parametrize("width", [61, 62, 63, 64])
@pytest.mark.parametrize("activation", [0, RELU])
def test_windows_of_a_row_that_do_not_fit_scratch_at_once(width, activation):
    """Blocks of tiles, the last tile whole, half or in step."""
    file = windowed("Conv2D", (2, width, 20), 3, 3, activation=activation)
    assert check(*file) == [Kernel.DSP_CONVOLUTION]


def test_windows_are_doubled_where_weights_are_more():
    assert check(*windowed("Conv2D", (2, 9, 6), 3, 40)) == [Kernel.DSP_CONVOLUTION]


@pytest.mark.parametrize(
    ("kernel", "stride", "expected"),
    [
        (1, 1, Kernel.DSP_DEPTHWISE1X1),
        (2, 1, Kernel.DSP_DEPTHWISE2X2),
        (3, 1, Kernel.DSP_DEPTHWISE3X3),
        (3, 2, Kernel.DSP_DEPTHWISE3X3_BY2),
        (5, 1, Kernel.DSP_DEPTHWISE),
        (7, 2, Kernel.DSP_DEPTHWISE),
    ],
)
@pytest.mark.parametrize("width", [9, 14])
def test_depthwise_windows(kernel, stride, expected, width):
    file = windowed("DepthwiseConv2D", (6, width, 5), kernel, 5, stride=stride)
    assert check(*file) == [expected]


def test_convolutions_of_one_value_and_to_one():
    assert check(*windowed("Conv2D", (3, 5, 1), 1, 8)) == [Kernel.DSP_PIXEL_TABLE]
    assert check(*windowed("Conv2D", (3, 5, 12), 1, 1)) == [Kernel.DSP_DOT]


@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize(("channels", "activation"), [(1, 0), (5, RELU), (8, 0)])
def test_rows_of_less_pixels_than_a_tile(width, channels, activation):
    file = windowed("Conv2D", (3, width, 7), 3, channels, activation=activation)
    assert check(*file) == [Kernel.DSP_NARROW]


@pytest.mark.parametrize(("depth", "multiplier"), [(1, 8), (3, 2)])
def test_few_channels_that_become_several(depth, multiplier):
    file = windowed("DepthwiseConv2D", (5, 9, depth), 3, depth, multiplier=multiplier)
    assert check(*file) == [Kernel.DSP_CONVOLUTION]


@pytest.mark.parametrize(
    ("window", "channels", "expected"),
    [
        (4, 9, Kernel.DSP_AVERAGE_POOL),
        (16, 4, Kernel.DSP_AVERAGE_POOL),
        (4, 3, Kernel.AVERAGE_POOL),
        (17, 4, Kernel.AVERAGE_POOL),
    ],
)
def test_means_of_windows(window, channels, expected):
    file = File()
    source = file.tensor((1, 17, 18, channels), zero_point=-9)
    target = file.tensor((1, 18 - window, 19 - window, channels), zero_point=-9)
    setting = options("Pool2D", padding=VALID, strideH=1, strideW=1)
    setting.filterHeight = setting.filterWidth = window
    file.operator("AVERAGE_POOL_2D", [source], target, setting)
    assert check(file, [source], [target]) == [expected]


def added(name, channels):
    """A file of a sum or difference of two tensors of other scales."""
    shape = (1, 4, 9, channels)
    file = File()
    first = file.tensor(shape, scale=0.04, zero_point=-100)
    second = file.tensor(shape, scale=0.03, zero_point=5)
    target = file.tensor(shape, scale=0.05, zero_point=-20)
    file.operator(name, [first, second], target, options(name.title()))
    return file, [first, second], [target]


@pytest.mark.parametrize("name", ["ADD", "SUB"])
@pytest.mark.parametrize("channels", [1, 7, 8])
def test_sums_of_rows_that_fill_words_or_not(name, channels):
    assert check(*added(name, channels)) == [Kernel.DSP_ADD]


def gated(*, read_twice=False):
    """A file of a gate and a factor for each channel behind it."""
    random = np.random.default_rng(0)
    shape = (1, 3, 7, 8)
    file = File()
    values = file.tensor(shape, scale=0.04, zero_point=-100)
    gate = file.tensor((1, 3, 7, 1), scale=1 / 256, zero_point=-128)
    product = file.tensor(shape, scale=0.02, zero_point=-128)
    setting = options("Mul", fusedActivationFunction=RELU)
    file.operator("MUL", [gate, values], product, setting)
    factors = file.constant(random.integers(-128, 128, 8), scale=0.02, zero_point=3)
    target = file.tensor(shape, scale=0.02, zero_point=4)
    file.operator("MUL", [product, factors], target, options("Mul"))
    return file, [values, gate], [product, target] if read_twice else [target]


@pytest.mark.parametrize("read_twice", [False, True])
def test_a_gate_and_the_table_behind_it(read_twice):
    """They are one node unless something else reads the products."""
    kernels = check(*gated(read_twice=read_twice))
    assert kernels == ([Kernel.DSP_GATE, Kernel.DSP_TABLE] if read_twice else [Kernel.DSP_GATE])


def test_what_the_kernels_cannot_compute_stays_portable():
    """A factor of a half and more, without a clamp at the zero point."""
    random = np.random.default_rng(0)
    file = File()
    source = file.tensor((1, 3, 6, 4), scale=0.5)
    weights = file.constant(random.integers(-9, 9, (4, 1, 1, 4)), scale=[2.0] * 4)
    bias = file.constant([0] * 4, "int32")
    target = file.tensor((1, 3, 6, 4), scale=0.5)
    file.operator("CONV_2D", [source, weights, bias], target, options("Conv2D"))
    assert check(file, [source], [target]) == [Kernel.CONVOLUTION]


@pytest.mark.arm
@pytest.mark.parametrize("machine", MACHINES)
def test_on_emulated_cores(machine, tmp_path):
    """What the tests above compare, by the instructions themselves."""
    files = [
        *(windowed("Conv2D", (2, n, 20), 3, 3, activation=n % 2) for n in (61, 62, 63, 64)),
        windowed("Conv2D", (2, 9, 6), 3, 40),
        *(
            windowed("DepthwiseConv2D", (6, 9, 5), k, 5, stride=s)
            for k in (1, 2, 3)
            for s in (1, 2)
        ),
        windowed("Conv2D", (3, 5, 1), 1, 8),
        windowed("Conv2D", (3, 5, 12), 1, 1),
        *(added(name, channels) for name in ("ADD", "SUB") for channels in (1, 7, 8)),
        gated(),
        gated(read_twice=True),
    ]
    runner = on_core.CoreRunner(machine, tmp_path)
    contents = [file.content(inputs, outputs) for file, inputs, outputs in files]
    values = [random_inputs(content, 0) for content in contents]
    requests = [
        on_core.Request(runner.compiled(content), arrays)
        for content, arrays in zip(contents, values, strict=True)
    ]
    for answer, content, arrays in zip(runner.run(requests), contents, values, strict=True):
        for found, expected in zip(answer.outputs, on_tflm(content, arrays), strict=True):
            np.testing.assert_array_equal(found, expected.reshape(found.shape))
