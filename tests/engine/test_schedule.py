"""The order of rows is the runtime's, and lives are exact."""

from pathlib import Path

import numpy as np
from hypothesis import given, settings

from tests.engine.programs import HALF, WINDOW, chain, image, node, programs, steps, u_net
from tinyseg.engine.compiler import compile_model
from tinyseg.engine.program import Need, Program, whole
from tinyseg.engine.schedule import last_reads, simulate
from tinyseg.tflite.model import TfliteModel

MODELS = Path(__file__).parents[2] / "models"


def order(program):
    schedule = simulate(program)
    return list(zip(schedule.nodes.tolist(), schedule.rows.tolist(), strict=True))


def by_hand(program):
    """Births, deaths and live bytes, from sets of what each step needs."""
    births, deaths, count = {}, {}, 0
    for index, row, reads in steps(program):
        births[index, row] = deaths[index, row] = count
        deaths.update(dict.fromkeys(reads, count))
        count += 1
    sizes = [-(-n.row_bytes // 16) * 16 for n in program.nodes]
    live = [
        sum(sizes[key[0]] for key in births if births[key] <= step <= deaths[key])
        for step in range(count)
    ]
    return births, deaths, live


@settings(max_examples=80, deadline=None)
@given(programs())
def test_as_a_runtime_that_recurses(program):
    schedule = simulate(program)
    births, deaths, live = by_hand(program)
    assert order(program) == [(index, row) for index, row, _ in steps(program)]
    for index, lives in enumerate(schedule.lives):
        expected = [births.get((index, row), -1) for row in range(program.nodes[index].rows)]
        assert lives.births.tolist() == expected
        expected = [deaths.get((index, row), -1) for row in range(program.nodes[index].rows)]
        assert lives.deaths.tolist() == expected
        assert lives.computed == sum(step >= 0 for step in lives.births)
    assert schedule.live.tolist() == live
    assert schedule.peak == max(live)
    assert schedule.macs == sum(program.nodes[index].macs for index, _, _ in steps(program))


def test_a_window_pulls_two_rows_first():
    program = chain(WINDOW, rows=3, width=16)
    assert order(program) == [(0, 0), (0, 1), (1, 0), (0, 2), (1, 1), (1, 2)]
    schedule = simulate(program)
    assert schedule.lives[0].deaths.tolist() == [4, 5, 5]
    assert schedule.live.tolist() == [16, 32, 48, 48, 64, 48]
    assert schedule.depth == 1


def test_sources_come_in_the_order_of_the_links():
    nodes = (image(2, 1), node([(0, Need())], 2, 1), node([(0, Need())], 2, 1))
    joined = (*nodes, node([(2, Need()), (1, Need())], 2, 1))
    expected = [(0, 0), (2, 0), (1, 0), (3, 0), (0, 1), (2, 1), (1, 1), (3, 1)]
    assert order(Program(joined, 1, (3,))) == expected


def test_outputs_are_completed_one_after_the_other():
    nodes = (image(2, 1), node([(0, Need())], 2, 1), node([(0, Need())], 2, 1))
    rows = order(Program(nodes, 1, (2, 1)))
    assert rows == [(0, 0), (2, 0), (0, 1), (2, 1), (1, 0), (1, 1)]


def test_a_map_that_is_read_whole_lives_until_then():
    program = chain(Need(), whole(4), rows=4)
    lives = simulate(program).lives[1]
    assert lives.deaths.tolist() == [11] * 4


def test_rows_that_nobody_reads():
    nodes = (image(6, 1), node([(0, Need(4, 0, 0, 1))], 2, 1))
    schedule = simulate(Program(nodes, 1, (1,)))
    # Rows 1 to 3 are pulled on the way to row 4; row 5 never is.
    assert schedule.lives[0].births.tolist() == [0, 2, 3, 4, 5, -1]
    assert schedule.lives[0].deaths.tolist() == [1, 2, 3, 4, 6, -1]


def test_last_reads_of_one_of_several_readers():
    nodes = (image(4, 1), node([(0, Need())], 4, 1), node([(0, HALF), (1, HALF)], 2, 1))
    schedule = simulate(Program(nodes, 1, (2,)))
    reads = last_reads(schedule, 2, nodes[2].links[0])
    assert reads.tolist() == [4, 4, 9, 9]


def test_nodes_that_wait():
    assert simulate(chain(*[Need()] * 5)).depth == 5
    # From the last to the image, over both levels down and up.
    assert simulate(u_net(2)).depth == 14


def test_live_bytes_of_a_published_network():
    path = MODELS / "attention_unet_ds/phantom/attention_unet_ds.tflite"
    schedule = simulate(compile_model(TfliteModel.read(path)))
    # What a prototype counted that had no part in common.
    assert schedule.peak == 2_311_696
    assert schedule.macs == 2_874_605_568
    assert np.array_equal(np.bincount(schedule.nodes), [n.rows for n in schedule.program.nodes])
