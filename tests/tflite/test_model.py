"""Reading files: TensorFlow Lite's own reader is the reference; damage ends in one clear line."""

import random
import signal

import numpy as np
import pytest
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests import fixtures
from tinyseg.errors import InputError
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.lint import lint, usable
from tinyseg.tflite.nodes import layer_of
from tinyseg.tflite.ops.registry import total_cost


@pytest.fixture(scope="module")
def content():
    return fixtures.quantized()


@pytest.fixture
def edited(content):
    """Parse the file after a function has changed its objects."""

    def edited(change):
        model = fixtures.unpack(content)
        change(model)
        return TfliteModel.parse(fixtures.pack(model), "model.tflite")

    return edited


@pytest.mark.parametrize(
    ("recipe", "io"), [("static_wi8_ai8", "integer"), ("static_wi8_ai16", "float32")]
)
def test_tensors_are_those_of_tensorflow_lite(recipe, io):
    content = fixtures.quantized(recipe, io)
    model, reference = TfliteModel.parse(content), fixtures.interpreter(content)
    # Behind the graph's tensors the interpreter lists its kernels' scratch memory.
    details = reference.get_tensor_details()[: len(model.tensors)]
    assert len(details) == len(model.tensors)
    for tensor, expected in zip(model.tensors, details, strict=True):
        quantization = expected["quantization_parameters"]
        assert tensor.index == expected["index"]
        assert tensor.name == expected["name"]
        assert tensor.shape == tuple(expected["shape"])
        assert tensor.dtype == np.dtype(expected["dtype"]).name
        assert tensor.elements == np.prod(expected["shape"])
        np.testing.assert_array_equal(tensor.scales, quantization["scales"])
        np.testing.assert_array_equal(tensor.zero_points, quantization["zero_points"])
        assert tensor.axis == quantization["quantized_dimension"]
        if tensor.constant:
            np.testing.assert_array_equal(tensor.array(), reference.get_tensor(tensor.index))


def test_operators_are_those_of_tensorflow_lite(content):
    model = TfliteModel.parse(content)
    # TensorFlow Lite has no public list of its operators.
    details = fixtures.interpreter(content)._get_ops_details()
    assert model.opcodes == [expected["op_name"] for expected in details]
    for operator, expected in zip(model.operators, details, strict=True):
        assert [tensor.index for tensor in operator.inputs] == list(expected["inputs"])
        assert [tensor.index for tensor in operator.outputs] == list(expected["outputs"])
        assert not operator.custom


def test_only_weights_are_constant(content):
    model = TfliteModel.parse(content)
    convolutions = [op for op in model.operators if op.opcode in ("CONV_2D", "DEPTHWISE_CONV_2D")]
    assert len(convolutions) == 33
    for operator in convolutions:
        assert [tensor.constant for tensor in operator.inputs] == [False, True, True]
        assert operator.inputs[1].dtype == "int8"
        assert operator.inputs[2].dtype == "int32"
    assert not model.inputs[0].constant
    assert not model.outputs[0].constant


def test_operators_know_their_keras_layer(content):
    names = {layer.name for layer in fixtures.network().layers}
    layers = [op.outputs[0].layer for op in TfliteModel.parse(content).operators]
    # The last one was renamed to what the signature says.
    assert set(layers[:-1]) <= names
    assert layers[-1] == "mask"
    assert layers[0] == "encoder1_conv1"


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("unet/encoder1_conv1/Relu;unet/encoder1_conv1/BiasAdd", "encoder1_conv1"),
        ("unet/gate/mul", "gate"),
        ("image", "image"),
        ("", ""),
    ],
)
def test_layer_of_a_tensor_name(name, layer):
    assert layer_of(name) == layer


def test_absent_optional_input_is_none(edited):
    def drop_bias(model):
        operator = model.subgraphs[0].operators[1]
        operator.inputs = [*operator.inputs[:2], -1]

    assert edited(drop_bias).operators[1].inputs[2] is None


def test_custom_operator_keeps_its_name():
    draft = fixtures.Draft([1, 4])
    content = fixtures.one_operator("CUSTOM", [draft], draft, custom="FlexErf")
    operator = TfliteModel.parse(content).operators[0]
    assert operator.opcode == "FlexErf"
    assert operator.custom


@pytest.mark.parametrize("stored", [b"not json", b"\xff\xfe", b"[1, 2]", b"3"])
def test_metadata_that_is_no_plan_counts_as_none(edited, stored):
    def overwrite(model):
        entry = next(e for e in model.metadata if e.name in ("tinyseg", b"tinyseg"))
        model.buffers[entry.buffer].data = np.frombuffer(stored, np.uint8)

    model = edited(overwrite)
    assert model.plan == {}
    assert lint(model) == []


def test_read_keeps_path_and_bytes(content, tmp_path):
    path = tmp_path / "my model.tflite"
    path.write_bytes(content)
    model = TfliteModel.read(path)
    assert model.path == str(path)
    assert model.content == content


def assert_refused(content, reason):
    with pytest.raises(InputError, match=reason) as caught:
        TfliteModel.parse(content, "my model.tflite")
    message = str(caught.value)
    assert message.startswith("my model.tflite: ")
    assert "\n" not in message
    assert len(message) < 200


