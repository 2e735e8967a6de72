"""The arena of operators whose options have odd sizes, and of what TFLM's own examples hold."""

import numpy as np
import pytest

from tests import fixtures, foreign_files, mlperf_tiny
from tests.tflite.drafts import File, options
from tests.tflite.measured import measure
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena.memory import facts, predict_arena

SHAPE = (1, 4, 4, 4)


def chain(file, x, kinds):
    """Operators one after the other; the options of MEAN take one byte, those of TANH none."""
    for kind in kinds:
        if kind == "MEAN":
            axes = file.constant([3], "int32")
            target = file.tensor((*SHAPE[:3], 1))
            means = file.operator("MEAN", [x, axes], target, options("Reducer", keepDims=True))
            x = file.operator("SUB", [x, means], file.tensor(SHAPE), options("Sub"))
        elif kind == "TANH":
            x = file.operator("TANH", [x], file.tensor(SHAPE, scale=1 / 128))
        else:
            x = file.operator(kind, [x, x], file.tensor(SHAPE), options(kind.title()))
    return x


@pytest.mark.parametrize("seed", range(6))
def test_options_of_odd_sizes_move_others_by_no_more_than_their_own_alignment(capfd, seed):
    random, file = np.random.default_rng(seed), File()
    source = file.tensor(SHAPE)
    kinds = random.choice(["MEAN", "TANH", "MUL", "ADD"], 7)
    content = file.content([source], [chain(file, source, ["MEAN", "TANH", *kinds])])
    plan = predict_arena(TfliteModel.parse(content))
    assert (plan.head, plan.tail) == measure(content, capfd)


@pytest.mark.parametrize("layers", range(1, 5))
@pytest.mark.parametrize("first", ["ADD", "MUL"])
def test_options_of_fully_connected_layers_are_aligned_to_eight(capfd, first, layers):
    file = File()
    source = x = file.tensor((1, 8))
    for _ in range(layers):
        x = file.operator(first, [x, x], file.tensor((1, 8)), options(first.title()))
        weights = file.constant(np.ones((8, 8)), scale=0.1)
        target = file.tensor((1, 8))
        x = file.operator("FULLY_CONNECTED", [x, weights], target, options("FullyConnected"))
    x = file.operator(
        "SOFTMAX",
        [x],
        file.tensor((1, 8), scale=1 / 256, zero_point=-128),
        options("Softmax", beta=1),
    )
    content = file.content([source], [x])
    plan = predict_arena(TfliteModel.parse(content))
    assert (plan.head, plan.tail) == measure(content, capfd)


@pytest.mark.parametrize("make", foreign_files.SOUND.values(), ids=foreign_files.SOUND)
def test_files_of_the_world_of_tflm(capfd, make):
    content = foreign_files.content_of(make)
    plan = predict_arena(TfliteModel.parse(content))
    assert (plan.head, plan.tail) == measure(content, capfd)


@pytest.mark.parametrize("name", mlperf_tiny.NETWORKS)
def test_networks_of_mlperf_tiny(capfd, name):
    content = mlperf_tiny.int8_file(name)
    plan = predict_arena(TfliteModel.parse(content))
    assert (plan.head, plan.tail) == measure(content, capfd)


def test_what_nobody_counted_is_named():
    draft = fixtures.Draft((1, 16), "int16")
    content = fixtures.one_operator("CUSTOM", [draft], draft, custom="SignalWindow")
    model = TfliteModel.parse(content)
    assert facts(model, predict_arena(model))["uncounted"] == ["SignalWindow"]
    plain = TfliteModel.parse(foreign_files.content_of(foreign_files.svdf))
    assert facts(plain, predict_arena(plain))["uncounted"] == []
