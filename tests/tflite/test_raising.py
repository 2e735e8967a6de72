"""Lowered files as they were before, for an engine that needs no lowering: the same bytes."""

import numpy as np
import pytest

from tests.tflite.drafts import SAME, VALID, File, assert_same, conv, options
from tests.tflite.lowering.test_broadcasts import gated
from tests.tflite.lowering.test_transposed_convolution import transposed
from tinyseg.engine.compiled import compiled
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.graph import Graph
from tinyseg.tflite.lowering.broadcasts import match_shapes
from tinyseg.tflite.lowering.transposed_convolution import lower_transposed_convolutions
from tinyseg.tflite.raising import raise_graph


def changed(content, *edits):
    graph = Graph(content)
    made = [name for edit in edits for name in edit(graph)]
    return graph.to_bytes(), made


def opcodes(content):
    return [operator.opcode for operator in TfliteModel.parse(content).operators]


@pytest.mark.parametrize("per_channel", [True, False], ids=["per_channel", "per_tensor"])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [
        ((2, 2), 2, SAME),
        ((2, 2), 2, VALID),
        ((3, 3), 2, SAME),
        ((4, 4), 2, SAME),
        ((5, 5), 2, SAME),
        ((3, 3), 3, SAME),
        ((5, 5), 3, SAME),
        ((3, 4), 2, SAME),
        ((5, 2), 2, SAME),
    ],
)
def test_transposed_convolutions(kernel, stride, padding, per_channel):
    content = transposed(kernel, (stride, stride), padding, per_channel=per_channel)
    lowered, _ = changed(content, lower_transposed_convolutions)
    raised, names = changed(lowered, raise_graph)
    assert opcodes(raised) == ["TRANSPOSE_CONV"]
    assert names == [TfliteModel.parse(content).outputs[0].name]
    assert_same(content, raised)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1)])
def test_thin_images(size):
    content = transposed((3, 3), size=size, bias="")
    lowered, _ = changed(content, lower_transposed_convolutions)
    raised, _ = changed(lowered, raise_graph)
    assert opcodes(raised) == ["TRANSPOSE_CONV"]
    assert_same(content, raised)


def phases(window=(1, 1), depth=8):
    """DEPTH_TO_SPACE of a convolution."""
    file = File()
    source = file.tensor((1, 5, 4, 3), scale=0.05, zero_point=7)
    made = conv(file, source, depth, window)
    target = file.tensor((1, 10, 8, depth // 4), scale=0.1, zero_point=-3)
    file.operator("DEPTH_TO_SPACE", [made], target, options("DepthToSpace", blockSize=2))
    return file.content([source], [target])


def test_what_is_no_transposed_convolution_stays():
    """Channels with biases of their own in each phase, windows that padding closes."""
    for content in (phases(), phases((3, 3))):
        made, names = changed(content, raise_graph)
        assert not names
        assert opcodes(made) == opcodes(content)


@pytest.mark.parametrize("name", ["MUL", "ADD"])
@pytest.mark.parametrize("upsample", [0, 3])
@pytest.mark.parametrize("swapped", [False, True], ids=["second", "first"])
def test_gates(name, upsample, swapped):
    content = gated(name, swapped, upsample)
    lowered, _ = changed(content, match_shapes)
    assert opcodes(lowered) != opcodes(content)
    raised, names = changed(lowered, raise_graph)
    assert len(names) == 1
    assert sorted(opcodes(raised)) == sorted(opcodes(content))
    assert_same(content, raised)


def test_constants_of_channels():
    file = File()
    source = file.tensor((1, 6, 9, 4), scale=0.05, zero_point=9)
    factor = file.constant(np.arange(-2, 2), scale=0.01)
    target = file.tensor((1, 6, 9, 4), scale=0.08, zero_point=-20)
    file.operator("MUL", [source, factor], target, options("Mul"))
    content = file.content([source], [target])
    lowered, _ = changed(content, match_shapes)
    raised, _ = changed(lowered, raise_graph)
    assert opcodes(raised) == ["MUL"]
    assert_same(content, raised)


def test_the_engine_needs_less_for_what_was_raised():
    """Rows that are padded, and phases that wait for one another, are none any more."""
    content = transposed((3, 3), size=(16, 16))
    lowered, _ = changed(content, lower_transposed_convolutions)
    before, after = (compiled(TfliteModel.parse(made)) for made in (content, lowered))
    assert before.placement.regions == after.placement.regions
    assert len(before.program.nodes) == len(after.program.nodes) == 2


def test_a_damaged_file_is_left_to_those_who_tell_of_it():
    graph = Graph(changed(transposed(), lower_transposed_convolutions)[0])
    for operator in graph.operators:
        if operator.opcode == "DEPTH_TO_SPACE":
            operator.options.blockSize = 0
    assert raise_graph(graph) == []
    graph.operators[-1].inputs = []
    assert raise_graph(graph) == []
