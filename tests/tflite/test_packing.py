"""Packed weights: what TFLM's own interpreter makes of them, and the way back."""

import functools
import warnings

import numpy as np
import pytest
import tf_keras as keras
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests import fixtures
from tests.tflite.few_values import (
    KERNELS,
    conv_file,
    draw,
    inputs_of,
    tflm,
    whole,
    with_weights,
)
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.annotate import annotate
from tinyseg.tflite.lint import lint
from tinyseg.tflite.ops.decode import NAME as DECODE
from tinyseg.tflite.ops.registry import total_cost
from tinyseg.tflite.packing import is_packed, pack, packed_bits, unpack

# Distinct values that need so many bits: the fewest, and the most.
DISTINCT = {1: (1, 2), 2: (3, 4), 3: (5, 8), 4: (9, 16), 5: (17, 32), 6: (33, 64), 7: (65, 128)}
ONE_TABLE = [(bits, distinct, False) for bits in DISTINCT for distinct in DISTINCT[bits]]
TABLE_PER_CHANNEL = [(bits, max(2, DISTINCT[bits][0]), True) for bits in DISTINCT]


def layers(opcode):
    """Layers with one kernel; each of its output channels has many weights."""
    bias = {"bias_initializer": "random_uniform"}
    return {
        "CONV_2D": [keras.layers.Conv2D(16, 3, padding="same", activation="relu", **bias)],
        # A window larger than the image, for a channel has no other depth.
        "DEPTHWISE_CONV_2D": [keras.layers.DepthwiseConv2D(32, padding="same", **bias)],
        "TRANSPOSE_CONV": [keras.layers.Conv2DTranspose(16, 3, 2, padding="same", **bias)],
        "FULLY_CONNECTED": [keras.layers.Flatten(), keras.layers.Dense(10, **bias)],
    }[opcode]


@functools.cache
def network(opcode):
    """A quantized file with that operator, a plan and a signature."""
    shape = (4, 4, 8) if opcode == "DEPTHWISE_CONV_2D" else (4, 4, 96)
    image = keras.Input(shape, batch_size=1)
    x = image
    for layer in layers(opcode):
        x = layer(x)
    calibration = np.random.default_rng(0).normal(size=(4, *shape)).astype(np.float32)
    model = fixtures.unpack(fixtures.convert(keras.Model(image, x), calibration))
    graph = model.subgraphs[0]
    # Room for sums of other weights, which would saturate.
    quantization = graph.tensors[graph.outputs[0]].quantization
    quantization.scale = 8 * quantization.scale
    content = fixtures.pack(model)
    return annotate(content, {"recipe": "static_wi8_ai8"}, "a small net", "image", "mask")


def kernel(model, opcode):
    """The weights of the only operator of that kind."""
    (operator,) = [operator for operator in model.operators if operator.opcode == opcode]
    return operator.inputs[1]


def tables(content):
    """Axis and stride in the header, and bytes of the tables, of each packed tensor."""
    model = TfliteModel.parse(content)
    decoders = [operator for operator in model.operators if operator.opcode == DECODE]
    data = [operator.inputs[1].data for operator in decoders]
    return [(d[5] >> 4, d[6], len(d) - 16) for d in data]


@pytest.mark.parametrize(("bits", "distinct", "own"), ONE_TABLE + TABLE_PER_CHANNEL)
@pytest.mark.parametrize("opcode", KERNELS)
def test_tflm_computes_the_same_bytes(opcode, bits, distinct, own):
    weights = kernel(TfliteModel.parse(network(opcode)), opcode)
    assert weights.scales.size == weights.shape[weights.axis] > 1
    rng = np.random.default_rng(bits)
    values = draw(rng, weights.shape, weights.axis, distinct, own)
    plain = with_weights(network(opcode), {weights.index: values})
    packed = pack(plain)

    assert packed_bits(TfliteModel.parse(packed)) == {weights.name: bits}
    channels = weights.scales.size
    expected = (weights.axis, distinct, distinct * channels) if own else (15, 0, distinct)
    assert tables(packed) == [expected]
    assert len(packed) < len(plain)

    inputs = inputs_of(plain)
    outputs = fixtures.reference_outputs(plain, inputs)
    assert len(np.unique(outputs)) > 3
    np.testing.assert_array_equal(tflm(plain, inputs), outputs)
    np.testing.assert_array_equal(tflm(packed, inputs), outputs)
    assert TfliteModel.parse(unpack(packed)).checksum() == TfliteModel.parse(plain).checksum()


