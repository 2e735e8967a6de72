"""Less memory for more work: which skip connections are kept, and which are computed again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

from tinyseg.engine.copies import Draft, late_readers
from tinyseg.engine.placement import DoesNotFitError, Placement, other_bytes, place
from tinyseg.engine.program import Program
from tinyseg.engine.schedule import Schedule, simulate
from tinyseg.errors import InputError

# What a row of each node takes: instructions, or anything else that is added up.
Costs = Callable[[Program], Sequence[float]]

# Most work that a network may take, against computing each row once.
LIMIT = 1.3
_EFFORT = 200
# Of the groups of late readers, so many are split off at first.
_WIDTH = 4
# Bytes kept for late readers, against all at that time, below which it is not worth while.
_WORTH = 0.01
# Programs so far above the best with no more work are still gone on from.
_SLACK = 1.03


@dataclasses.dataclass(frozen=True)
class Variant:
    """A program that computes some rows more than once.

    Attributes:
        schedule: of its rows.
        work: what it takes against the program without copies: by ``costs`` of :func:`front`.
        macs: the same of its multiply-accumulates.
        regions: of the board's memory; None for one without an end.
    """

    schedule: Schedule
    work: float
    macs: float
    regions: tuple[int, ...] | None

    @property
    def program(self) -> Program:
        """Its nodes."""
        return self.schedule.program

    @property
    def least(self) -> int:
        """Bytes below which no placement comes."""
        return self.schedule.peak + other_bytes(self.schedule)

    @cached_property
    def placement(self) -> Placement:
        """Places of its rows; looked for when first asked for.

        Raises:
            InputError: it does not fit.
        """
        return place(self.schedule, self.regions)

    @property
    def ram(self) -> int:
        """Bytes of memory that it takes, but for the stack."""
        return self.placement.ram


def macs(program: Program) -> list[int]:
    """Return the multiply-accumulates of a row of each node."""
    return [node.macs for node in program.nodes]


def front(
    program: Program,
    regions: Sequence[int] | None = None,
    limit: float = LIMIT,
    effort: int = _EFFORT,
    costs: Costs = macs,
) -> list[Variant]:
    """Return programs that compute the same with less and less memory and more and more work.

    They are compared by the bytes that are alive at once; each takes at least 1 % less than the
    one before. The first is the program itself.

    Args:
        program: as compiled.
        regions: bytes of each of the board's memory regions.
        limit: most work, against the program itself.
        effort: programs to try.
        costs: what work is; multiply-accumulates unless told otherwise.
    """
    first = _Tried.of(simulate(program), costs)
    pieces = None if regions is None else tuple(regions)
    kept: list[Variant] = []
    for schedule, work in sorted(
        _explored(first, limit, effort, costs), key=lambda tried: tried.order
    ):
        if not kept or schedule.peak < (1 - _WORTH) * kept[-1].schedule.peak:
            ratio = schedule.macs / max(first.schedule.macs, 1)
            kept.append(Variant(schedule, work / max(first.work, 1), ratio, pieces))
    return kept


def choose(
    variants: Sequence[Variant], ram: int | None = None, work: float | None = None
) -> Variant:
    """Return a variant of a front.

    Args:
        variants: as :func:`front` returns them.
        ram: most bytes of memory; the variant with the least work that fits is chosen.
        work: most work; without ``ram`` the variant that is placed in the least memory is chosen.
            Without both, it is the one with the least work that fits into the regions.

    Raises:
        DoesNotFitError: none is small enough.
    """
    allowed = [v for v in variants if work is None or v.work <= work] or [variants[0]]
    if ram is None and work is not None:
        smallest = _smallest(allowed)
        if smallest is not None:
            return smallest
    for variant in allowed:
        if (ram is None or variant.least <= ram) and _fits(variant, ram):
            return variant
    last = min(allowed, key=lambda variant: variant.least)
    sizes = last.regions or () if ram is None else (ram,)
    raise DoesNotFitError(last.program.path, place(last.schedule).ram, sizes, last.work)


def _smallest(variants: Sequence[Variant]) -> Variant | None:
    """Return the variant with the smallest placement, the first of equals; None if none fits."""
    best: Variant | None = None
    for variant in sorted(variants, key=lambda variant: variant.least):
        if best is not None and variant.least >= best.ram:
            break
        if _fits(variant, None) and (
            best is None or (variant.ram, variant.work) < (best.ram, best.work)
        ):
            best = variant
    return best


def _fits(variant: Variant, ram: int | None) -> bool:
    if variant.least > (sum(variant.regions) if variant.regions else variant.least):
        return False
    try:
        return variant.ram <= ram if ram is not None else variant.ram > 0
    except InputError:
        return False


class _Tried(NamedTuple):
    schedule: Schedule
    work: float

    @classmethod
    def of(cls, schedule: Schedule, costs: Costs) -> _Tried:
        per_row = costs(schedule.program)
        rows = (lives.computed for lives in schedule.lives)
        return cls(schedule, sum(cost * count for cost, count in zip(per_row, rows, strict=True)))

    @property
    def order(self) -> tuple[float, int]:
        return self.work, self.schedule.peak

    @property
    def key(self) -> tuple[float, int, int]:
        return self.work, self.schedule.peak, self.schedule.steps


def _explored(first: _Tried, limit: float, effort: int, costs: Costs) -> list[_Tried]:
    """Return programs with copies, found from those with little work on."""
    found = [first]
    known = {first.key}
    open_ = [(first, Draft.of(first.schedule.program))]
    while effort > 0:
        near = [
            entry for entry in open_ if entry[0].schedule.peak <= _SLACK * _best(found, entry[0])
        ]
        if not near:
            break
        before, draft = min(near, key=lambda entry: entry[0].order)
        open_.remove((before, draft))
        for late in late_readers(before.schedule)[:_WIDTH]:
            if late.saved < _WORTH * before.schedule.peak:
                break
            for changed in draft.split(late):
                effort -= 1
                tried = _Tried.of(simulate(changed.program), costs)
                if tried.work > limit * first.work or tried.key in known:
                    continue
                known.add(tried.key)
                found.append(tried)
                open_.append((tried, changed))
    return found


def _best(found: Sequence[_Tried], tried: _Tried) -> int:
    return min(other.schedule.peak for other in found if other.work <= tried.work)
