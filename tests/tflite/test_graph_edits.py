"""Editing a graph: edits do what they say."""

import numpy as np
import pytest
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests import fixtures
from tests.tflite.drafts import VALID, File, assert_same, conv, on_reference, options
from tests.tflite.peculiar import add_signature, peculiar
from tinyseg.errors import InputError
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.graph import Graph, activation, constant, is_constant, make, scale_of
from tinyseg.tflite.ops.registry import OPS

OPTIONS = {name: op.options for name, op in OPS.items() if op.options}


def additions():
    """An image plus 1, plus 2, plus 3, times ten; with a signature."""
    file = File()
    first = current = file.tensor((1, 2, 2, 1), scale=1.0, name="image")
    for number in (1, 2, 3):
        target = file.tensor((1, 2, 2, 1), scale=1.0, name=f"plus_{number}")
        current = file.operator(
            "ADD", [current, file.constant([number], scale=1.0)], target, options("Add")
        )
    add_signature(file.model, {"image": first}, {"sum": current})
    return file.content([first], [current])


IMAGE = np.array([0, 10, -20, 30], np.int8).reshape(1, 2, 2, 1)


def result(content):
    (made,) = on_reference(content, [IMAGE])
    return made.reshape(-1).tolist()


def test_unedited_sum():
    assert result(additions()) == [6, 16, -14, 36]


def test_plan_keeps_a_true_checksum():
    content = fixtures.quantized()
    graph = Graph(content)
    kernel = next(op for op in graph.operators if op.opcode == "CONV_2D").inputs[1]
    kernel.set_array(np.zeros(kernel.shape, np.int8))
    made = TfliteModel.parse(graph.to_bytes())
    assert made.plan["checksum"] == made.checksum() != TfliteModel.parse(content).checksum()
    without = {key: value for key, value in made.plan.items() if key != "checksum"}
    assert without.items() <= TfliteModel.parse(content).plan.items()


def test_metadata_are_edited_in_place():
    graph = Graph(peculiar())
    graph.metadata["third"] = b"new"
    del graph.metadata["first"]
    made = TfliteModel.parse(graph.to_bytes()).metadata
    assert made == {"second": b"another", "empty": b"", "third": b"new"}


def test_replace_by_two():
    graph = Graph(additions())
    second = graph.operators[1]
    (target,) = second.outputs
    middle = activation("middle", target.shape, target)
    ten = constant("ten", np.array([10], np.int8), target.quantization)
    steps = [
        make("ADD", [second.inputs[0], ten], middle),
        make("ADD", [middle, ten], target),
    ]
    graph.replace(second, steps)
    assert [op.outputs[0].name for op in graph.operators] == [
        "plus_1", "middle", "plus_2", "plus_3"
    ]  # fmt: skip
    assert result(graph.to_bytes()) == [24, 34, 4, 54]


def test_replace_by_nothing_and_redirect():
    graph = Graph(additions())
    second = graph.operators[1]
    graph.replace(second, [])
    graph.redirect(second.outputs[0], second.inputs[0])
    content = graph.to_bytes()
    assert result(content) == [4, 14, -16, 34]
    assert len(TfliteModel.parse(content).tensors) == 5


def test_redirected_output_is_that_of_the_signature():
    graph = Graph(additions())
    graph.redirect(graph.outputs[0], graph.operators[0].outputs[0])
    graph.remove_dead()
    content = graph.to_bytes()
    assert TfliteModel.parse(content).opcodes == ["ADD"]
    assert result(content) == [1, 11, -19, 31]
    runner = fixtures.interpreter(content).get_signature_runner()
    assert runner(image=IMAGE)["sum"].reshape(-1).tolist() == [1, 11, -19, 31]


def test_redirected_input_is_that_of_the_signature():
    graph = Graph(additions())
    first = graph.operators[0]
    graph.replace(first, [])
    graph.redirect(graph.inputs[0], first.outputs[0])
    content = graph.to_bytes()
    assert result(content) == [5, 15, -15, 35]
    assert [entry.tensorIndex for entry in fixtures.unpack(content).signatureDefs[0].inputs] == [
        TfliteModel.parse(content).inputs[0].index
    ]


def test_graph_without_signature():
    content = Graph(additions()).without_signature().to_bytes()
    assert not fixtures.unpack(content).signatureDefs
    assert result(content) == [6, 16, -14, 36]


def test_remove_dead_keeps_what_outputs_need():
    graph = Graph(peculiar())
    graph.outputs[:] = [next(op for op in graph.operators if op.opcode == "ADD").inputs[1]]
    graph.without_signature().remove_dead()
    assert [op.opcode for op in graph.operators] == ["CONV_2D"]
    assert len(graph.tensors) == 4
    model = TfliteModel.parse(graph.to_bytes())
    assert len(fixtures.unpack(model.content).operatorCodes) == 1
    assert len(model.tensors) == 4


def test_unused_tensors_and_buffers_are_not_written():
    graph = Graph(fixtures.quantized())
    first = graph.operators[0]
    graph.outputs[:] = first.outputs
    graph.without_signature()
    graph.operators[:] = [first]
    content = graph.to_bytes()
    assert len(content) < len(fixtures.quantized()) / 2
    assert len(TfliteModel.parse(content).tensors) == 4


