"""Programs with copies compute the same, in less memory, for the work that they say."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from tests.engine.programs import WINDOW, chain, image, node, programs, u_net
from tinyseg.engine.compiler import compile_model
from tinyseg.engine.copies import Draft, late_readers
from tinyseg.engine.program import Need, Program
from tinyseg.engine.recompute import choose, front
from tinyseg.engine.schedule import simulate
from tinyseg.errors import InputError
from tinyseg.tflite.model import TfliteModel

MODELS = Path(__file__).parents[2] / "models"


def computed(program):
    """What the outputs are, whatever the numbers of nodes: nodes, and what they read how."""
    known, meaning = {}, []
    for index, its in enumerate(program.nodes):
        sources = tuple((meaning[link.source], link.need) for link in its.links)
        what = dataclasses.replace(its, links=()), sources, index < program.inputs and index
        meaning.append(known.setdefault(what, len(known)))
    inverse = list(known)

    def told(number):
        what, sources, place = inverse[number]
        return what, tuple((told(source), need) for source, need in sources), place

    return [told(meaning[output]) for output in program.outputs]


def same(program, changed):
    assert computed(program) == computed(changed)
    assert changed.nodes[: changed.inputs] == program.nodes[: program.inputs]
    assert (changed.inputs, changed.path) == (program.inputs, program.path)
    for index, its in enumerate(changed.nodes):
        assert all(link.source < index for link in its.links)


def splits(program):
    draft = Draft.of(program)
    for late in late_readers(simulate(program)):
        yield from draft.split(late)


@settings(max_examples=60, deadline=None)
@given(programs())
def test_any_split_computes_the_same(program):
    for draft in list(splits(program))[:6]:
        same(program, draft.program)
        assert len(draft.origins) == len(draft.program.nodes)
        for its, origin in zip(draft.program.nodes, draft.origins, strict=True):
            first = program.nodes[origin]
            assert dataclasses.replace(its, links=()) == dataclasses.replace(first, links=())


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_front_takes_less_and_less_memory(depth):
    program = u_net(depth, 64, 1024)
    variants = front(program, limit=1.6, effort=60)
    assert variants[0].macs == 1
    assert variants[0].program is program
    assert len(variants) > 1
    macs = [variant.macs for variant in variants]
    peaks = [variant.schedule.peak for variant in variants]
    assert macs == sorted(set(macs))
    assert all(later < 0.99 * earlier for earlier, later in itertools.pairwise(peaks))
    for variant in variants:
        same(program, variant.program)
        work = variant.schedule.macs / variants[0].schedule.macs
        assert variant.macs == pytest.approx(work)
        assert variant.macs <= 1.6


def test_nothing_better_is_passed_over():
    variants = front(u_net(2, 64, 1024), effort=60)
    # What 1500 trials find that leave out nothing: keeping the inner skip is best.
    assert [(v.macs, v.schedule.peak) for v in variants] == [(1, 52_736), (1.1875, 40_192)]


def test_the_last_skip_is_the_first_to_go():
    program = u_net(2, 64, 1024)
    best = choose(front(program, limit=1.25, effort=60), work=1.25)
    names = [its.name for its in best.program.nodes]
    assert names.count("skip0") > 1
    # Its copy is read by the join at the end, the first one by the way down.
    readers = best.program.readers()
    of = [
        {best.program.nodes[r].name for r, _ in readers[i]}
        for i, n in enumerate(names)
        if n == "skip0"
    ]
    assert all(not {"pool0", "join0"} <= found for found in of)


def test_the_limit_holds_and_the_effort_ends_the_search():
    program = u_net(3, 32)
    assert max(variant.macs for variant in front(program, limit=1.1)) <= 1.1
    assert len(front(program, effort=0)) == 1
    assert len(front(program, limit=1.0)) == 1


def test_what_has_no_late_readers_stays_as_it_is():
    assert len(front(chain(WINDOW, WINDOW, rows=20))) == 1
    # A residual block: its skip is read soon.
    nodes = [image(16, 32), node([(0, Need())], 16, 32)]
    nodes += [node([(1, WINDOW)], 16, 32), node([(2, Need()), (1, Need())], 16, 32)]
    assert len(front(Program(tuple(nodes), 1, (3,)))) == 1


def test_rows_of_an_input_are_pulled_once():
    variants = front(u_net(2, 64, 1024))
    for variant in variants:
        assert np.count_nonzero(variant.schedule.nodes == 0) == 64


def test_choices():
    program = dataclasses.replace(u_net(2, 32, 1024), path="net.tflite")
    variants = front(program, limit=1.5, effort=50)
    assert choose(variants).macs == 1
    assert choose(variants, work=10).ram == min(v.ram for v in variants)
    some = variants[len(variants) // 2]
    assert choose(variants, work=some.work).ram <= some.ram
    chosen = choose(variants, ram=some.ram)
    assert chosen.ram <= some.ram
    assert chosen.macs <= some.macs
    with pytest.raises(InputError, match=r"^net.tflite: needs [\d,]+ bytes.*1,000 are there"):
        choose(variants, ram=1000)
    with pytest.raises(InputError, match=r"at 1\.00 times the work"):
        choose(variants, ram=some.ram, work=1)


def test_a_board_asks_for_no_more_work_than_it_must():
    program = u_net(2, 32, 1024)
    free = front(program, limit=1.5, effort=50)
    middle = free[len(free) // 2]
    size = (middle.ram + 4095) // 2 // 1024 * 1024
    tight = front(program, [size, size], limit=1.5, effort=50)
    chosen = choose(tight)
    assert chosen.macs == middle.macs
    assert all(used <= size for used in chosen.placement.regions)
    with pytest.raises(InputError, match="allow more work with --max-work, or take a"):
        choose(front(program, [4096]))


def test_more_work_than_a_network_asks_for_is_not_taken_for_nothing():
    with pytest.raises(InputError, match="are there"):
        choose(front(u_net(2, 64, 1024), [20_000]), work=1.0)


def test_a_published_network():
    path = MODELS / "attention_unet_ds/phantom/attention_unet_ds.tflite"
    variants = front(compile_model(TfliteModel.read(path)), effort=70)
    # What a prototype reached: bytes alive at once, for so much work.
    for macs, peak in [(1.035, 1_345_000), (1.075, 965_000), (1.105, 882_000), (1.145, 822_000)]:
        assert min(v.schedule.peak for v in variants if v.macs <= macs) <= peak
