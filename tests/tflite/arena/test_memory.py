"""The arena's prediction: TFLM's own interpreter and a port of its planner are the yardsticks."""

import dataclasses
import functools
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_micro.python.tflite_micro import runtime
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

import tinyseg.errors
from tests import fixtures
from tests.tflite import few_values
from tests.tflite.measured import measure
from tinyseg import plan as plans
from tinyseg.boards import firmware
from tinyseg.plan import PreprocessingPlan
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.steps.convert import to_integers
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena.memory import MemoryPlan, buffers, facts, predict_arena
from tinyseg.tflite.arena.planner import PlannedBuffer, live_bytes, plan
from tinyseg.tflite.packing import is_packed
from tinyseg.zoo import build
from tinyseg.zoo.blocks.residual_binary_convolution import fit_gammas

SHIPPED = Path(__file__).parents[3] / "models"


def greedy(requests):
    """TFLM's ``GreedyMemoryPlanner``, line by line: a bubble sort and a linked list."""
    offline = [i for i, b in enumerate(requests) if b.offset is not None]
    ids = [i for i, b in enumerate(requests) if b.offset is None][::-1]
    swapped = True
    while swapped:
        swapped = False
        for i in range(1, len(ids)):
            if requests[ids[i - 1]].size < requests[ids[i]].size:
                ids[i - 1], ids[i] = ids[i], ids[i - 1]
                swapped = True
    offsets, entries = {}, []
    for index in offline + ids:
        wanted = requests[index]
        candidate = 0
        if wanted.offset is not None:
            candidate = wanted.offset
        else:
            for entry in entries:
                other = requests[entry]
                if other.first > wanted.last or wanted.first > other.last:
                    continue
                if offsets[entry] - candidate >= wanted.size:
                    break
                candidate = max(candidate, offsets[entry] + other.size)
        offsets[index] = candidate
        place = len(entries)
        for i, entry in enumerate(entries):
            if offsets[entry] > candidate:
                place = i
                break
        entries.insert(place, index)
    ends = [offsets[i] + requests[i].size for i in range(len(requests))]
    return [offsets[i] for i in range(len(requests))], max(ends, default=0)


@st.composite
def requests(draw, offline=False):
    sizes = st.integers(0, 12).map(lambda units: 16 * units)
    times = st.tuples(st.integers(-2, 12), st.integers(-2, 12)).map(sorted)
    places = st.none() | sizes if offline else st.none()
    rows = draw(st.lists(st.tuples(sizes, times, places), max_size=30))
    return [PlannedBuffer(size, *ends, offset=place) for size, ends, place in rows]


@settings(max_examples=200)
@given(requests(offline=True))
def test_planner_places_as_tflm_does(requests):
    assert plan(requests) == greedy(requests)


@settings(max_examples=100)
@given(requests())
def test_what_lives_together_lies_apart(requests):
    offsets, total = plan(requests)
    placed = list(zip(requests, offsets, strict=True))
    for index, (one, start) in enumerate(placed):
        for other, place in placed[:index]:
            if one.first <= other.last and other.first <= one.last:
                assert start >= place + other.size or place >= start + one.size
    assert total >= max(live_bytes(requests, 13), default=0)
    assert total <= sum(buffer.size for buffer in requests)


def test_live_bytes_by_hand():
    requests = [
        PlannedBuffer(32, -1, 1),
        PlannedBuffer(64, 0, 2),
        PlannedBuffer(16, 1, 1),
        PlannedBuffer(160, -2, -2),
    ]
    assert live_bytes(requests, 4) == [96, 112, 64, 0]


