"""Convolutions of concatenations, part by part: the same bytes in less memory."""

import numpy as np
import pytest

from tests import fixtures
from tests.tflite.drafts import SAME, File, assert_same, conv, options
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena.memory import predict_arena
from tinyseg.tflite.graph import Graph
from tinyseg.tflite.lowering import avoid_concatenations, lower
from tinyseg.tflite.lowering.concatenations import divide_concatenation, join_rows, split_depthwise


def joined(file, source, widths, axis=3, fused=0):
    """Convolutions of a source, concatenated."""
    _, height, width, _ = file.graph.tensors[source].shape
    parts = [conv(file, source, w, seed=number) for number, w in enumerate(widths)]
    target = file.tensor((1, height, width, sum(widths)), scale=0.1, zero_point=-3)
    settings = options("Concatenation", axis=axis, fusedActivationFunction=fused)
    return file.operator("CONCATENATION", parts, target, settings)


def depthwise(
    widths=(4, 2),
    size=(9, 6),
    axis=3,
    stride=1,
    dilation=1,
    multiplier=1,
    bias=True,
    per_channel=True,
    activation=0,
    returned=False,
):
    """A depthwise convolution of a concatenation; ``bias`` None: named as absent."""
    random = np.random.default_rng(3)
    file = File()
    source = file.tensor((1, *size, 3), zero_point=5)
    data = joined(file, source, widths, axis)
    channels = multiplier * sum(widths)
    scales = random.uniform(0.005, 0.02, channels) if per_channel else 0.01
    weights = random.integers(-127, 128, (1, 3, 3, channels))
    inputs = [data, file.constant(weights, scale=scales, axis=3)]
    if bias:
        inputs.append(file.constant(random.integers(-500, 500, channels), "int32"))
    elif bias is None:
        inputs.append(-1)
    sides = [-(-side // stride) for side in size]
    target = file.tensor((1, *sides, channels), scale=0.2, zero_point=-30)
    settings = options(
        "DepthwiseConv2D",
        padding=SAME,
        strideH=stride,
        strideW=stride,
        dilationHFactor=dilation,
        dilationWFactor=dilation,
        depthMultiplier=multiplier,
        fusedActivationFunction=activation,
    )
    file.operator("DEPTHWISE_CONV_2D", inputs, target, settings)
    return file.content([source], [target, *[data] * returned])


def edited(content, edit, *arguments):
    graph = Graph(content)
    changed = edit(graph, *arguments)
    return graph.to_bytes(), changed


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"widths": (1, 2, 3)},
        {"axis": -1},
        {"stride": 2},
        {"dilation": 2},
        {"bias": False},
        {"per_channel": False},
        {"activation": 1},
        {"per_channel": False, "bias": False, "size": (1, 5)},
    ],
    ids=lambda settings: "-".join(settings) or "plain",
)
def test_depthwise_convolutions_of_parts(settings):
    content = depthwise(**settings)
    made, changed = edited(content, split_depthwise)
    assert changed == [TfliteModel.parse(content).outputs[0].name]
    model = TfliteModel.parse(made)
    assert model.operators[-1].opcode == "CONCATENATION"
    parts = len(settings.get("widths", (4, 2)))
    assert model.opcodes.count("DEPTHWISE_CONV_2D") == parts
    assert_same(content, made)


def test_absent_bias():
    """The schema allows it; no interpreter runs it."""
    made, changed = edited(depthwise(bias=None), split_depthwise)
    assert len(changed) == 1
    parts = [o for o in TfliteModel.parse(made).operators if o.opcode == "DEPTHWISE_CONV_2D"]
    assert [operator.inputs[2] for operator in parts] == [None, None]


@pytest.mark.parametrize(
    "content",
    [depthwise(multiplier=2), depthwise(returned=True)],
    ids=["two_results_a_channel", "returned"],
)
def test_other_depthwise_convolutions_stay(content):
    made, changed = edited(content, split_depthwise)
    assert not changed
    assert TfliteModel.parse(made).checksum() == TfliteModel.parse(content).checksum()


