"""Schedules: what was said of the work and the memory is what the written file takes."""

import itertools

import numpy as np
import pytest

from tests.tflite.drafts import File, conv
from tests.tflite.patching.networks import unet
from tests.tflite.patching.schedules import NETWORKS, assert_as_said, random_regions, whole
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena.memory import predict_arena
from tinyseg.tflite.ops.registry import total_cost
from tinyseg.tflite.patching.emit import emit
from tinyseg.tflite.patching.schedule import Assessor
from tinyseg.tflite.patching.unroll import MAX_CONCATENATION, StripNetwork, StripRegion


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("strips", [1, 2, 5, MAX_CONCATENATION + 1])
def test_whole_network_in_strips(name, strips):
    model = NETWORKS[name]()
    region = whole(model, strips)
    if model.outputs[0].shape[1] < strips:
        assert not StripNetwork(model).can_strip(region)
        return
    assert StripNetwork(model).can_strip(region)
    assert_as_said(model, [region])


@pytest.mark.parametrize("name", NETWORKS)
def test_strips_of_one_row(name):
    model = NETWORKS[name]()
    made = assert_as_said(model, [whole(model, model.outputs[0].shape[1])])
    joined = [o for o in made.operators if o.opcode == "CONCATENATION" and o.options.axis == 1]
    assert max(len(operator.inputs) for operator in joined) <= MAX_CONCATENATION


def test_more_strips_than_two_levels_of_concatenations_hold():
    model = unet(128, 4, depth=1, base=2)
    made = assert_as_said(model, [whole(model, 128)])
    joined = [o for o in made.operators if o.opcode == "CONCATENATION" and o.options.axis == 1]
    # 128 strips in 13 groups, these in 2, these in one.
    assert len(joined) == 13 + 2 + 1


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("seed", range(6))
def test_random_schedules(name, seed):
    model = NETWORKS[name]()
    random = np.random.default_rng([seed, len(model.operators)])
    assert_as_said(model, random_regions(model, random))


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("seed", range(6, 60))
def test_more_random_schedules(name, seed):
    model = NETWORKS[name]()
    random = np.random.default_rng([seed, len(model.operators)])
    assert_as_said(model, random_regions(model, random))


def test_whole_execution_is_the_file_itself():
    model = unet()
    schedule = Assessor(StripNetwork(model)).assess([whole(model)])
    made = TfliteModel.parse(emit(model, schedule))
    assert made.opcodes == model.opcodes
    assert made.checksum() == model.checksum()
    assert schedule.head == predict_arena(model).lower_bound
    assert schedule.macs == total_cost(model).macs


def test_more_strips_take_more_work_and_less_memory():
    model = unet(32, 32)
    measure = Assessor(StripNetwork(model), count_overhead=False).assess
    found = [measure([whole(model, strips)]) for strips in (1, 2, 4, 8)]
    for coarse, fine in itertools.pairwise(found):
        assert fine.macs > coarse.macs
        assert fine.head < coarse.head
        assert fine.arena == fine.head


@pytest.mark.parametrize("strips", [1, 2, 4])
def test_few_strips_are_not_estimated(strips):
    model = unet(gates=True)
    region = whole(model, strips)
    exact, near = (Assessor(StripNetwork(model)).assess([region], exact=e) for e in (True, False))
    assert exact == near


@pytest.mark.parametrize("name", ["plain", "gates", "shuffled", "both"])
def test_many_strips_are_estimated_from_three(name):
    """The first, the last and one between stand for 16: their seams are all that may differ."""
    model = NETWORKS[name]()
    exact, near = (
        Assessor(StripNetwork(model)).assess([whole(model, 16)], exact=e) for e in (True, False)
    )
    assert near.head == pytest.approx(exact.head, rel=0.1)
    assert near.macs == pytest.approx(exact.macs, rel=0.06)
    assert near.overhead == pytest.approx(exact.overhead, rel=0.04)
    assert near.regions == exact.regions
    assert near.arena == near.head + near.overhead


@pytest.mark.parametrize("strips", [5, 8, 16])
def test_the_end_is_the_peak_where_the_result_is_the_largest(strips):
    """All strips of the result, and the tensor that they become: twice its bytes."""
    file = File()
    source = file.tensor((1, 80, 4, 2), zero_point=5)
    model = TfliteModel.parse(file.content([source], [conv(file, source, 16)]))
    measure = Assessor(StripNetwork(model)).assess
    for exact in (True, False):
        assert measure([whole(model, strips)], exact=exact).head == 2 * 80 * 4 * 16


def test_stored_skip_is_not_computed_again():
    """The first stage as a whole; its result and the pooled one are kept for the tail."""
    model = unet()
    image, output = model.inputs[0].index, model.outputs[0].index
    skip = model.operators[0].outputs[0].index
    head = StripRegion((skip,), frozenset({image}), 4)
    tail = StripRegion((output,), frozenset({image, skip}), 1)
    made = assert_as_said(model, [head, tail])
    # Strips of the first convolution overlap nowhere: their inputs do.
    assert total_cost(made).macs == total_cost(model).macs


def test_network_knows_what_lies_between():
    model = unet()
    network = StripNetwork(model)
    image, output = model.inputs[0].index, model.outputs[0].index
    everything = network.closure((output,), frozenset({image}))
    assert list(everything) == list(model.operators)
    skip = model.operators[0].outputs[0].index
    rest = network.closure((output,), frozenset({image, skip}))
    assert list(rest) == list(model.operators[1:])
    assert network.read_by(rest) == {t for op in rest for t in _activations(op)}
    assert [network.born(t) for t in (image, skip)] == [-1, 0]


def _activations(operator):
    return [tensor.index for tensor in operator.inputs if not tensor.constant]