def test_planner_is_fast_with_three_thousand_buffers():
    rng = np.random.default_rng(0)
    spans = [(i // 2, i // 2 + int(rng.choice([1, 2, 50, 500]))) for i in range(3000)]
    requests = [PlannedBuffer(16 * int(rng.integers(1, 2000)), *span) for span in spans]
    start = time.perf_counter()
    plan(requests)
    assert time.perf_counter() - start < 2


@functools.cache
def zoo_file(name, recipe="static_wi8_ai8", base_width=4, depth=2):
    choice = plans.from_mapping(
        {
            "model": {"name": name, "arguments": {"base_width": base_width, "depth": depth}},
            "preprocessing": {"height": 32, "width": 32},
            "quantization": {"recipe": recipe},
        }
    )
    network = build(*choice.network)
    fit_gammas(network)
    return to_integers(network, choice, fixtures.pictures(2))[0]


def seed():
    return (fixtures.seed_folder() / "ds_cnn_model_quant.tflite").read_bytes()


FILES = {
    "depthwise separable": fixtures.quantized,
    "int16": lambda: fixtures.quantized("static_wi8_ai16"),
    "float input and output": lambda: fixtures.quantized("static_wi8_ai8", "float32"),
    "float": fixtures.float_twin,
    "packed": lambda: few_values.whole()[1],
    "packed int16": lambda: few_values.whole("static_wi8_ai16")[1],
    "attention_unet": lambda: zoo_file("attention_unet"),
    "unet": lambda: zoo_file("unet"),
    "unet int16": lambda: zoo_file("unet", "static_wi8_ai16"),
    "lw_unet": lambda: zoo_file("lw_unet"),
    "blu_net": lambda: zoo_file("blu_net", base_width=8),
    "shipped": (SHIPPED / "attention_unet_ds/phantom/attention_unet_ds.tflite").read_bytes,
    "seed": seed,
}


# Training with the rounding in place makes this file, which takes half a minute.
SLOW = {"blu_net"}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in FILES]
)
def test_arena_is_that_of_tflm(name):
    model = TfliteModel.parse(FILES[name](), f"{name}.tflite")
    predicted, measured = predict_arena(model), TflmRunner(model).arena
    assert (predicted.head, predicted.tail) == (measured.head, measured.tail)
    assert predicted.total == measured.total


def test_packed_file_is_packed():
    assert is_packed(TfliteModel.parse(FILES["packed"]()))


@pytest.mark.parametrize("name", ["depthwise separable", "packed"])
def test_plan_is_consistent(name):
    model = TfliteModel.parse(FILES[name]())
    for target in ("host", "cortex_m", "cortex_m55"):
        made = predict_arena(model, target)
        assert len(made.live) == len(model.operators)
        assert made.lower_bound == max(made.live) == made.live[made.peak_operator]
        assert made.lower_bound <= made.head
        assert sum(buffer.size for buffer in made.peak) == made.lower_bound
        assert made.buffers == tuple(buffers(model, target))
        assert made.needed >= made.total
        for buffer in made.buffers:
            assert buffer.size % 16 == 0
            assert (buffer.tensor is None) != (buffer.operator is None)


def test_facts_are_plain_and_add_up():
    model = TfliteModel.parse(fixtures.quantized(), "net.tflite")
    made = predict_arena(model)
    values = facts(model, made)
    assert values["total_bytes"] == values["head_bytes"] + values["tail_bytes"] == made.total
    rows = values["buffers"]
    assert max(row["offset_bytes"] + row["size_bytes"] for row in rows) == made.head
    assert sum(row["size_bytes"] for row in values["peak"]["tensors"]) == made.lower_bound
    assert {row["layer"] for row in rows} & {"encoder1_conv1", "encoder2_conv1"}
    scratch = [row for row in rows if row["shape"] is None]
    assert {row["name"] for row in scratch} == {"scratch of TRANSPOSE_CONV"}
    assert sum(row["persistent_bytes"] for row in values["operators"]) < made.tail


def chain(count):
    """Additions, one after another, some with a value from far back."""
    draft, options = fixtures.Draft((1, 8, 8, 4)), schema.AddOptionsT()
    model = fixtures.unpack(fixtures.one_operator("ADD", [draft, draft], draft, options))
    graph = model.subgraphs[0]
    quantization, code = graph.tensors[0].quantization, graph.operators[0].opcodeIndex
    graph.tensors, graph.operators, graph.inputs = [], [], [0]
    for index in range(count + 1):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = f"chain/t{index}", [1, 8, 8, 4], 9
        tensor.buffer, tensor.quantization = 0, quantization
        graph.tensors.append(tensor)
    for index in range(count):
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.builtinOptions = code, options
        operator.builtinOptionsType = schema.BuiltinOptions.AddOptions
        old = max(0, index - 40) if index % 7 == 0 else max(0, index - 1)
        operator.inputs, operator.outputs = [index, old], [index + 1]
        graph.operators.append(operator)
    graph.outputs = [count]
    return fixtures.pack(model)