@pytest.mark.parametrize("recipe", ["static_wi8_ai8", "static_wi8_ai16"])
def test_whole_network(recipe):
    plain, packed = whole(recipe)
    bits = packed_bits(TfliteModel.parse(packed))
    assert len(bits) > 5
    assert set(bits.values()) == {2}
    # Kernels too small to gain anything stay plain.
    assert len(bits) < sum(op in KERNELS for op in TfliteModel.parse(plain).opcodes)
    dtype = TfliteModel.parse(plain).inputs[0].dtype
    inputs = inputs_of(plain).astype(dtype)
    expected = tflm(plain, inputs)
    assert len(np.unique(expected)) > 20
    np.testing.assert_array_equal(tflm(packed, inputs), expected)


def test_all_but_the_weights_survives():
    plain, packed = map(TfliteModel.parse, whole())
    assert packed.description == plain.description
    assert packed.metadata.keys() == plain.metadata.keys()
    assert packed.plan | {"checksum": ""} == plain.plan | {"checksum": ""}
    assert packed.plan["checksum"] == packed.checksum() != plain.checksum()
    count = len(plain.tensors)
    for new, old in zip(packed.tensors[:count], plain.tensors, strict=True):
        assert new.name == old.name
        if new.data == old.data:
            assert (new.shape, new.dtype, new.axis) == (old.shape, old.dtype, old.axis)
            np.testing.assert_array_equal(new.scales, old.scales)
            np.testing.assert_array_equal(new.zero_points, old.zero_points)
    decoded = {t.name: t for t in packed.tensors[count:] if t.name}
    assert decoded.keys() == {f"{name}_decoded" for name in packed_bits(packed)}
    for old in plain.tensors:
        if new := decoded.get(f"{old.name}_decoded"):
            assert (new.shape, new.dtype, new.axis) == (old.shape, old.dtype, old.axis)
            np.testing.assert_array_equal(new.scales, old.scales)
    assert [op for op in packed.opcodes if op != DECODE] == plain.opcodes
    assert lint(packed) == []


@pytest.mark.parametrize("undo", [False, True])
def test_signature_survives(undo):
    plain, packed = whole()
    signature = "signatureDefs"
    old = getattr(fixtures.unpack(plain), signature)
    new = getattr(fixtures.unpack(unpack(packed) if undo else packed), signature)
    describe = [
        [
            (s.signatureKey, [(e.name, e.tensorIndex) for e in (*s.inputs, *s.outputs)])
            for s in group
        ]
        for group in (old, new)
    ]
    assert describe[0] == describe[1]
    assert describe[0][0][0] == b"serving_default"


@pytest.mark.parametrize("undo", [False, True])
def test_buffers_are_aligned_to_16_bytes(undo):
    content = unpack(whole()[1]) if undo else whole()[1]
    model = schema.Model.GetRootAsModel(content, 0)
    tables = [model.Buffers(index)._tab for index in range(model.BuffersLength())]
    places = [table.Vector(table.Offset(4)) for table in tables if table.Offset(4)]
    assert len(places) > 20
    assert {place % 16 for place in places} == {0}


def test_same_input_same_bytes():
    assert pack(whole()[0]) == whole()[1]


def test_nothing_to_pack():
    content = fixtures.quantized()
    assert pack(content) is content
    assert unpack(content) is content
    assert not is_packed(TfliteModel.parse(content))
    assert packed_bits(TfliteModel.parse(content)) == {}
    packed = whole()[1]
    assert pack(packed) is packed
    float_file = fixtures.float_twin()
    assert pack(float_file) is float_file


def test_work_of_decoding_is_counted():
    plain, packed = map(TfliteModel.parse, whole())
    weights = sum(t.elements for t in plain.tensors if t.name in packed_bits(packed))
    assert total_cost(packed).macs == total_cost(plain).macs
    assert total_cost(packed).ops == total_cost(plain).ops + weights


def test_terminal_stays_quiet(capfd):
    plain = whole()[0]
    capfd.readouterr()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        unpack(pack(plain))
    assert capfd.readouterr() == ("", "")


