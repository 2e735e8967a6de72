"""What annotation adds to a file, read back by TensorFlow Lite and the bare schema."""

import json

import numpy as np
import pytest
import tf_keras as keras
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests import fixtures
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.annotate import annotate
from tinyseg.tflite.lint import lint

PLAN = {"preprocessing": {"scale": 0.25, "threshold": 0.5}, "recipe": "static_wi8_ai8"}


@pytest.fixture(scope="module")
def converted():
    """A small integer file as TensorFlow's converter leaves it."""
    image = keras.Input((8, 8, 3), batch_size=1)
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    x = keras.layers.Conv2D(1, 1, activation="sigmoid", bias_initializer="ones")(x)
    calibration = np.random.default_rng(0).random((4, 8, 8, 3), np.float32)
    return fixtures.convert(keras.Model(image, x), calibration)


@pytest.fixture(scope="module")
def annotated(converted):
    return annotate(converted, PLAN, "tinyseg test", "image", "mask")


def test_signature_names_input_and_output(annotated):
    runner = fixtures.interpreter(annotated).get_signature_runner("serving_default")
    assert list(runner.get_input_details()) == ["image"]
    assert list(runner.get_output_details()) == ["mask"]
    assert runner.get_input_details()["image"]["name"] == "image"
    assert runner.get_output_details()["mask"]["name"] == "mask"


def test_signature_computes_what_the_network_computed(converted, annotated):
    inputs = np.random.default_rng(1).integers(-128, 128, (3, 8, 8, 3), np.int8)
    runner = fixtures.interpreter(annotated).get_signature_runner("serving_default")
    outputs = np.concatenate([runner(image=image[None])["mask"] for image in inputs])
    np.testing.assert_array_equal(outputs, fixtures.reference_outputs(converted, inputs))
    assert len(np.unique(outputs)) > 10


def test_plan_and_description_read_back(converted, annotated):
    model = fixtures.unpack(annotated)
    assert model.description == b"tinyseg test"
    entries = {entry.name.decode(): entry.buffer for entry in model.metadata}
    stored = json.loads(bytes(model.buffers[entries["tinyseg"]].data))
    assert stored.pop("checksum") == TfliteModel.parse(converted).checksum()
    assert stored == PLAN
    # What the converter wrote stays.
    assert {entry.name for entry in fixtures.unpack(converted).metadata} < {
        name.encode() for name in entries
    }
    parsed = TfliteModel.parse(annotated)
    assert parsed.description == "tinyseg test"
    assert {key: parsed.plan[key] for key in PLAN} == PLAN
    assert (parsed.inputs[0].name, parsed.outputs[0].name) == ("image", "mask")


def test_plan_survives_beside_others_metadata(annotated):
    names = set(TfliteModel.parse(annotated).metadata)
    assert {"min_runtime_version", "tinyseg"} <= names


@pytest.mark.parametrize("content", ["annotated", "whole network"])
def test_buffers_are_aligned_to_16_bytes(annotated, content):
    content = annotated if content == "annotated" else fixtures.quantized()
    model = schema.Model.GetRootAsModel(content, 0)
    # Field 0 of a Buffer table is its data, at slot 4 of the vtable.
    tables = [model.Buffers(index)._tab for index in range(model.BuffersLength())]
    places = [table.Vector(table.Offset(4)) for table in tables if table.Offset(4)]
    assert len(places) > 4
    assert [place % 16 for place in places] == [0] * len(places)


def test_identifier_and_version(annotated):
    assert annotated[4:8] == b"TFL3"
    assert schema.Model.GetRootAsModel(annotated, 0).Version() == 3


def test_same_input_same_bytes(converted, annotated):
    assert annotate(converted, PLAN, "tinyseg test", "image", "mask") == annotated


def test_names_do_not_enter_the_checksum(converted):
    other = annotate(converted, {}, "", "a", "b")
    assert TfliteModel.parse(other).checksum() == TfliteModel.parse(converted).checksum()


def test_intact_file_has_no_findings(annotated):
    assert lint(TfliteModel.parse(annotated)) == []


def _noticed(content):
    return any("checksum" in finding.message for finding in lint(TfliteModel.parse(content)))


def test_checksum_notices_a_flipped_bit_in_any_constant():
    content = fixtures.quantized()
    rng = np.random.default_rng(0)
    model = schema.Model.GetRootAsModel(content, 0)
    graph = model.Subgraphs(0)
    used = {graph.Tensors(index).Buffer() for index in range(graph.TensorsLength())}
    tables = [model.Buffers(index)._tab for index in sorted(used)]
    tables = [table for table in tables if table.Offset(4)]
    assert len(tables) > 60
    for table in tables:
        start, length = table.Vector(table.Offset(4)), table.VectorLen(table.Offset(4))
        damaged = bytearray(content)
        damaged[start + rng.integers(length)] ^= 1 << int(rng.integers(8))
        assert _noticed(bytes(damaged))


@pytest.mark.parametrize(
    "change",
    [
        lambda graph: setattr(graph.operators[0].builtinOptions, "strideW", 2),
        lambda graph: setattr(graph.operators[0], "inputs", [0, 2, 2]),
        lambda graph: setattr(graph.operators[0], "opcodeIndex", 3),
        lambda graph: setattr(graph.tensors[0], "shape", [1, 16, 64, 3]),
        lambda graph: setattr(graph.tensors[0].quantization, "scale", [0.5]),
        lambda graph: setattr(graph.tensors[0].quantization, "zeroPoint", [7]),
        lambda graph: graph.operators.pop(),
        lambda graph: setattr(graph, "outputs", graph.operators[-1].inputs),
    ],
    ids=[
        "option",
        "wiring",
        "operator",
        "shape",
        "scale",
        "zero point",
        "missing operator",
        "logits as output",
    ],
)
def test_checksum_notices_a_changed_graph(change):
    model = fixtures.unpack(fixtures.quantized())
    assert not _noticed(fixtures.pack(model))
    change(model.subgraphs[0])
    assert _noticed(fixtures.pack(model))
