"""Networks in strips: the same bytes, the work and the memory that were said."""

import numpy as np
import pytest
import tf_keras as keras

from tests import fixtures, foreign_files
from tests.tflite import drafts
from tests.tflite.drafts import assert_same
from tests.tflite.patching import networks
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena.memory import predict_arena
from tinyseg.tflite.graph import Graph
from tinyseg.tflite.lowering import PASSES
from tinyseg.tflite.ops.registry import total_cost
from tinyseg.tflite.patching import patch
from tinyseg.tflite.patching.emit import emit
from tinyseg.tflite.patching.schedule import Assessor
from tinyseg.tflite.patching.search import best_schedule
from tinyseg.tflite.patching.unroll import StripNetwork, StripRegion

L = keras.layers


def simplified(content):
    graph = Graph(content)
    for edit in PASSES.values():
        edit(graph)
    return TfliteModel.parse(graph.to_bytes())


@pytest.fixture(scope="module")
def unet():
    return simplified(fixtures.quantized(size=64))


def same_bytes(model, content, images=2):
    shape = model.inputs[0].shape[1:]
    inputs = np.random.default_rng(1).integers(-128, 128, (images, *shape)).astype(np.int8)
    expected = TflmRunner(model).run(inputs)
    np.testing.assert_array_equal(TflmRunner(TfliteModel.parse(content)).run(inputs), expected)
    np.testing.assert_array_equal(fixtures.reference_outputs(content, inputs), expected)
    assert expected.std() > 0


def test_found_schedule(unet):
    limit = round(1.6 * total_cost(unet).macs)
    schedule = best_schedule(unet, limit, count_overhead=False)
    content = emit(unet, schedule)
    made = TfliteModel.parse(content)
    same_bytes(unet, content)
    assert predict_arena(made).lower_bound == schedule.head < predict_arena(unet).lower_bound
    assert total_cost(made).macs == schedule.macs <= limit


def borders(inputs=1, outputs=1):
    """A U-Net worth cutting, with other inputs and outputs besides."""
    model = networks.unet(64, 48, depth=1, base=8)
    graph = fixtures.unpack(model.content)
    (main,) = graph.subgraphs
    skip = main.operators[0].outputs[0]
    main.outputs = [*main.outputs, skip][:outputs]
    if inputs == 2:
        # The deepest stage comes from outside.
        main.inputs = [*main.inputs, main.operators[1].outputs[0]]
        del main.operators[1]
    return TfliteModel.parse(fixtures.pack(graph), "unet.tflite")


def test_strips_of_one_input_and_one_output():
    model, told = borders(), []
    macs = total_cost(model).macs
    made = patch(model, round(1.6 * macs), progress=lambda: told.append(1))
    assert made.path == "unet.tflite"
    assert told
    assert predict_arena(made).total < predict_arena(model).total
    assert macs < total_cost(made).macs <= 1.6 * macs
    assert_same(model.content, made.content)
    frugal = patch(model, macs)
    assert total_cost(frugal).macs == macs
    assert predict_arena(made).total < predict_arena(frugal).total < predict_arena(model).total


@pytest.mark.parametrize("number", [{"inputs": 2}, {"outputs": 2}], ids=str)
def test_several_inputs_or_outputs_are_left_alone(number):
    model = borders(**number)
    assert len(model.inputs) + len(model.outputs) == 3
    assert_same(model.content, model.content, images=1)
    assert patch(model, 2 * total_cost(model).macs) is None


def test_operators_of_a_small_network_would_take_more_than_strips_save(unet):
    assert patch(unet, 2 * total_cost(unet).macs) is None


def test_overhead_is_what_operators_take(unet):
    schedule = Assessor(StripNetwork(unet)).assess([whole(unet)._replace(strips=8)])
    made = predict_arena(TfliteModel.parse(emit(unet, schedule)))
    grown = made.tail - predict_arena(unet).tail
    plain = Assessor(StripNetwork(unet)).assess([whole(unet)])
    assert grown == pytest.approx(schedule.overhead - plain.overhead, rel=0.15)


def whole(model):
    return StripRegion((model.outputs[0].index,), frozenset({model.inputs[0].index}))


def test_estimate_is_near(unet):
    region = whole(unet)._replace(strips=16)
    exact, near = (Assessor(StripNetwork(unet)).assess([region], exact=e) for e in (True, False))
    assert near.head == pytest.approx(exact.head, rel=0.1)
    assert near.macs == pytest.approx(exact.macs, rel=0.1)


def test_what_sees_the_whole_image_is_not_cut():
    image = keras.Input((16, 16, 3), name="image")
    x = L.Conv2D(4, 3, padding="same", activation="relu")(image)
    x = L.GlobalAveragePooling2D()(x)
    model = keras.Model(image, L.Dense(3)(x))
    calibration = np.random.default_rng(0).random((4, 16, 16, 3), np.float32)
    lowered = simplified(fixtures.convert(model, calibration))
    assert not StripNetwork(lowered).can_strip(whole(lowered)._replace(strips=2))
    assert patch(lowered, 10 * total_cost(lowered).macs) is None


def image_network(last):
    """Two pointwise convolutions of a large image, and an operator made by ``last``."""
    file = drafts.File()
    source = file.tensor((1, 32, 32, 4))
    x = drafts.conv(file, drafts.conv(file, source, 8), 4)
    return TfliteModel.parse(file.content([source], [last(file, x)]))


def halves(file, x):
    axis, parts = file.constant(3, "int32"), [file.tensor((1, 32, 32, 2)) for _ in range(2)]
    file.operator("SPLIT", [axis, x], parts[0], drafts.options("Split", numSplits=2))
    file.graph.operators[-1].outputs = parts
    return file.operator("ADD", parts, file.tensor((1, 32, 32, 2)), drafts.options("Add"))


def product(file, x):
    """One number of all of them, without any axis."""
    axes = file.constant([0, 1, 2, 3], "int32")
    return file.operator("MEAN", [x, axes], file.tensor(()), drafts.options("Reducer"))


@pytest.mark.parametrize("last", [halves, product])
def test_operators_of_several_results_or_of_a_number_are_not_cut(last):
    model = image_network(last)
    assert patch(model, 10 * total_cost(model).macs) is None


@pytest.mark.parametrize("make", [foreign_files.svdf, foreign_files.lstm])
def test_what_keeps_a_state_is_not_run_once_a_strip(make):
    model = TfliteModel.parse(foreign_files.content_of(make))
    assert patch(model, 10 * total_cost(model).macs) is None
