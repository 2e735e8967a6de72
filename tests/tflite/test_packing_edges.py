"""Where packing begins to pay, which table it takes, and what a packed file looks like inside."""

import numpy as np
import pytest
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests import fixtures
from tests.tflite import drafts
from tests.tflite.drafts import File, assert_same, conv
from tests.tflite.few_values import conv_file, draw, inputs_of, tflm
from tinyseg.errors import InputError
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.ops.decode import NAME as DECODE
from tinyseg.tflite.packing import is_packed, pack, packed_bits, unpack, unpacked


def weights_of(elements, distinct, channels=1, own=False, seed=0):
    random = np.random.default_rng(seed)
    return draw(random, (channels, 1, 1, elements // channels), 0, distinct, own)


def decoders(content):
    return [op for op in TfliteModel.parse(content).operators if op.opcode == DECODE]


def table(content):
    """Bits, axis in the header, stride and bytes of the only packed tensor."""
    (operator,) = decoders(content)
    encoded, ancillary = operator.inputs
    header = ancillary.data
    bits = header[5] & 7
    assert len(encoded.data) == -(-operator.outputs[0].elements * bits // 8)
    return bits, header[5] >> 4, header[6], len(header) - 16


def few_valued(file, number, distinct):
    """Give the kernel of that number so many values."""
    tensor = file.graph.tensors[number]
    values = draw(np.random.default_rng(0), tuple(tensor.shape), 0, distinct, own=False)
    file.model.buffers[tensor.buffer].data = np.frombuffer(values.tobytes(), np.uint8)


def two_kernels(elements, name):
    """A kernel that gains much, and one of so many weights of two values."""
    file = File()
    image = file.tensor((1, 2, 2, 16))
    end = conv(file, conv(file, image, elements), 1, seed=1)
    few_valued(file, 1, 2)
    few_valued(file, 4, 2)
    file.graph.tensors[4].name = name
    return file.content([image], [end])


@pytest.mark.parametrize(
    ("elements", "name", "packs"),
    [
        # 22 bytes of indices, a header of 16, 2 values, 128 for the operator, 8 for the name.
        (176, "tensor_4", False),
        # 23 bytes of indices.
        (177, "tensor_4", False),
        (178, "tensor_4", True),
        # The name counts in bytes.
        (178, "tens\u00f6r_4", False),
        (178, "tensor_40", False),
        (177, "tensor4", True),
    ],
)
def test_packing_begins_where_it_pays_for_its_operator(elements, name, packs):
    packed = pack(two_kernels(elements, name))
    expected = {"tensor_1", name} if packs else {"tensor_1"}
    assert packed_bits(TfliteModel.parse(packed)).keys() == expected


def test_one_table_or_one_for_each_channel_whichever_is_smaller():
    scales = [0.01 + 0.001 * channel for channel in range(8)]
    # 3 values in all, of 2 bits: tables of each channel would be 8 times as long.
    one = pack(conv_file(weights_of(800, 3, 8, own=False), scales))
    assert table(one) == (2, 15, 0, 3)
    # 3 values in each channel, far more in all.
    each = pack(conv_file(weights_of(1600, 3, 8, own=True), scales))
    assert table(each) == (2, 0, 3, 8 * 3)
    # Nearly as many in one channel as in all: a bit less does not pay for 8 tables of 17.
    mixed = weights_of(800, 17, 8, own=False)
    assert table(pack(conv_file(mixed, scales))) == (5, 15, 0, 17)


def test_the_channel_of_most_values_sets_bits_and_stride():
    weights = weights_of(4096, 4, 8, own=True)
    few = np.unique(weights[5])
    weights[5, 0, 0, :5] = [value for value in range(-128, 128) if value not in few][:5]
    scales = [0.01] * 8
    packed = pack(conv_file(weights, scales))
    assert table(packed) == (4, 0, 9, 8 * 9)
    inputs = inputs_of(packed, images=1)
    expected = tflm(conv_file(weights, scales), inputs)
    assert len(np.unique(expected)) > 20
    np.testing.assert_array_equal(tflm(packed, inputs), expected)


@pytest.mark.parametrize(("distinct", "bits"), [(128, 7), (129, None)])
def test_seven_bits_are_the_most(distinct, bits):
    content = conv_file(weights_of(6000, distinct))
    packed = pack(content)
    assert packed_bits(TfliteModel.parse(packed)) == ({"tensor_1": bits} if bits else {})
    assert (packed is content) == (bits is None)


def test_what_is_packed_has_no_scales_and_its_table_no_name():
    content = conv_file(weights_of(800, 3, 8), [0.01] * 8)
    (operator,) = decoders(pack(content))
    encoded, ancillary = operator.inputs
    assert (encoded.name, encoded.scales.size, encoded.zero_points.size) == ("tensor_1", 0, 0)
    assert ancillary.name == ""
    assert operator.outputs[0].name == "tensor_1_decoded"


def two_layers():
    """Two convolutions of other shapes, with 3 and 7 distinct weights, and an unused tensor."""
    file = File()
    image = file.tensor((1, 3, 4, 16), name="image")
    file.tensor((1, 2), name="unused")
    end = conv(file, conv(file, image, 48), 24, seed=1)
    few_valued(file, 2, 3)
    few_valued(file, 5, 7)
    return file.content([image], [end])


def merged(content):
    """A packed file whose one operator decodes both tensors, as TFLM's may."""
    model = fixtures.unpack(content)
    graph = model.subgraphs[0]
    first, second = [op for op in graph.operators if len(op.inputs) == 2]
    first.inputs = [*first.inputs, *second.inputs]
    first.outputs = [*first.outputs, *second.outputs]
    graph.operators = [op for op in graph.operators if op is not second]
    return fixtures.pack(model)


def test_an_operator_that_decodes_two_tensors():
    plain = two_layers()
    packed = pack(plain)
    assert len(decoders(packed)) == 2
    one = merged(packed)
    assert [len(op.outputs) for op in decoders(one)] == [2]
    expected = {"tensor_2": 2, "tensor_5": 3}
    assert packed_bits(TfliteModel.parse(one)) == packed_bits(TfliteModel.parse(packed)) == expected
    for content in (packed, one):
        back = unpack(content)
        assert TfliteModel.parse(back).checksum() == TfliteModel.parse(plain).checksum()
        assert_same(plain, back, images=1)
    inputs = drafts.random_inputs(plain)
    for found, wanted in zip(
        drafts.on_tflm(one, inputs), drafts.on_tflm(plain, inputs), strict=True
    ):
        np.testing.assert_array_equal(found, wanted)


def test_unused_tensors_and_names_come_back():
    plain = two_layers()
    back = unpack(pack(plain))
    old, new = TfliteModel.parse(plain), TfliteModel.parse(back)
    assert [t.name for t in new.tensors] == [t.name for t in old.tensors]
    assert [t.name for t in new.tensors][:3] == ["image", "unused", "tensor_2"]
    # Nothing is left that no tensor and no operator refers to.
    edited = fixtures.unpack(back)
    used = {tensor.buffer for tensor in edited.subgraphs[0].tensors}
    used |= {entry.buffer for entry in edited.metadata or []}
    assert used | {0} == set(range(len(edited.buffers)))
    assert {op.opcodeIndex for op in edited.subgraphs[0].operators} == {0}
    assert len(edited.operatorCodes) == 1


def test_unpacked_keeps_path_and_what_is_plain():
    plain = TfliteModel.parse(two_layers(), "plain.tflite")
    assert unpacked(plain) is plain
    packed = TfliteModel.parse(pack(plain.content), "packed.tflite")
    made = unpacked(packed)
    assert made.path == "packed.tflite"
    assert not is_packed(made)


def test_custom_operators_of_a_convolution_s_name_stay_plain():
    content = conv_file(weights_of(800, 3, 8))
    assert is_packed(TfliteModel.parse(pack(content)))
    model = fixtures.unpack(content)
    code = model.operatorCodes[0]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = "CONV_2D"
    custom = fixtures.pack(model)
    assert pack(custom) is custom


def cut(position, change):
    """The packed file, whose indices or tables are so many bytes longer than they were."""
    model = fixtures.unpack(pack(conv_file(weights_of(800, 4, 8))))
    graph = model.subgraphs[0]
    tensor = graph.tensors[graph.operators[0].inputs[position]]
    buffer = model.buffers[tensor.buffer]
    data = np.array(buffer.data)
    buffer.data = np.concatenate([data, data])[: len(data) + change]
    tensor.shape = [len(buffer.data)]
    return fixtures.pack(model)


@pytest.mark.parametrize(
    ("position", "reason"), [(0, "holds too few weights"), (1, "points beyond its table")]
)
def test_a_byte_too_few_is_damage_and_one_too_many_is_none(position, reason):
    whole = unpack(cut(position, 0))
    assert (
        TfliteModel.parse(unpack(cut(position, 1))).checksum()
        == TfliteModel.parse(whole).checksum()
    )
    with pytest.raises(InputError, match=reason):
        unpack(cut(position, -1))