def test_concatenation_of_rows_stays():
    file = File()
    source = file.tensor((1, 4, 4, 3))
    parts = [conv(file, source, 2, seed=seed) for seed in (0, 1)]
    data = file.tensor((1, 8, 4, 2), scale=0.1, zero_point=-3)
    file.operator("CONCATENATION", parts, data, options("Concatenation", axis=1))
    kernel = file.constant(np.ones((1, 3, 3, 2)), scale=[0.01, 0.02], axis=3)
    target = file.tensor((1, 8, 4, 2), scale=0.2)
    settings = options("DepthwiseConv2D", padding=SAME)
    file.operator("DEPTHWISE_CONV_2D", [data, kernel], target, settings)
    content = file.content([source], [target])
    _, changed = edited(content, split_depthwise)
    assert not changed


def pointwise(height=9, widths=(4, 2), size=(1, 1), stride=1, returned=False):
    """A convolution of a concatenation."""
    file = File()
    source = file.tensor((1, height, 6, 3), zero_point=5)
    data = joined(file, source, widths)
    sides = -(-height // stride), -(-6 // stride)
    target = file.tensor((1, *sides, 3), scale=0.2)
    conv(file, data, 3, size, seed=9, target=target)
    operator = file.graph.operators[-1].builtinOptions
    operator.strideH = operator.strideW = stride
    content = file.content([source], [target, *[data] * returned])
    return content, len(file.graph.operators) - 2


@pytest.mark.parametrize("height", [4, 5, 7, 8, 9])
@pytest.mark.parametrize("widths", [(4, 2), (1, 2, 3)], ids=str)
def test_some_rows_after_the_others(height, widths):
    content, position = pointwise(height, widths)
    made, changed = edited(content, divide_concatenation, position)
    assert changed == [TfliteModel.parse(content).outputs[0].name]
    assert TfliteModel.parse(made).opcodes.count("CONCATENATION") == 5
    assert_same(content, made)


@pytest.mark.parametrize(
    "settings",
    [{"height": 3}, {"size": (3, 3)}, {"stride": 2}, {"returned": True}],
    ids=["few_rows", "window", "stride", "returned"],
)
def test_other_convolutions_stay(settings):
    content, position = pointwise(**settings)
    made, changed = edited(content, divide_concatenation, position)
    assert not changed
    assert TfliteModel.parse(made).checksum() == TfliteModel.parse(content).checksum()


def test_any_other_operator_stays():
    content, position = pointwise()
    for other in {*range(position + 2)} - {position}:
        assert not edited(content, divide_concatenation, other)[1]


def test_peak_falls_until_something_else_is_larger():
    content, _ = pointwise(height=32, widths=(8, 8))
    model = TfliteModel.parse(content)
    made, changed = avoid_concatenations(model)
    assert changed > 0
    assert predict_arena(made).lower_bound < predict_arena(model).lower_bound
    assert_same(content, made.content)
    assert avoid_concatenations(made)[1] == 0


@pytest.mark.parametrize("widths", [(4, 2), (1, 2, 3)])
def test_rows_that_were_divided_are_joined_again(widths):
    content, position = pointwise(widths=widths)
    divided, changed = edited(content, divide_concatenation, position)
    made, joined = edited(divided, join_rows)
    assert joined == changed
    assert TfliteModel.parse(made).opcodes == TfliteModel.parse(content).opcodes
    assert_same(content, made)


def test_rows_of_other_kernels_stay():
    file = File()
    source = file.tensor((1, 4, 4, 3))
    parts = [conv(file, source, 2, (1, 1), seed=seed) for seed in (0, 1)]
    data = file.tensor((1, 8, 4, 2), scale=0.1, zero_point=-3)
    file.operator("CONCATENATION", parts, data, options("Concatenation", axis=1))
    content = file.content([source], [data])
    made, changed = edited(content, join_rows)
    assert not changed
    assert TfliteModel.parse(made).opcodes == TfliteModel.parse(content).opcodes


def test_strips_of_a_lowered_file_are_those_of_the_file_before():
    content = fixtures.quantized(size=64)
    before = lower(TfliteModel.parse(content), patches=True)
    lowered = lower(TfliteModel.parse(content)).model
    after = lower(TfliteModel.parse(lowered.content), patches=True)
    assert predict_arena(after.model).total <= predict_arena(before.model).total