def test_who_makes_and_reads_a_tensor():
    graph = Graph(peculiar())
    first, second, third, last = graph.operators
    makers, readers = graph.producers(), graph.consumers()
    assert makers[id(third.inputs[0])] is first
    assert id(graph.inputs[0]) not in makers
    assert readers[id(graph.inputs[0])] == [first, second]
    assert readers[id(third.outputs[0])] == [last]
    assert readers[id(last.outputs[0])] == []


def test_operator_that_reads_a_tensor_twice_is_one_reader():
    file = File()
    source, target = file.tensor((1, 2, 2, 1)), file.tensor((1, 2, 2, 1))
    file.operator("MUL", [source, source], target, options("Mul"))
    graph = Graph(file.content([source], [target]))
    assert graph.consumers()[id(graph.inputs[0])] == graph.operators


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_made_operators_have_options_of_their_kind(name):
    graph = Graph(additions())
    made = make(name, graph.operators[0].inputs, graph.operators[0].outputs[0])
    kind = getattr(schema, f"{OPTIONS[name]}T")
    assert made.opcode == name
    assert type(made.options) is kind
    # Zero would be no stride, dilation or multiplier at all.
    ones = {k for k in vars(kind()) if k.startswith(("stride", "dilation")) or "Multiplier" in k}
    assert all(getattr(made.options, key) == 1 for key in ones)


def test_made_operators_take_values():
    graph = Graph(additions())
    tensor = graph.inputs[0]
    made = make("CONV_2D", [tensor] * 2, tensor, padding=VALID, strideW=3)
    assert (made.options.padding, made.options.strideW) == (VALID, 3)
    with pytest.raises(ValueError, match=r"CONV_2D has no option stride$"):
        make("CONV_2D", [tensor] * 2, tensor, stride=3)


def test_clone_has_options_of_its_own():
    file = File()
    source = file.tensor((1, 4, 4, 3))
    target = conv(file, source, 2, (3, 3))
    content = file.content([source], [target])
    graph = Graph(content)
    (first,) = graph.operators
    (old,) = first.outputs
    copied = first.clone(first.inputs, activation("copy", (1, 2, 2, 2), old))
    copied.options.padding = VALID
    assert first.options.padding != VALID
    graph.operators.append(copied)
    graph.outputs.append(copied.outputs[0])
    padded, inner = on_reference(graph.to_bytes(), [np.full((1, 4, 4, 3), 7, np.int8)])
    np.testing.assert_array_equal(inner, padded[:, 1:3, 1:3])


def test_operator_without_options_has_those_by_default():
    file = File()
    source, target = file.tensor((1, 2, 2, 1)), file.tensor((1, 2, 2, 1), scale=0.2)
    file.operator("ADD", [source, source], target)
    content = file.content([source], [target])
    graph = Graph(content)
    (operator,) = graph.operators
    assert operator.options.fusedActivationFunction == 0
    copied = operator.clone(operator.inputs, operator.outputs[0])
    graph.replace(operator, [copied])
    np.testing.assert_array_equal(
        on_reference(graph.to_bytes(), [IMAGE]), on_reference(content, [IMAGE])
    )


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "float32"])
def test_constants_of_all_types(dtype):
    values = np.arange(-6, 6).reshape(3, 4).astype(dtype).T
    made = constant("values", values)
    assert is_constant(made)
    assert made.shape == (4, 3)
    np.testing.assert_array_equal(made.array(), values, strict=True)


def test_constant_in_a_file():
    graph = Graph(additions())
    second = graph.operators[1]
    second.inputs[1] = constant("hundred", np.array([100], np.int8), graph.inputs[0].quantization)
    content = graph.to_bytes()
    assert result(content) == [104, 114, 84, 127]
    tensor = TfliteModel.parse(content).operators[1].inputs[1]
    assert (tensor.name, tensor.scales.tolist()) == ("hundred", [1.0])


def test_one_constant_of_two_operators_is_stored_once():
    graph = Graph(additions())
    values = np.zeros(1, np.int8)
    other = constant("zero", values, graph.inputs[0].quantization)
    before = len(TfliteModel.parse(graph.to_bytes()).tensors)
    for operator in graph.operators[:2]:
        operator.inputs[1] = other
    content = graph.to_bytes()
    assert len(TfliteModel.parse(content).tensors) == before - 1
    assert result(content) == [3, 13, -17, 33]


def test_activations_are_not_constant():
    graph = Graph(fixtures.quantized())
    assert not is_constant(graph.inputs[0])
    assert not is_constant(None)
    image = TfliteModel.parse(fixtures.quantized()).inputs[0]
    assert scale_of(graph.inputs[0]) == (image.scales[0], image.zero_points[0])


def test_two_graphs_of_one_file_are_apart():
    content = additions()
    first, second = Graph(content), Graph(content)
    first.operators.clear()
    assert_same(second.to_bytes(), content)


@pytest.mark.parametrize("damage", [b"", b"TFL3" * 8, additions()[:200]], ids=len)
def test_damaged_file(damage):
    with pytest.raises(InputError, match=r"^small.tflite: damaged \(\w+\); convert or download"):
        Graph(damage, "small.tflite")
