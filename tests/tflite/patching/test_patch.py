"""Networks in strips: the same bytes, the work and the memory that were said."""

import numpy as np
import pytest
import tf_keras as keras

from tests import fixtures
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.graph import Graph
from tinyseg.tflite.lowering import PASSES
from tinyseg.tflite.memory import predict
from tinyseg.tflite.op_table import total_cost
from tinyseg.tflite.patching import patch
from tinyseg.tflite.patching.emit import emit
from tinyseg.tflite.patching.schedule import Assessor
from tinyseg.tflite.patching.search import best_schedule
from tinyseg.tflite.patching.unroll import Network, Region

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
    assert predict(made).lower_bound == schedule.head < predict(unet).lower_bound
    assert total_cost(made).macs == schedule.macs <= limit


def test_operators_of_a_small_network_would_take_more_than_strips_save(unet):
    assert patch(unet, 2 * total_cost(unet).macs) is None


def test_overhead_is_what_operators_take(unet):
    schedule = Assessor(Network(unet)).assess([whole(unet)._replace(strips=8)])
    made = predict(TfliteModel.parse(emit(unet, schedule)))
    grown = made.tail - predict(unet).tail
    plain = Assessor(Network(unet)).assess([whole(unet)])
    assert grown == pytest.approx(schedule.overhead - plain.overhead, rel=0.15)


def whole(model):
    return Region((model.outputs[0].index,), frozenset({model.inputs[0].index}))


@pytest.mark.parametrize("strips", [2, 3, 7, 16, 64])
def test_any_number_of_strips(unet, strips):
    """Up to one row each; more than ten are put together in two steps."""
    region = whole(unet)._replace(strips=strips)
    schedule = Assessor(Network(unet)).assess([region])
    content = emit(unet, schedule)
    same_bytes(unet, content)
    assert predict(TfliteModel.parse(content)).lower_bound == schedule.head
    assert total_cost(TfliteModel.parse(content)).macs == schedule.macs


def test_finer_strips_and_several_sinks(unet):
    network = Network(unet)
    pooled = [o.outputs[0].index for o in unet.operators if o.opcode == "MAX_POOL_2D"]
    image, output = unet.inputs[0].index, unet.outputs[0].index
    head = Region((pooled[0], pooled[1]), frozenset({image}), 3)
    tail = Region((output,), frozenset({image, pooled[0], pooled[1]}), 4, pooled[0], 2)
    stored = tail.stored - {pooled[0]}
    tail = tail._replace(stored=frozenset(stored))
    assert network.can_strip(head)
    assert network.can_strip(tail)
    schedule = Assessor(network).assess([head, tail])
    content = emit(unet, schedule)
    same_bytes(unet, content)
    assert total_cost(TfliteModel.parse(content)).macs == schedule.macs


def test_estimate_is_near(unet):
    region = whole(unet)._replace(strips=16)
    exact, near = (Assessor(Network(unet)).assess([region], exact=e) for e in (True, False))
    assert near.head == pytest.approx(exact.head, rel=0.1)
    assert near.macs == pytest.approx(exact.macs, rel=0.1)


@pytest.mark.parametrize("size", [(30, 20), (33, 17)])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_windows_strides_and_odd_sides(size, padding):
    image = keras.Input((*size, 2), name="image")
    x = L.Conv2D(3, 5, padding=padding, activation="relu")(image)
    x = L.DepthwiseConv2D(3, strides=2, padding=padding)(x)
    x = L.Conv2D(4, (2, 3), padding=padding, activation="relu")(x)
    x = L.UpSampling2D(2)(x)
    model = keras.Model(image, L.Conv2D(1, 3, padding="same")(x))
    calibration = np.random.default_rng(0).random((4, *size, 2), np.float32)
    lowered = simplified(fixtures.convert(model, calibration))
    region = whole(lowered)
    for strips in (2, 5):
        assert Network(lowered).can_strip(region._replace(strips=strips))
        schedule = Assessor(Network(lowered)).assess([region._replace(strips=strips)])
        same_bytes(lowered, emit(lowered, schedule))


def test_what_sees_the_whole_image_is_not_cut():
    image = keras.Input((16, 16, 3), name="image")
    x = L.Conv2D(4, 3, padding="same", activation="relu")(image)
    x = L.GlobalAveragePooling2D()(x)
    model = keras.Model(image, L.Dense(3)(x))
    calibration = np.random.default_rng(0).random((4, 16, 16, 3), np.float32)
    lowered = simplified(fixtures.convert(model, calibration))
    assert not Network(lowered).can_strip(whole(lowered)._replace(strips=2))
    assert patch(lowered, 10 * total_cost(lowered).macs) is None
