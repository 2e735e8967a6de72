"""Equal constants: one tensor where the scheme is the same, one buffer where only bytes are."""

import numpy as np

from tests import fixtures
from tests.tflite.drafts import File, assert_same, conv, on_reference, on_tflm, options
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.graph import Graph
from tinyseg.tflite.lowering.constants import share_constants


def shared(content):
    graph = Graph(content)
    changed = share_constants(graph)
    return graph.to_bytes(), changed


def additions(constants, variable=False):
    """Additions one after the other, each of a constant."""
    file = File()
    first = current = file.tensor((1, 4, 4, 2))
    for number, settings in enumerate(constants):
        values = np.array(settings.pop("values", [10, -20]))
        other = file.constant(values, **settings)
        file.graph.tensors[other].isVariable = variable
        target = file.tensor((1, 4, 4, 2), scale=0.06 + 0.01 * number)
        current = file.operator("ADD", [current, other], target, options("Add"))
    return file.content([first], [current])


def buffers(content):
    """Buffers of the second operands, by operator."""
    graph = fixtures.unpack(content).subgraphs[0]
    return [graph.tensors[operator.inputs[1]].buffer for operator in graph.operators]


def second_operands(content):
    return [operator.inputs[1].index for operator in TfliteModel.parse(content).operators]


def test_equal_ones_become_one():
    content = additions([{}, {}, {}])
    made, merged = shared(content)
    assert len(merged) == 2
    assert len(set(second_operands(made))) == 1
    assert len(set(buffers(made))) == 1
    assert len(TfliteModel.parse(made).tensors) == len(TfliteModel.parse(content).tensors) - 2
    assert_same(content, made)


def test_other_quantization_only_shares_the_buffer():
    content = additions([{"scale": 0.05}, {"scale": 0.02}, {"scale": 0.05, "zero_point": 1}])
    made, merged = shared(content)
    assert not merged
    assert len(set(second_operands(made))) == 3
    assert len(set(buffers(made))) == 1
    assert len(made) < len(content) + 64
    assert_same(content, made)


def test_other_shape_only_shares_the_buffer():
    content = additions([{}, {"values": [[[[10, -20]]]]}])
    made, merged = shared(content)
    assert not merged
    assert len(set(buffers(made))) == 1
    assert_same(content, made)


def test_other_values_stay_apart():
    content = additions([{}, {"values": [10, -21]}])
    made, merged = shared(content)
    assert not merged
    assert len(set(buffers(made))) == 2
    assert_same(content, made)


def test_variables_stay_apart():
    made, merged = shared(additions([{}, {}], variable=True))
    assert not merged
    assert len(set(second_operands(made))) == len(set(buffers(made))) == 2


def test_kernels_by_channel():
    """Kernels of equal bytes whose channels have other scales are not the same."""
    file = File()
    source = file.tensor((1, 4, 4, 3))
    joined = []
    for seed in (1, 1, 2):
        joined.append(conv(file, source, 3, seed=seed))
    kernels = [operator.inputs[1] for operator in file.graph.operators]
    file.graph.tensors[kernels[2]].buffer = file.graph.tensors[kernels[0]].buffer
    content = file.content([source], joined)
    made, merged = shared(content)
    assert len(merged) == 2  # Kernel and bias of the second.
    assert_same(content, made)


def test_constants_that_come_first():
    """The first operand is no less shared than the second."""
    file = File()
    source = current = file.tensor((1, 4, 3, 2))
    for number in range(3):
        other = file.constant([10, -20 + number // 2])
        target = file.tensor((1, 4, 3, 2), scale=0.06 + 0.01 * number)
        current = file.operator("ADD", [other, current], target, options("Add"))
    content = file.content([source], [current])
    made, merged = shared(content)
    first, second, third = (op.inputs[0].index for op in TfliteModel.parse(made).operators)
    assert merged == [TfliteModel.parse(content).operators[1].inputs[0].name]
    assert first == second != third
    assert_same(content, made)


def test_constants_of_what_nothing_needs_do_not_count():
    """They go with their operator, and with them what only it reads."""
    file = File()
    source = file.tensor((1, 4, 3, 2))
    wanted, unwanted = (conv(file, source, 2, seed=1) for _ in range(2))
    content = file.content([source], [wanted])
    graph = Graph(content)
    assert share_constants(graph) == []
    assert len(graph.operators) == 1
    # Image, kernel, bias and result.
    assert len(graph.tensors) == 4
    content = file.content([source], [wanted, unwanted])
    graph = Graph(content)
    assert len(share_constants(graph)) == 2
    assert len(graph.tensors) == 5
    assert_same(content, graph.to_bytes())


def test_what_nothing_needs_goes():
    file = File()
    source = file.tensor((1, 4, 4, 3))
    wanted, unwanted = (conv(file, source, 2, seed=seed) for seed in (1, 2))
    conv(file, unwanted, 2, seed=3)
    content = file.content([source], [wanted])
    made, merged = shared(content)
    assert not merged
    assert TfliteModel.parse(made).opcodes == ["CONV_2D"]
    assert len(made) < len(content)
    assert_same(content, made)


def test_operator_that_reads_the_same_values_twice():
    file = File()
    source = file.tensor((1, 4, 4, 2))
    begins, sizes = (file.constant([0, 1, 1, 1], "int32") for _ in range(2))
    target = file.tensor((1, 1, 1, 1))
    file.operator("SLICE", [source, begins, file.constant([1, 1, 1, 1], "int32")], target)
    other = file.tensor((0, 1, 1, 1))
    content = file.content([source], [target])
    assert sizes
    assert other
    made, merged = shared(content)
    assert not merged
    inputs = [np.arange(32, dtype=np.int8).reshape(1, 4, 4, 2)]
    for run in (on_tflm, on_reference):
        np.testing.assert_array_equal(run(made, inputs), run(content, inputs))
