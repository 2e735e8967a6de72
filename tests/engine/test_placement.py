"""No row is written over before it is read, in any region, and little memory is lost."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.programs import WINDOW, chain, image, node, programs, steps, u_net
from tinyseg.engine.placement import place, state_bytes
from tinyseg.engine.program import Need, Program, whole
from tinyseg.engine.schedule import simulate
from tinyseg.errors import InputError

# Not the mark of a row.
_EMPTY, _TAKEN = -1, -2


def run(placement):
    """Write marks as the runtime writes rows, and look at those that each step reads."""
    program = placement.schedule.program
    memory = [np.full(size, _EMPTY) for size in placement.regions]
    memory[0][placement.state : placement.state + placement.state_bytes] = _TAKEN
    assert (memory[0][placement.scratch :][: placement.scratch_bytes] == _EMPTY).all()
    memory[0][placement.scratch : placement.scratch + placement.scratch_bytes] = _TAKEN
    taken = memory[0] == _TAKEN

    def bytes_of(index, row):
        region, offset = placement.address(index, row)
        found = memory[region][offset : offset + program.nodes[index].row_bytes]
        assert len(found) == program.nodes[index].row_bytes
        assert offset % 16 == 0
        return found

    for index, row, reads in steps(program):
        mark = index * 10_000 + row
        bytes_of(index, row)[:] = mark
        assert (memory[0][taken] == _TAKEN).all()
        for source, read in reads:
            assert (bytes_of(source, read) == source * 10_000 + read).all()
        assert (bytes_of(index, row) == mark).all()


def check(placement):
    program, schedule = placement.schedule.program, placement.schedule
    run(placement)
    for index, table in enumerate(placement.slots):
        constant = program.nodes[index].constant is not None
        assert bool(table) != constant
        assert len(table) <= max(program.nodes[index].rows, 1)
        assert all(0 <= slot < 65536 for slot in table)
    assert placement.ram >= schedule.peak + placement.state_bytes + placement.scratch_bytes
    assert placement.scratch_bytes >= max(n.scratch for n in program.nodes)
    assert placement.table_bytes == 2 * sum(map(len, placement.slots))
    assert placement.starts[0] == 0
    assert np.diff(placement.starts).tolist() == list(placement.regions[:-1])
    assert all(size % placement.unit == 0 for size in placement.regions)


@settings(max_examples=60, deadline=None)
@given(programs())
def test_random_programs(program):
    check(place(simulate(program), effort=500))


@settings(max_examples=60, deadline=None)
@given(programs(), st.lists(st.integers(16, 300), min_size=1, max_size=8))
def test_random_regions(program, regions):
    schedule = simulate(program)
    try:
        placement = place(schedule, regions, effort=0)
    except InputError:
        # Pieces may be too small for rows, but one large one never is.
        assert len(regions) > 1 or regions[0] < place(schedule, effort=0).ram + 16
        return
    check(placement)
    assert len(placement.regions) == len(regions)
    assert all(used <= size for used, size in zip(placement.regions, regions, strict=True))


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_u_nets_take_little_more_than_what_is_alive(depth):
    schedule = simulate(u_net(depth, 64, 1024, weights=20_000))
    placement = place(schedule)
    check(placement)
    others = placement.state_bytes + placement.scratch_bytes
    assert placement.ram - others <= 1.05 * schedule.peak


def test_tables_stay_below_two_percent_of_the_weights():
    schedule = simulate(u_net(3, 256, 1024, weights=10_000))
    weights = sum(len(data.content) for n in schedule.program.nodes for data in n.params)
    placement = place(schedule, effort=0)
    assert placement.table_bytes <= 0.02 * weights
    assert placement.ram < 1.12 * schedule.peak


def test_tables_grow_where_nothing_else_fits():
    schedule = simulate(u_net(3, 256))
    small = place(schedule, effort=0)
    assert small.table_bytes <= 2048
    least = schedule.peak + small.state_bytes
    large = place(schedule, [least + 128], effort=0)
    assert large.table_bytes > 2048
    check(large)


def test_streams_take_rings():
    placement = place(simulate(chain(WINDOW, Need(), WINDOW, rows=200)))
    check(placement)
    # An output's row dies at once.
    assert [len(table) for table in placement.slots] == [3, 1, 3, 1]


def test_rows_whose_places_repeat_have_short_tables():
    program = chain(*[Need()] * 3, rows=60000)
    assert place(simulate(program), effort=0).table_bytes == 8


def test_pieces_of_a_board_are_used_together():
    schedule = simulate(u_net(3, 64, 512))
    whole_memory = place(schedule).ram
    piece = whole_memory // 4 // 512 * 512 + 1024
    placement = place(schedule, [piece] * 4)
    check(placement)
    assert placement.ram <= 1.03 * whole_memory
    assert all(placement.regions)


def test_a_region_too_small_for_a_row_stays_empty():
    schedule = simulate(chain(WINDOW, WINDOW, rows=12, width=64))
    placement = place(schedule, [256, 48, 1024])
    check(placement)
    assert placement.regions[1] == 0


def test_what_does_not_fit_is_told_in_one_line():
    schedule = simulate(dataclasses.replace(u_net(2), path="net.tflite"))
    with pytest.raises(InputError) as caught:
        place(schedule, [1000, 500])
    message = str(caught.value)
    assert message.startswith("net.tflite: needs ")
    assert "the board has 1,500 in 2 pieces; allow more work with --max-work" in message
    assert "\n" not in message


def test_scratch_must_fit_into_the_first_region():
    nodes = (image(4, 16), node([(0, Need())], 4, 16, scratch=100))
    schedule = simulate(Program(nodes, 1, (1,)))
    with pytest.raises(InputError, match="bytes of memory"):
        place(schedule, [112, 1000])
    placement = place(schedule, [128, 1000])
    assert placement.scratch_bytes == 112
    check(placement)


def test_large_memory_is_counted_in_larger_units():
    program = chain(whole(64), rows=64, width=20_000)
    placement = place(simulate(program))
    assert placement.unit == 32
    check(placement)


def test_state_holds_counters_and_the_waiting_nodes():
    # 2 bytes for each of 5 nodes, 3 that wait and the one that is computed.
    assert state_bytes(5, 3) == 32
    assert state_bytes(4, 3) == 16
    schedule = simulate(u_net(2))
    nodes = len(schedule.program.nodes)
    assert place(schedule).state_bytes == state_bytes(nodes, schedule.depth)


def test_the_same_each_time():
    schedule = simulate(u_net(3, 32))
    assert place(schedule).slots == place(schedule).slots
