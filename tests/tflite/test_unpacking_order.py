"""Packed files as others might write them: tensors, operators and codes in another order."""

import numpy as np
import pytest
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests import fixtures
from tests.tflite.drafts import File, add_metadata, assert_same, conv, options
from tests.tflite.few_values import draw
from tinyseg.errors import InputError
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.ops.decode import NAME as DECODE
from tinyseg.tflite.packing import is_packed, pack, unpack


def plain_file(last=None):
    """Three convolutions with few distinct weights; a signature of two outputs, metadata."""
    file = File()
    image = file.tensor((1, 3, 4, 16), name="image")
    middle = conv(file, image, 48)
    end = conv(file, middle, 24, seed=1)
    other = conv(file, middle, 40, seed=2)
    for number, distinct in ((1, 3), (4, 7), (7, 2)):
        tensor = file.graph.tensors[number]
        values = draw(np.random.default_rng(number), tuple(tensor.shape), 0, distinct, own=False)
        file.model.buffers[tensor.buffer].data = np.frombuffer(values.tobytes(), np.uint8)
    if last:
        shape = file.constant([1, 3, 4, 24], "int32")
        end = file.operator(last, [end, shape], file.tensor((1, 3, 4, 24), scale=0.1))
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    signature.inputs, signature.outputs = [entry("x", image)], [entry("a", other), entry("b", end)]
    file.model.signatureDefs = [signature]
    content = file.content([image], [other, end])
    model = fixtures.unpack(content)
    add_metadata(model, "others", b"anything")
    return fixtures.pack(model)


def entry(name, index):
    made = schema.TensorMapT()
    made.name, made.tensorIndex = name, index
    return made


def reordered(content):
    """The same file with its tensors, buffers but the empty one, and codes the other way round."""
    model = fixtures.unpack(content)
    graph = model.subgraphs[0]
    tensors, codes = len(graph.tensors) - 1, len(model.operatorCodes) - 1
    for holder in (graph, *graph.operators):
        for name in ("inputs", "outputs"):
            setattr(holder, name, [tensors - index for index in getattr(holder, name)])
    for operator in graph.operators:
        operator.opcodeIndex = codes - operator.opcodeIndex
        operator.intermediates = [operator.outputs[0]]
    for signature in model.signatureDefs:
        for each in (*signature.inputs, *signature.outputs):
            each.tensorIndex = tensors - each.tensorIndex
    for holder in (*graph.tensors, *model.metadata):
        holder.buffer = holder.buffer and len(model.buffers) - holder.buffer
    model.buffers[1:] = model.buffers[:0:-1]
    model.operatorCodes.reverse()
    graph.tensors.reverse()
    return fixtures.pack(model)


def described(content):
    """Names where a file has numbers."""
    model = fixtures.unpack(content)
    graph = model.subgraphs[0]
    names = [tensor.name for tensor in graph.tensors]
    (signature,) = model.signatureDefs
    return (
        [names[index] for index in (*graph.inputs, *graph.outputs)],
        [(each.name, names[each.tensorIndex]) for each in (*signature.inputs, *signature.outputs)],
        [[names[index] for index in (*op.inputs, *op.outputs)] for op in graph.operators],
        TfliteModel.parse(content).opcodes,
        TfliteModel.parse(content).metadata,
    )


def test_unpacking_in_another_order():
    plain = plain_file()
    packed = reordered(pack(plain))
    assert TfliteModel.parse(packed).opcodes == [DECODE, "CONV_2D"] * 3
    # What goes stands in front of what stays: every number changes.
    assert TfliteModel.parse(packed).operators[0].outputs[0].index < 3
    back = unpack(packed)
    assert described(back) == described(plain)
    edited = fixtures.unpack(back)
    graph = edited.subgraphs[0]
    assert len(graph.tensors) == len(fixtures.unpack(plain).subgraphs[0].tensors)
    for operator in graph.operators:
        assert list(operator.intermediates) == list(operator.outputs)
        # TFLM has no such tensors.
        operator.intermediates = None
    assert_same(plain, fixtures.pack(edited), images=1)
    assert len(edited.buffers) == len(fixtures.unpack(plain).buffers)
    assert [code.builtinCode for code in edited.operatorCodes] == [schema.BuiltinOperator.CONV_2D]


def test_operators_of_newer_codes_stay_what_they_are():
    """Codes above 127 leave the older of both fields at 127; old files fill that one alone."""
    plain = plain_file("BROADCAST_TO")
    opcodes = [*TfliteModel.parse(plain).opcodes]
    assert opcodes[-1] == "BROADCAST_TO"
    model = fixtures.unpack(plain)
    model.operatorCodes[0].builtinCode = 0
    for content in (plain, fixtures.pack(model)):
        found = TfliteModel.parse(pack(content)).opcodes
        assert found == [*[DECODE, "CONV_2D"] * 3, "BROADCAST_TO"]
        assert TfliteModel.parse(unpack(pack(content))).opcodes == opcodes


def test_other_custom_operators_are_not_unpacked():
    file = File()
    image = file.tensor((1, 2, 2, 8))
    end = file.operator("ADD", [image, image], file.tensor((1, 2, 2, 8)), options("Add"))
    code = file.model.operatorCodes[0]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = "Others"
    content = file.content([image], [end])
    assert TfliteModel.parse(content).operators[0].custom
    assert not is_packed(TfliteModel.parse(content))
    assert unpack(content) is content
    assert pack(content) is content


@pytest.mark.parametrize("position", [0, 1])
def test_indices_and_tables_are_unsigned(position):
    model = fixtures.unpack(pack(plain_file()))
    graph = model.subgraphs[0]
    graph.tensors[graph.operators[0].inputs[position]].type = schema.TensorType.INT8
    with pytest.raises(InputError, match="lacks its data"):
        unpack(fixtures.pack(model))
