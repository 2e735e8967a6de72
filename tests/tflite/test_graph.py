"""Writing a graph: what nobody edits comes out as it went in."""

from pathlib import Path

import numpy as np
import pytest
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests import fixtures
from tests.tflite import few_values
from tests.tflite.peculiar import peculiar
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.graph import Graph
from tinyseg.tflite.lint import lint
from tinyseg.tflite.model import OFFLINE_PLAN

MODELS = Path(__file__).parents[2] / "models"


SHIPPED = {f"{path.stem}-{path.parent.name}": path for path in sorted(MODELS.glob("*/*/*.tflite"))}


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


@pytest.fixture
def content(request):
    return FILES[request.param]()


REAL = {"seed": [pytest.mark.real_data]}


every_file = pytest.mark.parametrize(
    "content", [pytest.param(name, marks=REAL.get(name, [])) for name in FILES], indirect=True
)


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
