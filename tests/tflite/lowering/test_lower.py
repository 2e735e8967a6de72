"""All passes together: not one output byte differs. Each has a file of its own beside this."""

import numpy as np
import pytest

from tests import fixtures
from tests.fixtures import Draft, one_operator
from tests.tflite.drafts import SAME, File, assert_same, conv, options
from tests.tflite.patching.networks import unet
from tinyseg.errors import InputError
from tinyseg.runtime.runner import network_outputs
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena import memory
from tinyseg.tflite.graph import Graph
from tinyseg.tflite.lowering import ALL_PASSES, PASSES, avoid_concatenations, lower
from tinyseg.tflite.model import OFFLINE_PLAN
from tinyseg.tflite.ops.registry import total_cost
from tinyseg.tflite.packing import is_packed, pack, unpacked


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
    np.testing.assert_array_equal(
        network_outputs(runner, pictures), network_outputs(TflmRunner(small), pictures)
    )
    assert runner.arena.total == steps[-1].arena_bytes < steps[0].arena_bytes
    assert steps[0].macs == total_cost(small).macs
    assert steps[-1].macs == total_cost(lowered).macs <= 1.6 * steps[0].macs
    assert {step.name for step in steps} <= {"file", *ALL_PASSES}
    assert lowered.inputs[0].name == small.inputs[0].name
    assert "TRANSPOSE_CONV" not in lowered.opcodes


@pytest.fixture(scope="module")
def large():
    """A U-Net whose first stage needs far more than the rest, and higher than it is wide."""
    return unet(64, 48, depth=1, base=8)


def names(lowered):
    return [step.name for step in lowered.steps]


def assert_steps(model, lowered):
    """The figures of the first and the last step are those of the files."""
    for file, step in ((model, lowered.steps[0]), (lowered.model, lowered.steps[-1])):
        assert step.arena_bytes == TflmRunner(file).arena.total
        assert step.macs == total_cost(file).macs
        assert step.operators == len(file.operators)
        assert step.file_bytes == len(file.content)
    assert lowered.steps[0].changed == 1


def test_strips_where_they_help(large):
    told = []
    lowered = lower(large, patches=True, progress=lambda: told.append(1))
    assert names(lowered) == ["file", "patches", "placement"]
    assert_steps(large, lowered)
    arenas = [step.arena_bytes for step in lowered.steps]
    assert arenas[0] > arenas[1] > arenas[2]
    assert told
    # No more work than is allowed: by default as much again and a half, or a bit more.
    macs = total_cost(large).macs
    assert macs < lowered.steps[-1].macs <= 1.6 * macs
    assert_same(large.content, lowered.model.content)


def test_strips_take_no_more_work_than_allowed(large):
    lowered = lower(large, patches=True, max_work=1)
    assert "patches" in names(lowered)
    assert lowered.steps[-1].macs == lowered.steps[0].macs
    assert_same(large.content, lowered.model.content)
    more = lower(large, patches=True, max_work=1.2)
    assert more.steps[-1].arena_bytes < lowered.steps[-1].arena_bytes
    assert "patches" not in names(lower(large, patches=True, max_work=0.9))


def test_strips_only_if_asked_for(large):
    for settings in ({}, {"patches": False}, {"patches": True, "without": ["patches"]}):
        lowered = lower(large, **settings)
        assert "patches" not in names(lowered)
        assert lowered.steps[-1].macs == lowered.steps[0].macs


def test_placement_is_the_last_and_can_be_left_out(large):
    placed, plain = (lower(large, patches=True, without=w) for w in ([], ["placement"]))
    assert OFFLINE_PLAN in placed.model.metadata
    assert OFFLINE_PLAN not in plain.model.metadata
    assert names(plain) == ["file", "patches"]
    assert plain.steps == placed.steps[:2]
    assert_steps(large, plain)


