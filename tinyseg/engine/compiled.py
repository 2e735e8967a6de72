"""A file with its program and the places of its rows: all that the runtime needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from tinyseg.engine import cost
from tinyseg.engine.blob import pack
from tinyseg.engine.compiler import compile_model, integer
from tinyseg.engine.cores import SLACK, Core
from tinyseg.engine.placement import DoesNotFitError, Placement, other_bytes, place
from tinyseg.engine.program import Node, Program
from tinyseg.engine.recompute import Costs, choose, front, macs
from tinyseg.engine.schedule import Schedule, simulate
from tinyseg.engine.selection import Price, specialize
from tinyseg.errors import InputError
from tinyseg.tflite.model import TfliteModel


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A compiled file.

    Attributes:
        model: the file.
        integer: the file of integers that was compiled.
        program: nodes that compute rows.
        placement: where the rows lie.
        content: the bytes that the runtime reads.
        work: instructions on its class of cores, or multiply-accumulates where these are not
            known, times those of computing each row once.
        core: class of cores whose kernels it has.
    """

    model: TfliteModel
    integer: TfliteModel
    program: Program
    placement: Placement
    content: bytes
    work: float = 1.0
    core: Core = Core.PORTABLE

    @property
    def ram(self) -> int:
        """Bytes of memory: rows, scratch and state."""
        return sum(self.placement.regions)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of an inference."""
        return self.placement.schedule.macs


def compiled(
    model: TfliteModel,
    regions: Sequence[int] | None = None,
    max_work: float = 1.0,
    core: Core = Core.PORTABLE,
    price: Price = cost.of_row,
) -> Compiled:
    """Compile a file.

    Args:
        model: an int8 file with a batch of 1.
        regions: bytes of the memories that its rows may lie in; None for one without an end. Rows
            are computed again, rather than kept, where all would not fit otherwise.
        max_work: work that the least memory may cost, times that of the file: instructions, or
            multiply-accumulates for a class of cores on which nobody has counted its kernels. With
            1 there is no search for less memory than the regions have.
        core: class of cores that it will run on; kernels for this machine are the portable ones.
            Where the scratch of the class's kernels does not fit, the portable ones are taken,
            which are slower and need next to none.
        price: by which it is chosen among kernels of the class.

    Raises:
        InputError: the engine cannot run it, or it does not fit.
    """
    once = simulate(specialize(compile_model(model), core, price))
    costs = costs_on(once.program, core)
    try:
        placement = _placed(once, regions, max_work, SLACK[core], costs)
    except DoesNotFitError:
        if core is Core.PORTABLE:
            raise
        return compiled(model, regions, max_work)
    program = placement.schedule.program
    work = _work(placement.schedule, costs) / max(_work(once, costs), 1)
    content = pack(program, placement)
    return Compiled(model, integer(model), program, placement, content, max(work, 1.0), core)


def compiled_here(model: TfliteModel) -> Compiled:
    """Compile a file for this machine, whose memory need not be saved: that takes no time.

    Args:
        model: an int8 file with a batch of 1.

    Raises:
        InputError: the engine cannot run it.
    """
    program = compile_model(model)
    placement = place(simulate(program), effort=None)
    content = pack(program, placement)
    return Compiled(model, integer(model), program, placement, content, 1.0, Core.PORTABLE)


def costs_on(program: Program, core: Core) -> Costs:
    """Return what a row of each node of a program takes, and of programs with copies of its nodes.

    Args:
        program: with the kernels of a class of cores.
        core: that class.

    Returns:
        A function to instructions; to multiply-accumulates where these are not known.
    """
    known = cost.row_costs(program, core)
    if known is None:
        return macs
    # A copy has all but the numbers of its sources from the node it was made of.
    by_node = {_unlinked(node): its for node, its in zip(program.nodes, known, strict=True)}
    return lambda changed: [by_node[_unlinked(node)] for node in changed.nodes]


def _unlinked(node: Node) -> Node:
    return dataclasses.replace(node, links=())


def _work(schedule: Schedule, costs: Costs) -> float:
    rows = (lives.computed for lives in schedule.lives)
    return sum(its * count for its, count in zip(costs(schedule.program), rows, strict=True))


def _placed(
    once: Schedule, regions: Sequence[int] | None, max_work: float, slack: int, costs: Costs
) -> Placement:
    """Return places that leave bytes at the end of each region to read, and hold nothing."""
    if slack:
        regions = None if regions is None else [max(size - slack, 0) for size in regions]
        placement = _placed(once, regions, max_work, 0, costs)
        sizes = tuple(size + slack if size else 0 for size in placement.regions)
        return dataclasses.replace(placement, regions=sizes)
    if max_work > 1:
        variants = front(once.program, regions, max_work, costs=costs)
        return choose(variants, work=max_work).placement
    if regions is None or once.peak + other_bytes(once) <= sum(regions):
        try:
            return place(once, regions)
        except InputError:
            pass
    return choose(front(once.program, regions, costs=costs)).placement
