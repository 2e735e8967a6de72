"""Packed weights made plain again, for interpreters without the operator."""

import contextlib
import functools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_micro.tensorflow.lite.micro.compression import compress, spec

from tests import fixtures
from tests.tflite.few_values import conv_file, draw, inputs_of, tflm, whole
from tinyseg.compression.quantization import convert_float
from tinyseg.errors import InputError
from tinyseg.profiling import mltk
from tinyseg.runtime.tflite import TfliteRunner
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.lint import lint
from tinyseg.tflite.ops.decode import NAME as DECODE
from tinyseg.tflite.packing import is_packed, pack, unpack
from tinyseg.verification.sqnr import layer_sqnr


def test_unpacked_is_what_it_was():
    plain, packed = whole()
    back = unpack(packed)
    assert not is_packed(TfliteModel.parse(back))
    old, new = TfliteModel.parse(plain), TfliteModel.parse(back)
    assert new.checksum() == old.checksum()
    assert new.plan == old.plan
    assert [t.name for t in new.tensors] == [t.name for t in old.tensors]
    assert lint(new) == []
    # No trace of the operator is left.
    assert b"TFLM" not in back
    assert len(back) <= len(plain)
    assert pack(back) == packed


@pytest.mark.parametrize("io", ["integer", "float32"])
def test_runners_take_packed_files(io):
    plain, packed = map(TfliteModel.parse, whole(io=io))
    pictures = fixtures.pictures(2)
    runners = [TfliteRunner(plain), TfliteRunner(packed), TflmRunner(packed)]
    outputs = [runner.run(runner.input.quantize(pictures)) for runner in runners]
    np.testing.assert_array_equal(outputs[1], outputs[0])
    np.testing.assert_array_equal(outputs[2], outputs[0])


def test_layers_are_compared_as_in_the_plain_file():
    plain, packed = map(TfliteModel.parse, whole())
    recipe = fixtures.plan("static_wi8_ai8", "integer", 8)
    twin = TfliteModel.parse(convert_float(fixtures.network(8), recipe))
    image = fixtures.pictures(1)[0]
    rows = [layer_sqnr(twin, model, image) for model in (plain, packed)]
    drop = [[{k: v for k, v in row.items() if k != "operator"} for row in part] for part in rows]
    assert drop[0] == drop[1]
    assert len(drop[0]) > 20


def test_mltk_profiles_the_unpacked_file(monkeypatch):
    class Called(Exception):
        pass

    def call(model, accelerator):
        assert model.checksum() == TfliteModel.parse(whole()[0]).checksum()
        assert model.path == "somewhere.tflite"
        raise Called

    monkeypatch.setattr(mltk, "_call", call)
    with pytest.raises(Called):
        mltk.profile(TfliteModel.parse(whole()[1], "somewhere.tflite"))


def two_convolutions(share):
    """A file whose two convolutions share a tensor, or its bytes."""
    weights = draw(np.random.default_rng(1), (16, 3, 3, 16), 0, 4, own=False)
    model = fixtures.unpack(conv_file(weights, [0.01] * 16))
    graph = model.subgraphs[0]
    again = fixtures.unpack(conv_file(weights, [0.01] * 16)).subgraphs[0]
    graph.tensors.append(again.tensors[3])
    second = again.operators[0]
    second.inputs, second.outputs = [3, 1, 2], [4]
    if share == "bytes":
        graph.tensors.append(again.tensors[1])
        second.inputs = [3, 5, 2]
    graph.operators.append(second)
    graph.outputs = [4]
    return fixtures.pack(model)


@pytest.mark.parametrize("share", ["tensor", "bytes"])
def test_shared_weights(share):
    plain = two_convolutions(share)
    packed = pack(plain)
    assert TfliteModel.parse(packed).opcodes == [DECODE, "CONV_2D"] * 2
    inputs = inputs_of(plain)
    expected = tflm(plain, inputs)
    assert len(np.unique(expected)) > 20
    np.testing.assert_array_equal(tflm(packed, inputs), expected)
    back = unpack(packed)
    assert TfliteModel.parse(back).checksum() == TfliteModel.parse(plain).checksum()
    # The bytes are shared again.
    assert len(fixtures.unpack(back).buffers) == len(fixtures.unpack(plain).buffers)


def test_files_that_the_compressor_itself_wrote():
    """It leaves quantization on packed bytes; with one table TFLM reads beyond it."""
    weights = draw(np.random.default_rng(1), (16, 3, 3, 16), 0, 4, own=False)
    plain = conv_file(weights, [0.01] * 16)
    inputs = inputs_of(plain)

    def compressed(mode):
        method = spec.LookUpTableCompression(2, mode)
        return bytes(compress(plain, [spec.Tensor(0, 1, [method])]))

    good = compressed(spec.PerChannel(0))
    assert lint(TfliteModel.parse(good)) == []
    assert TfliteModel.parse(unpack(good)).checksum() == TfliteModel.parse(plain).checksum()
    bad = compressed(spec.PerTensor())
    assert not np.array_equal(tflm(bad, inputs), tflm(plain, inputs))
    with pytest.raises(InputError, match="'tensor_1': points beyond its table; pack"):
        unpack(bad)