def joined_convolutions(height=40, width=6):
    """Convolutions of an image, joined, then one pixel at a time to two channels."""
    file = File()
    source = file.tensor((1, height, width, 2), zero_point=5)
    parts = [conv(file, source, channels, seed=channels) for channels in (6, 10)]
    joined = file.tensor((1, height, width, 16), scale=0.1, zero_point=-3)
    file.operator("CONCATENATION", parts, joined, options("Concatenation", axis=3))
    last = conv(file, joined, 2, seed=5)
    return TfliteModel.parse(file.content([source], [last]))


@pytest.mark.parametrize("large", [True, False], ids=["large", "small"])
def test_concatenations_are_avoided_only_where_that_is_smaller(large):
    """Of a small network the operators take more than the concatenation did."""
    model = joined_convolutions(*(200, 48) if large else (12, 6))
    lowered = lower(model, without=["placement"])
    narrow, changed = avoid_concatenations(model)
    # At each place rows are joined again.
    rows = [o for o in narrow.operators if o.opcode == "CONCATENATION" and o.options.axis == 1]
    assert changed == len(rows) > 0
    if large:
        assert names(lowered) == ["file", "concatenations"]
        assert lowered.steps[-1].changed == changed
        assert lowered.steps[-1].arena_bytes < lowered.steps[0].arena_bytes
        assert lowered.model.checksum() == narrow.checksum()
    else:
        assert memory.predict_arena(narrow).total > memory.predict_arena(model).total
        assert names(lowered) == ["file"]
    assert names(lower(model, without=["placement", "concatenations"])) == ["file"]
    assert_steps(model, lowered)
    assert_same(model.content, lowered.model.content, images=1)


def test_without_concatenations_none_are_avoided():
    plain = unet(8, 6, depth=0)
    assert avoid_concatenations(plain) == (plain, 0)


def test_one_step_for_each_pass_that_changed_something():
    """A network of equal constants and of a result that nothing reads, with two outputs."""
    file = File()
    source = file.tensor((1, 7, 5, 3), zero_point=4)
    left, right = (conv(file, source, 3, (3, 2), seed=1) for _ in range(2))
    conv(file, source, 4, seed=2)
    factor = file.constant([100, -60, 3], scale=0.01)
    scaled = file.tensor((1, 7, 5, 3), scale=0.05, zero_point=4)
    file.operator("MUL", [left, factor], scaled, options("Mul"))
    model = TfliteModel.parse(file.content([source], [right, scaled, left]))
    for patches in (False, True):
        lowered = lower(model, patches=patches, without=["placement"])
        found = {step.name: step.changed for step in lowered.steps}
        assert found == {"file": 1, "channel_functions": 1, "constants": 2}
        assert [tensor.name for tensor in lowered.model.outputs] == [
            tensor.name for tensor in model.outputs
        ]
        assert lowered.steps[-1].operators == len(lowered.model.operators) == 3
        assert_same(model.content, lowered.model.content)


def test_packed_weights_are_packed_again():
    """Of few values, in two bits each; a result of a pass is packed as they are."""
    file = File()
    source = file.tensor((1, 6, 5, 8), zero_point=5)
    values = np.random.default_rng(0).choice([-90, -20, 30, 101], (8, 3, 3, 8))
    kernel = file.constant(values, scale=0.01)
    first = file.tensor((1, 6, 5, 8), scale=0.3, zero_point=-3)
    how = options("Conv2D", padding=SAME)
    biases = [file.constant(np.arange(8) * 100 + n, "int32") for n in range(2)]
    file.operator("CONV_2D", [source, kernel, biases[0]], first, how)
    again = file.tensor((1, 6, 5, 8), scale=0.5, zero_point=7)
    file.operator("CONV_2D", [first, file.constant(values, scale=0.01), biases[1]], again, how)
    content = file.content([source], [again])
    for model in (TfliteModel.parse(content), TfliteModel.parse(pack(content))):
        lowered = lower(model, without=["placement"]).model
        assert is_packed(lowered) == is_packed(model) == (model.content != content)
        assert len({op.inputs[1].index for op in unpacked(lowered).operators}) == 1
        assert_same(content, unpacked(lowered).content)


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
    assert [o.opcode for o in Graph(twice.content).operators] == once.opcodes
