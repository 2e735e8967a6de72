"""Transposed convolutions as sub-pixel convolutions: every kernel, stride, padding and scale."""

import itertools

import numpy as np
import pytest
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests.tflite.drafts import SAME, VALID, File, assert_same, conv, options
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.graph import Graph
from tinyseg.tflite.lowering.transposed_convolution import lower_transposed_convolutions
from tinyseg.tflite.ops.registry import total_cost

RELU = schema.ActivationFunctionType.RELU


def transposed(
    kernel=(3, 3),
    stride=(2, 2),
    padding=SAME,
    size=(5, 4),
    output=None,
    bias="int32",
    per_channel=True,
    dtype="int8",
    activation=0,
    batch=1,
    bias_scales=None,
):
    """A transposed convolution of 3 to 2 channels; ``bias`` is its type, absent or none."""
    random = np.random.default_rng(0)
    if output is None:
        pairs = zip(size, stride, kernel, strict=True)
        output = [n * s if padding == SAME else (n - 1) * s + max(k, s) for n, s, k in pairs]
    file = File()
    shape = file.constant([batch, *output, 2], "int32")
    weights = random.integers(-127, 128, (2, *kernel, 3))
    filters = file.constant(weights, scale=[0.01, 0.017] if per_channel else 0.01)
    zero = 0 if dtype == "int16" else 7
    source = file.tensor((batch, *size, 3), dtype, scale=0.05, zero_point=zero)
    target = file.tensor((batch, *output, 2), dtype, scale=0.21, zero_point=-zero)
    inputs = [shape, filters, source]
    if bias == "absent":
        inputs.append(-1)
    elif bias:
        scale = {} if bias_scales is None else {"scale": bias_scales}
        inputs.append(file.constant(random.integers(-2000, 2000, 2), bias, **scale))
    settings = options(
        "TransposeConv",
        padding=padding,
        strideH=stride[0],
        strideW=stride[1],
        fusedActivationFunction=activation,
    )
    file.operator("TRANSPOSE_CONV", inputs, target, settings)
    return file.content([source], [target])


def lowered(content):
    graph = Graph(content)
    changed = lower_transposed_convolutions(graph)
    return graph.to_bytes(), changed


def assert_lowered(content):
    made, changed = lowered(content)
    assert changed == [TfliteModel.parse(content).outputs[0].name]
    found = set(TfliteModel.parse(made).opcodes)
    assert "DEPTH_TO_SPACE" in found
    assert found <= {"PAD", "CONV_2D", "CONCATENATION", "DEPTH_TO_SPACE"}
    assert_same(content, made)


def assert_left_alone(content):
    made, changed = lowered(content)
    assert not changed
    assert TfliteModel.parse(made).checksum() == TfliteModel.parse(content).checksum()


@pytest.mark.parametrize("per_channel", [True, False], ids=["per_channel", "per_tensor"])
@pytest.mark.parametrize("padding", [SAME, VALID], ids=["same", "valid"])
@pytest.mark.parametrize("stride", [2, 3])
@pytest.mark.parametrize("kernel", [2, 3, 4, 5])
def test_every_kernel(kernel, stride, padding, per_channel):
    """Without padding, only a kernel as large as the stride gives a multiple of the input."""
    content = transposed((kernel,) * 2, (stride,) * 2, padding, per_channel=per_channel)
    if kernel < stride or (padding == VALID and kernel != stride):
        assert_left_alone(content)
    else:
        assert_lowered(content)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (5, 3), (3, 8)])
@pytest.mark.parametrize("kernel", [2, 3, 5])
def test_odd_sizes(kernel, size):
    assert_lowered(transposed((kernel,) * 2, size=size))


@pytest.mark.parametrize("kernel", [(2, 3), (3, 2), (4, 3), (5, 2)])
def test_oblong_kernels(kernel):
    assert_lowered(transposed(kernel))


@pytest.mark.parametrize("per_channel", [True, False], ids=["per_channel", "per_tensor"])
@pytest.mark.parametrize("kernel", [2, 3])
def test_without_bias(kernel, per_channel):
    content = transposed((kernel,) * 2, bias="", per_channel=per_channel)
    assert_lowered(content)


