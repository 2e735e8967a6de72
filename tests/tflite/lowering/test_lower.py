"""All passes together: not one output byte differs. Each has a file of its own beside this."""

import numpy as np
import pytest

from tests import fixtures
from tests.fixtures import Draft, one_operator
from tinyseg.errors import InputError
from tinyseg.runtime.runner import predict
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.graph import Graph, opcode
from tinyseg.tflite.lowering import ALL_PASSES, PASSES, lower
from tinyseg.tflite.op_table import total_cost


def edited(content, edit):
    graph = Graph(content)
    changed = edit(graph)
    return graph.to_bytes(), changed


@pytest.mark.parametrize("edit", PASSES.values(), ids=PASSES)
def test_nothing_to_do(edit):
    score = Draft((1, 4, 4, 2), scale=1 / 256, zero_point=-128)
    content = one_operator("LOGISTIC", [Draft((1, 4, 4, 2))], score)
    lowered, changed = edited(content, edit)
    assert not changed
    assert TfliteModel.parse(lowered).checksum() == TfliteModel.parse(content).checksum()


@pytest.fixture(scope="module")
def small():
    return TfliteModel.parse(fixtures.quantized(io="float32"), "small.tflite")


@pytest.mark.parametrize("patches", [False, True], ids=["exact", "patches"])
def test_all_passes(small, patches):
    lowered, steps = lower(small, patches=patches)
    runner = TflmRunner(lowered)
    pictures = fixtures.pictures(4)
    np.testing.assert_array_equal(predict(runner, pictures), predict(TflmRunner(small), pictures))
    assert runner.arena.total == steps[-1].arena_bytes < steps[0].arena_bytes
    assert steps[0].macs == total_cost(small).macs
    assert steps[-1].macs == total_cost(lowered).macs <= 1.6 * steps[0].macs
    assert {step.name for step in steps} <= {"file", *ALL_PASSES}
    assert lowered.inputs[0].name == small.inputs[0].name
    assert "TRANSPOSE_CONV" not in lowered.opcodes


@pytest.mark.parametrize("name", ALL_PASSES)
def test_pass_can_be_left_out(small, name):
    steps = lower(small, without=[name]).steps
    assert name not in {step.name for step in steps}


def test_unknown_pass(small):
    with pytest.raises(InputError, match="pass 'magic' is unknown; choose from fixed_batch"):
        lower(small, without=["magic"])


def test_lowering_twice_changes_no_more_operators(small):
    once = lower(small).model
    twice = lower(once).model
    assert [opcode(o) for o in Graph(twice.content).operators] == once.opcodes
