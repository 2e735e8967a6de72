"""Editing a file: what nobody edits comes out as it went in, and edits do what they say."""

from pathlib import Path

import numpy as np
import pytest
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests import fixtures
from tests.tflite import few_values
from tests.tflite.drafts import VALID, File, assert_same, conv, on_reference, options
from tinyseg.errors import InputError
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.graph import Graph, activation, constant, is_constant, make, scale_of
from tinyseg.tflite.lint import lint
from tinyseg.tflite.model import OFFLINE_PLAN
from tinyseg.tflite.ops.registry import OPS

OPTIONS = {name: op.options for name, op in OPS.items() if op.options}
MODELS = Path(__file__).parents[2] / "models"
SHIPPED = {f"{path.stem}-{path.parent.name}": path for path in sorted(MODELS.glob("*/*/*.tflite"))}


def peculiar():
    """A file with what converters seldom write, or only old ones."""
    file = File()
    file.model.description = "peculiar"
    source = file.tensor((1, 4, 4, 3), name="image")
    shared = conv(file, source, 2, seed=1)
    other = conv(file, source, 2, seed=2)
    # Both kernels in one buffer, both biases too.
    tensors = file.graph.tensors
    first, second = (operator.inputs[1:] for operator in file.graph.operators)
    for one, another in zip(first, second, strict=True):
        tensors[another].buffer = tensors[one].buffer
    total = file.tensor((1, 4, 4, 2), scale=0.2)
    file.operator("ADD", [shared, other], total, options("Add"))
    state = file.tensor((1, 8), name="state")
    file.graph.tensors[state].isVariable = True
    file.operator("CUSTOM", [total, -1, state], file.tensor((1, 4, 4, 2), scale=0.2))
    file.model.operatorCodes[-1].customCode = "SignalDelay"
    file.graph.operators[-1].customOptions = np.frombuffer(b"\x01\x02\x03", np.uint8)
    file.graph.tensors[source].shapeSignature = [-1, 4, 4, 3]
    file.graph.name = "main"
    # As converters wrote before 2020: the field of one byte alone.
    for code in file.model.operatorCodes:
        code.builtinCode, code.version = 0, 3
    file.model.metadata, file.model.signatureDefs = [], []
    for name, content in (("first", b"one"), ("second", b"another"), ("empty", b"")):
        entry, buffer = schema.MetadataT(), schema.BufferT()
        entry.name, entry.buffer = name, len(file.model.buffers)
        buffer.data = np.frombuffer(content, np.uint8)
        file.model.buffers.append(buffer)
        file.model.metadata.append(entry)
    last = file.graph.operators[-1].outputs[0]
    add_signature(file.model, {"picture": source}, {"sum": total, "delayed": last})
    return file.content([source], [last, total])


def add_signature(model, inputs, outputs):
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    for name, group in (("inputs", inputs), ("outputs", outputs)):
        entries = []
        for key, index in group.items():
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = key, index
            entries.append(entry)
        setattr(signature, name, entries)
    model.signatureDefs = [signature]


def seed():
    return (fixtures.seed_folder() / "ds_cnn_model_quant.tflite").read_bytes()


FILES = {
    **{name: path.read_bytes for name, path in SHIPPED.items()},
    "int8": fixtures.quantized,
    "int16": lambda: fixtures.quantized("static_wi8_ai16"),
    "float input and output": lambda: fixtures.quantized(io="float32"),
    "float": fixtures.float_twin,
    "packed": lambda: few_values.whole()[1],
    "peculiar": peculiar,
    "seed": seed,
}
REAL = {"seed": [pytest.mark.real_data]}
every_file = pytest.mark.parametrize(
    "content", [pytest.param(name, marks=REAL.get(name, [])) for name in FILES], indirect=True
)


@pytest.fixture
def content(request):
    return FILES[request.param]()


def plain(value):
    """Fields of schema objects as plain values; lists may be arrays, and empty ones absent."""
    if isinstance(value, np.ndarray | list):
        return [plain(item) for item in value] or None
    if isinstance(value, bytes):
        return value.decode()
    if hasattr(value, "__dict__"):
        return {key: plain(field) for key, field in vars(value).items()}
    return value.item() if isinstance(value, np.generic) else value


def facts(content):
    """All that a file says, but for the numbers of its buffers and operator codes."""
    model = fixtures.unpack(content)
    (graph,) = model.subgraphs
    owners = {}
    tensors = []
    for index, tensor in enumerate(graph.tensors):
        data = model.buffers[tensor.buffer].data
        if data is not None and len(data):
            owners.setdefault(tensor.buffer, []).append(index)
        tensor.buffer = b"" if data is None else bytes(data).hex()
        tensors.append(plain(tensor))
    operators = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
        operator.opcodeIndex = [builtin, plain(code.customCode), code.version]
        operators.append(plain(operator))
    return {
        "tensors": tensors,
        "operators": operators,
        "border": [plain(graph.inputs), plain(graph.outputs)],
        "name": plain(graph.name),
        "sharing": sorted(owners.values()),
        "description": plain(model.description),
        "signatures": plain(model.signatureDefs or []),
        "metadata": {
            # Places in the arena are those of one graph: edits drop them.
            name: value
            for name, value in TfliteModel.parse(content).metadata.items()
            if name != OFFLINE_PLAN
        },
        "version": model.version,
    }


@every_file
def test_nothing_is_lost(content):
    written = Graph(content).to_bytes()
    before, after = facts(content), facts(written)
    for key in before:
        assert after[key] == before[key], key
    first, second = TfliteModel.parse(content), TfliteModel.parse(written)
    assert second.checksum() == first.checksum()
    assert len(written) <= len(content) + 1024


@every_file
def test_second_writing_changes_no_byte(content):
    once = Graph(content).to_bytes()
    assert Graph(once).to_bytes() == once


@every_file
def test_writing_leaves_the_graph_as_it_is(content):
    graph = Graph(content)
    assert graph.to_bytes() == graph.to_bytes()


@pytest.mark.parametrize("name", ["int8", "packed"])
def test_written_file_passes_lint(name):
    made = TfliteModel.parse(Graph(FILES[name]()).to_bytes())
    assert not [finding for finding in lint(made) if finding.severity == "error"]


def test_buffers_are_aligned():
    content = Graph(fixtures.quantized()).to_bytes()
    model = schema.Model.GetRootAsModel(content, 0)
    places = [
        model.Buffers(i)._tab.Vector(model.Buffers(i)._tab.Offset(4))
        for i in range(model.BuffersLength())
        if model.Buffers(i).DataLength()
    ]
    assert places
    assert all(place % 16 == 0 for place in places)


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