def test_unreadable_paths(tmp_path):
    for path in (tmp_path / "missing.tflite", tmp_path):
        with pytest.raises(InputError, match="cannot be read") as caught:
            TfliteModel.read(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a .tflite file"),
        (b"\x18\0\0\0TFL3", "damaged or truncated"),
        (b"\x18\0\0\0TFL", "not a .tflite file"),
        (b"\xff\xff\xff\xffTFL3" + bytes(64), "damaged or truncated"),
        (bytes(4) + b"TFL3" + bytes(64), "schema version 0"),
        (b"\x89HDF\r\n\x1a\n" + bytes(64), "not a .tflite file"),
        (b"PK\x03\x04" + bytes(64), "not a .tflite file"),
    ],
    ids=["empty", "header only", "seven bytes", "wild offset", "zeros", "hdf5", "zip"],
)
def test_what_is_no_tflite_file(content, reason):
    assert_refused(content, reason)


def _set(path, value):
    """Return a function that assigns to a dotted path of a model's objects."""
    *parents, leaf = path.split(".")

    def change(model):
        place = model
        for name in parents:
            place = place[int(name)] if name.isdigit() else getattr(place, name)
        if leaf.isdigit():
            place[int(leaf)] = value
        else:
            setattr(place, leaf, value)

    return change


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("version", 2, "schema version 2"),
        ("version", 0, "schema version 0"),
        ("subgraphs", [], "holds no graph"),
        ("subgraphs.0.tensors.5.buffer", 9999, "buffer 9999 of"),
        ("metadata.0.buffer", 9999, "buffer 9999 of"),
        ("subgraphs.0.operators.3.opcodeIndex", 77, "operator 3 has no operator code"),
        ("subgraphs.0.operators.3.inputs", [4000, 1, 2], "tensor 4000 of"),
        ("subgraphs.0.operators.3.outputs", [-2], "tensor -2 of"),
        ("subgraphs.0.inputs", [4000], "tensor 4000 of"),
        ("subgraphs.0.tensors", [], "tensor 0 of 0"),
        ("operatorCodes", [], "operator 0 has no operator code"),
    ],
)
def test_references_into_nowhere(content, path, value, reason):
    model = fixtures.unpack(content)
    _set(path, value)(model)
    assert_refused(fixtures.pack(model), reason)


def test_every_truncation_is_noticed(content):
    lengths = [*range(64), *range(64, len(content), 97), *range(len(content) - 40, len(content))]
    for length in lengths:
        with pytest.raises(InputError):
            TfliteModel.parse(content[:length])


def _damage(content, rng):
    """Flip bits, blank 16 bytes or overwrite a word, in the structure as often as in weights."""
    damaged = bytearray(content)
    start = rng.choice([4, len(content) * 2 // 5])
    place = rng.randrange(start, len(content) - 16)
    kind = rng.randrange(4)
    if kind == 0:
        damaged[place] ^= 1 << rng.randrange(8)
    elif kind == 1:
        for _ in range(8):
            damaged[rng.randrange(start, len(content))] ^= 1 << rng.randrange(8)
    elif kind == 2:
        damaged[place : place + 16] = bytes(16)
    else:
        word = rng.choice([0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
        damaged[place & ~3 : (place & ~3) + 4] = word.to_bytes(4, "little")
    return bytes(damaged)


@pytest.fixture
def time_limit():
    """Turn a hang into a failure after a minute."""

    def give_up(*_):
        raise TimeoutError("took more than a minute")

    previous = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


@pytest.mark.usefixtures("time_limit")
def test_damage_ends_in_a_finding_or_an_input_error(content):
    """Nothing but InputError leaves the reader, whatever the bytes; and it never hangs."""
    rng = random.Random(0)
    refused = sound = 0
    for _ in range(300):
        damaged = _damage(content, rng)
        try:
            model = TfliteModel.parse(damaged)
            findings = lint(model)
            # What lint lets through, the rest of the package takes for granted.
            if not any(finding.severity == "error" for finding in findings):
                total_cost(model)
                sound += 1
        except InputError:
            refused += 1
    # Some 15 KiB of the file are names and padding, where damage does no harm.
    assert refused > 50
    assert sound < 200


@pytest.mark.parametrize("opcode", ["CONV_2D", "RELU6", "TRANSPOSE_CONV", "FULLY_CONNECTED"])
@pytest.mark.parametrize(
    ("inputs", "outputs"), [([], [1]), ([-1, -1, -1], [1]), ([0], [-1]), ([], [])]
)
def test_operators_that_lack_tensors_are_damage(opcode, inputs, outputs):
    draft = fixtures.Draft([1, 4])
    model = fixtures.unpack(fixtures.one_operator(opcode, [draft], draft))
    operator = model.subgraphs[0].operators[0]
    operator.inputs, operator.outputs = inputs, outputs
    with pytest.raises(InputError):
        usable(TfliteModel.parse(fixtures.pack(model)))


def test_unknown_builtin_is_named_by_number(edited):
    def change(model):
        model.operatorCodes[0].builtinCode = 5000

    assert edited(change).opcodes[0] == "BUILTIN_5000"


def test_old_files_name_their_operator_in_the_deprecated_field(edited):
    def change(model):
        for code in model.operatorCodes:
            code.builtinCode = 0

    known = schema.BuiltinOperator.CONV_2D
    assert known < 127
    assert edited(change).opcodes[:2] == ["DEPTHWISE_CONV_2D", "CONV_2D"]