@pytest.fixture(scope="module")
def long_chain():
    return TfliteModel.parse(chain(1500), "chain.tflite")


def test_graph_of_1500_operators(long_chain):
    start = time.perf_counter()
    predicted = predict_arena(long_chain)
    assert time.perf_counter() - start < 2
    measured = TflmRunner(long_chain).arena
    assert (predicted.head, predicted.tail) == (measured.head, measured.tail)


def test_planning_many_small_tensors_needs_more_than_running(long_chain):
    predicted = predict_arena(long_chain)
    assert predicted.needed > predicted.total + 100_000
    runtime.Interpreter.from_bytes(long_chain.content, arena_size=predicted.needed)
    with pytest.raises(RuntimeError):
        runtime.Interpreter.from_bytes(long_chain.content, arena_size=predicted.needed - 16)


def edited(change):
    model = fixtures.unpack(chain(6))
    change(model, model.subgraphs[0])
    return TfliteModel.parse(fixtures.pack(model), "chain.tflite")


def add_plan(model, offsets):
    entry, buffer = schema.MetadataT(), schema.BufferT()
    entry.name, entry.buffer = "OfflineMemoryAllocation", len(model.buffers)
    words = np.array([1, 0, len(offsets), *offsets], np.int32)
    buffer.data = np.frombuffer(words.tobytes(), np.uint8)
    model.buffers.append(buffer)
    model.metadata = [entry]


def unused_tensor(model, graph):
    graph.tensors.append(graph.tensors[0])


def two_outputs(model, graph):
    graph.outputs = [6, 2]


def fallow_input(model, graph):
    graph.tensors.append(graph.tensors[0])
    graph.inputs = [0, len(graph.tensors) - 1]


def own_plan(model, graph):
    add_plan(model, [-1, 4096, -1, 0, -1, -1, 256])


@pytest.mark.parametrize("change", [unused_tensor, two_outputs, fallow_input, own_plan])
def test_uncommon_graphs(change, capfd):
    model = edited(change)
    predicted = predict_arena(model)
    assert (predicted.head, predicted.tail) == measure(model.content, capfd)


def test_plan_for_another_graph_is_damage():
    model = edited(lambda model, graph: add_plan(model, [0, 1]))
    with pytest.raises(tinyseg.errors.InputError, match=r"chain.tflite.*plan.*damaged"):
        predict_arena(model)


def test_variable_tensors_are_kept_in_the_tail(capfd):
    def change(model, graph):
        graph.tensors.append(schema.TensorT())
        tensor = graph.tensors[-1]
        tensor.name, tensor.shape, tensor.type = "state", [1, 100], schema.TensorType.INT8
        tensor.buffer, tensor.isVariable = 0, True

    model = edited(change)
    predicted = predict_arena(model)
    assert (predicted.head, predicted.tail) == measure(model.content, capfd)


def test_peak_is_the_first_of_equals():
    made = MemoryPlan("host", 64, 0, 0, (), (), (16, 64, 64), 64)
    assert made.peak_operator == 1
    assert dataclasses.replace(made, live=()).peak_operator == 0


@pytest.mark.arm
@pytest.mark.tflm
@pytest.mark.slow
@pytest.mark.parametrize(
    ("board", "target"),
    [
        ("mps2_an386", "cortex_m"),
        ("mps2_an500", "cortex_m"),
        ("mps2_an505", "cortex_m"),
        ("mps3_an547", "cortex_m55"),
    ],
)
def test_arena_on_a_board_is_what_it_uses(board, target, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = TfliteModel.parse(fixtures.quantized(), "attention_unet_ds.tflite")
    preprocessing = PreprocessingPlan(fixtures.SIZE, fixtures.SIZE, 3)
    with firmware.booted(model, preprocessing, board, "tflm") as runner:
        assert runner.refresh().arena_used == predict_arena(model, target).total