@pytest.mark.parametrize("kernel", [(3, 2), (3, 3)])
def test_bias_keeps_its_scales(kernel):
    """One of each channel, repeated for each phase: of two channels the other is not the same."""
    content = transposed(kernel, bias_scales=[0.0005, 0.00085])
    assert_lowered(content)
    graph = Graph(lowered(content)[0])
    biases = [op.inputs[2] for op in graph.operators if op.opcode == "CONV_2D"]
    assert sum(bias.shape[0] for bias in biases) == 8
    for bias in biases:
        expected = np.tile(np.float32([0.0005, 0.00085]), bias.shape[0] // 2)
        np.testing.assert_array_equal(np.float32(bias.quantization.scales), expected)
        assert list(bias.quantization.zero_points) in ([0], [0] * bias.shape[0])


@pytest.mark.parametrize("size", [(5, 4), (2, 7)])
def test_every_padding_is_made_once(size):
    """Four phases of two by two positions in a window of three: shared where they read alike."""
    made, _ = lowered(transposed((5, 5), size=size))
    pads = [op for op in TfliteModel.parse(made).operators if op.opcode == "PAD"]
    margins = [str(op.inputs[1].array().tolist()) for op in pads]
    assert len(set(margins)) == len(margins)


def test_wide_kernel_beside_narrow_one_reads_each_pad():
    """Padding is shared between phases, whose order is that of the channels all the same."""
    content = transposed((4, 4), size=(3, 5))
    made, _ = lowered(content)
    pads = [op for op in TfliteModel.parse(made).operators if op.opcode == "PAD"]
    margins = [str(op.inputs[1].array().tolist()) for op in pads]
    assert len(set(margins)) == len(margins)
    assert_same(content, made)


def test_only_transposed_convolutions_change():
    """Convolutions before and after have as many inputs and like options."""
    random = np.random.default_rng(1)
    file = File()
    source = file.tensor((1, 4, 5, 2), zero_point=5)
    first = conv(file, source, 3, (3, 2))
    shape = file.constant([1, 8, 10, 2], "int32")
    kernel = file.constant(random.integers(-127, 128, (2, 3, 2, 3)), scale=[0.01, 0.02])
    large = file.tensor((1, 8, 10, 2), scale=0.2, zero_point=-9)
    settings = options("TransposeConv", padding=SAME, strideH=2, strideW=2)
    file.operator("TRANSPOSE_CONV", [shape, kernel, first], large, settings)
    last = conv(file, large, 3, (2, 3), seed=2)
    content = file.content([source], [last, large])
    made, changed = lowered(content)
    assert changed == [TfliteModel.parse(content).outputs[1].name]
    opcodes = TfliteModel.parse(made).opcodes
    assert opcodes[0] == opcodes[-1] == "CONV_2D"
    assert "TRANSPOSE_CONV" not in opcodes
    assert_same(content, made)


def test_stride_one():
    assert_lowered(transposed(stride=(1, 1)))


def test_three_taps_of_stride_two_take_no_more_products():
    content = transposed()
    made, _ = lowered(content)
    assert total_cost(TfliteModel.parse(made)).macs == total_cost(TfliteModel.parse(content)).macs


@pytest.mark.parametrize(
    "settings",
    [
        {"stride": (2, 1)},
        {"kernel": (3, 3), "stride": (1, 3)},
        {"activation": RELU},
        {"dtype": "int16", "bias": "int64"},
        {"output": (11, 9), "padding": VALID},
        {"output": (9, 7)},
    ],
    ids=["stride", "wide_stride", "activation", "int16", "valid", "odd_output"],
)
def test_others_stay(settings):
    assert_left_alone(transposed(**settings))


def test_kernel_that_is_computed_stays():
    """Only its place among the inputs matters: no interpreter runs this."""
    file = File()
    shape = file.constant([1, 8, 8, 2], "int32")
    kernel, source = file.tensor((2, 3, 3, 3)), file.tensor((1, 4, 4, 3))
    target = file.tensor((1, 8, 8, 2))
    settings = options("TransposeConv", padding=SAME, strideH=2, strideW=2)
    file.operator("TRANSPOSE_CONV", [shape, kernel, source], target, settings)
    assert_left_alone(file.content([kernel, source], [target]))


def test_two_of_them_one_after_the_other():
    random = np.random.default_rng(1)
    file = File()
    tensors = [file.tensor((1, 3 * 2**i, 5 * 2**i, 2), scale=0.1 * (i + 1)) for i in range(3)]
    for source, target in itertools.pairwise(tensors):
        shape = file.constant(file.graph.tensors[target].shape, "int32")
        kernel = file.constant(random.integers(-127, 128, (2, 3, 3, 2)), scale=[0.01, 0.02])
        settings = options("TransposeConv", padding=SAME, strideH=2, strideW=2)
        file.operator("TRANSPOSE_CONV", [shape, kernel, source], target, settings)
    content = file.content([tensors[0]], [tensors[2]])
    made, changed = lowered(content)
    assert len(changed) == 2
    assert_same(content, made)
