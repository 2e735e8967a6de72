"""Values of the picture agree with the placement."""

import dataclasses

import numpy as np

from tests.engine.programs import u_net
from tinyseg.engine.memory_report import memory_report
from tinyseg.engine.placement import place
from tinyseg.engine.recompute import front
from tinyseg.engine.schedule import align, simulate


def test_rows_sum_up_to_what_is_alive():
    placement = place(simulate(u_net(2, 32)), effort=0)
    report = memory_report(placement)
    live = np.zeros(placement.schedule.steps, int)
    for node in report.nodes:
        alive = np.zeros_like(live)
        for row in node.rows:
            alive[row.birth : row.death + 1] += 1
        assert node.alive == alive.max()
        live += alive * align(placement.schedule.program.nodes[node.node].row_bytes)
    assert report.live == tuple(live)
    assert (report.peak, report.fullest) == (live.max(), live.argmax())
    assert (report.ram, report.regions) == (placement.ram, placement.regions)
    assert report.state + report.scratch + report.peak <= report.ram
    assert report.tables == 2 * sum(node.period for node in report.nodes)


def test_places_are_those_of_the_placement():
    placement = place(simulate(u_net(1, 16)), [1024, 512, 512, 512], effort=0)
    for node in memory_report(placement).nodes:
        for row in node.rows:
            assert (row.region, row.offset) == placement.address(node.node, row.row)


def test_copies_are_told_apart():
    program = u_net(2, 64, 1024)
    numbered = tuple(dataclasses.replace(n, op=i) for i, n in enumerate(program.nodes))
    last = front(dataclasses.replace(program, nodes=numbered), effort=40)[-1]
    report = memory_report(place(last.schedule, effort=0))
    assert report.nodes[0].kernel == "INPUT"
    assert {node.copy for node in report.nodes if node.name == "skip0"} >= {0, 1}
    assert {node.copy for node in report.nodes if node.name == "out0"} == {0}