def changed_plan(content, **changes):
    model = fixtures.unpack(content)
    (entry,) = [entry for entry in model.metadata if entry.name == b"tinyseg"]
    plan = json.loads(bytes(model.buffers[entry.buffer].data)) | changes
    model.buffers[entry.buffer].data = np.frombuffer(json.dumps(plan).encode(), np.uint8)
    return fixtures.pack(model)


@pytest.mark.parametrize("function", [pack, unpack])
def test_damage_is_not_sealed_in(function):
    content = whole()[function is unpack]
    for damaged in (content[:1000], content[: len(content) // 2], b"", b"\0" * 100):
        with pytest.raises(InputError):
            function(damaged)
    with pytest.raises(InputError, match="checksum"):
        function(changed_plan(content, checksum="0" * 64))


def edited(edit):
    """A packed convolution of a file without checksum, after an edit of its objects."""
    weights = draw(np.random.default_rng(1), (16, 3, 3, 16), 0, 4, own=False)
    model = fixtures.unpack(pack(conv_file(weights, [0.01] * 16)))
    graph = model.subgraphs[0]
    decode = graph.operators[0]
    tensors = [graph.tensors[index] for index in (*decode.inputs, *decode.outputs)]
    edit(model, decode, tensors)
    return fixtures.pack(model)


def set_byte(place, value):
    def edit(model, decode, tensors):
        buffer = model.buffers[tensors[1].buffer]
        buffer.data = np.array(buffer.data)
        buffer.data[place] = value

    return edit


def shorten(position, length):
    def edit(model, decode, tensors):
        buffer = model.buffers[tensors[position].buffer]
        buffer.data = buffer.data[:length]
        tensors[position].shape = [length]

    return edit


DAMAGE = {
    "decode type": (set_byte(0, 1), "'tensor_1': packed in a way"),
    "later version": (set_byte(1, 2), "'tensor_1': packed in a way"),
    "earlier version": (set_byte(1, 0), "'tensor_1': packed in a way"),
    "later version of the table": (set_byte(4, 2), "'tensor_1': packed in a way"),
    "earlier version of the table": (set_byte(4, 0), "'tensor_1': packed in a way"),
    "no bits": (set_byte(5, 0xF0), "'tensor_1': packed in a way"),
    "more bits than there are": (set_byte(5, 0xF3), "'tensor_1': holds too few"),
    "stride": (set_byte(6, 4), "'tensor_1': points beyond"),
    "short indices": (shorten(0, 100), "'tensor_1': holds too few"),
    "short table": (shorten(1, 18), "'tensor_1': points beyond"),
    "no table": (shorten(1, 16), "'tensor_1': points beyond"),
    "short header": (shorten(1, 10), "lacks its data"),
    "no header": (lambda model, decode, tensors: setattr(decode, "inputs", [1]), "lacks its data"),
    "absent header": (lambda m, decode, t: setattr(decode, "inputs", [1, -1]), "lacks its data"),
    "no constant": (lambda m, decode, t: setattr(decode, "inputs", [0, 1]), "lacks its data"),
    "type": (lambda m, d, tensors: setattr(tensors[2], "type", 0), "'tensor_1': packed in a way"),
}


@pytest.mark.parametrize(("edit", "reason"), DAMAGE.values(), ids=DAMAGE)
def test_damaged_packed_weights(edit, reason):
    content = edited(edit)
    with pytest.raises(InputError, match=reason) as caught:
        unpack(content)
    assert "\n" not in str(caught.value)
    assert "pack the plain file again" in str(caught.value)
    with pytest.raises(InputError, match=reason):
        TfliteRunner(TfliteModel.parse(content))


def test_undamaged_twin_of_the_damaged_files_unpacks():
    content = edited(lambda model, decode, tensors: None)
    assert not is_packed(TfliteModel.parse(unpack(content)))


@pytest.mark.parametrize("function", [pack, unpack])
def test_union_without_a_value(function):
    """TFLM's alignment tool crashes on it."""

    content = edited(lambda m, d, tensors: setattr(tensors[2].quantization, "detailsType", 1))
    assert lint(TfliteModel.parse(content)) == []
    with pytest.raises(InputError, match="options or parameters are missing; convert it again"):
        function(content)


@settings(max_examples=200)
@given(st.sampled_from([False, True]), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255))))
def test_damage_anywhere_raises_nothing_else(undo, damage):
    content = bytearray(edited(lambda model, decode, tensors: None) if undo else plain_twin())
    for place, value in damage:
        content[int(place * (len(content) - 1))] = value
    with contextlib.suppress(InputError):
        (unpack if undo else pack)(bytes(content))


@functools.cache
def plain_twin():
    """The plain form of what :func:`edited` edits."""
    return unpack(edited(lambda model, decode, tensors: None))