@st.composite
def convolutions(draw_from):
    """Files with one convolution of any shape, whose weights have any number of values."""
    out_channels, channels = draw_from(st.integers(1, 12)), draw_from(st.integers(1, 70))
    window = draw_from(st.sampled_from([(1, 1), (3, 3), (2, 5)]))
    rng = np.random.default_rng(draw_from(st.integers(0, 2**32 - 1)))
    shape = (out_channels, *window, channels)
    per_channel = draw_from(st.booleans())
    distinct = min(draw_from(st.integers(1, 140)), np.prod(shape[1:]))
    weights = draw(rng, shape, 0, distinct, draw_from(st.booleans()))
    return conv_file(weights, rng.uniform(0.01, 0.02, out_channels) if per_channel else None)


@settings(max_examples=150)
@given(convolutions())
def test_round_trip(content):
    packed = pack(content)
    model, parsed = TfliteModel.parse(content), TfliteModel.parse(packed)
    assert len(packed) <= len(content)
    assert is_packed(parsed) == (packed != content)
    assert TfliteModel.parse(unpack(packed)).checksum() == model.checksum()
    assert lint(parsed) == lint(model)
    weights = model.tensors[1]
    for bits in packed_bits(parsed).values():
        rows = weights.array().reshape(len(weights.array()), -1)
        per_channel = max(len(np.unique(row)) for row in rows)
        assert 2**bits >= per_channel
        assert 2 ** (bits - 1) < len(np.unique(rows)) or bits == 1
    inputs = inputs_of(content, images=1)
    np.testing.assert_array_equal(tflm(packed, inputs), tflm(content, inputs))


def test_most_files_of_the_property_are_packed():
    rng = np.random.default_rng(0)
    for own in (False, True):
        content = conv_file(draw(rng, (9, 3, 3, 50), 0, 5, own), rng.uniform(0.01, 0.02, 9))
        assert is_packed(TfliteModel.parse(pack(content)))


def test_a_single_scale_has_a_single_table():
    """TFLM takes a table for each scale, so tables for channels would go unread."""
    weights = draw(np.random.default_rng(0), (8, 3, 3, 64), 0, 3, own=True)
    packed = pack(conv_file(weights))
    assert packed_bits(TfliteModel.parse(packed)) == {"tensor_1": 5}
    assert [axis for axis, _, _ in tables(packed)] == [15]
    apart = pack(conv_file(weights, [0.01] * 8))
    assert packed_bits(TfliteModel.parse(apart)) == {"tensor_1": 2}


def test_axes_that_tflm_refuses_stay_plain():
    content = conv_file(draw(np.random.default_rng(0), (8, 3, 3, 64), 0, 3, own=False))
    assert is_packed(TfliteModel.parse(pack(content)))
    model = fixtures.unpack(content)
    model.subgraphs[0].tensors[1].quantization.quantizedDimension = 3
    content = fixtures.pack(model)
    assert pack(content) is content
    model.subgraphs[0].tensors[1].quantization = None
    content = fixtures.pack(model)
    assert pack(content) is content


def test_weights_that_share_bytes_with_others_stay_plain(capfd):
    """The bytes stay in the file for the others, so packing would add to them."""
    content = conv_file(draw(np.random.default_rng(1), (16, 3, 3, 16), 0, 4, own=False))
    model = fixtures.unpack(content)
    other = fixtures.unpack(content).subgraphs[0].tensors[1]
    model.subgraphs[0].tensors.append(other)
    shared = fixtures.pack(model)
    assert pack(shared) is shared
    assert capfd.readouterr().err == ""


def test_files_of_old_converters():
    """They fill one of two fields for an operator's code; the compressor reads the other."""
    plain = whole()[0]
    model = fixtures.unpack(plain)
    for code in model.operatorCodes:
        assert code.builtinCode == code.deprecatedBuiltinCode > 0 or code.builtinCode == 0
        code.builtinCode = 0
    packed = pack(fixtures.pack(model))
    assert TfliteModel.parse(packed).opcodes == TfliteModel.parse(whole()[1]).opcodes
    inputs = inputs_of(plain)
    np.testing.assert_array_equal(tflm(packed, inputs), tflm(plain, inputs))


def test_metadata_of_others_survives():
    model = fixtures.unpack(conv_file(draw(np.random.default_rng(1), (16, 3, 3, 16), 0, 4, False)))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(b"anything", np.uint8)
    model.buffers.append(buffer)
    entry.name, entry.buffer = "others", len(model.buffers) - 1
    model.metadata = [entry]
    content = fixtures.pack(model)
    for changed in (pack(content), unpack(pack(content))):
        assert TfliteModel.parse(changed).metadata == {"others": b"anything"}
