"""Less memory for more work: which skip connections are kept, and which are computed again."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property

from tinyseg.engine.copies import Draft, late_readers
from tinyseg.engine.placement import Placement, other_bytes, place
from tinyseg.engine.program import Program
from tinyseg.engine.schedule import Schedule, simulate
from tinyseg.errors import InputError

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
        macs: multiply-accumulates against the program without copies.
        regions: of the board's memory; None for one without an end.
    """

    schedule: Schedule
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


def front(
    program: Program,
    regions: Sequence[int] | None = None,
    limit: float = LIMIT,
    effort: int = _EFFORT,
) -> list[Variant]:
    """Return programs that compute the same with less and less memory and more and more work.

    They are compared by the bytes that are alive at once; each takes at least 1 % less than the
    one before. The first is the program itself.

    Args:
        program: as compiled.
        regions: bytes of each of the board's memory regions.
        limit: most work, against the program itself.
        effort: programs to try.
    """
    first = simulate(program)
    pieces = None if regions is None else tuple(regions)
    kept: list[Variant] = []
    for schedule in sorted(_explored(first, limit, effort), key=lambda s: (s.macs, s.peak)):
        if not kept or schedule.peak < (1 - _WORTH) * kept[-1].schedule.peak:
            kept.append(Variant(schedule, schedule.macs / max(first.macs, 1), pieces))
    return kept


def choose(
    variants: Sequence[Variant], ram: int | None = None, macs: float | None = None
) -> Variant:
    """Return a variant of a front.

    Args:
        variants: as :func:`front` returns them.
        ram: most bytes of memory; the variant with the least work that fits is chosen.
        macs: most work; without ``ram`` the variant with the least memory is chosen. Without
            both, it is the one with the least work that fits into the regions.

    Raises:
        InputError: none is small enough.
    """
    allowed = [v for v in variants if macs is None or v.macs <= macs] or [variants[0]]
    if ram is None and macs is not None:
        allowed = allowed[::-1]
    for variant in allowed:
        if (ram is None or variant.least <= ram) and _fits(variant, ram):
            return variant
    last = allowed[-1] if allowed[-1].least < allowed[0].least else allowed[0]
    needed = place(last.schedule).ram
    there = sum(last.regions or ()) if ram is None else ram
    raise InputError(
        f"{last.program.path}: needs {needed:,} bytes of memory at {last.macs:.2f} times the work, "
        f"{there:,} are there; allow more work with --max-work, or take a smaller network"
    )


def _fits(variant: Variant, ram: int | None) -> bool:
    if variant.least > (sum(variant.regions) if variant.regions else variant.least):
        return False
    try:
        return variant.ram <= ram if ram is not None else variant.ram > 0
    except InputError:
        return False


def _explored(first: Schedule, limit: float, effort: int) -> list[Schedule]:
    """Return schedules of programs with copies, found from those with little work on."""
    found = [first]
    known = {_key(first)}
    open_ = [(first, Draft.of(first.program))]
    while effort > 0:
        near = [entry for entry in open_ if entry[0].peak <= _SLACK * _best(found, entry[0].macs)]
        if not near:
            break
        schedule, draft = min(near, key=lambda entry: (entry[0].macs, entry[0].peak))
        open_.remove((schedule, draft))
        for late in late_readers(schedule)[:_WIDTH]:
            if late.saved < _WORTH * schedule.peak:
                break
            for changed in draft.split(late):
                effort -= 1
                tried = simulate(changed.program)
                if tried.macs > limit * first.macs or _key(tried) in known:
                    continue
                known.add(_key(tried))
                found.append(tried)
                open_.append((tried, changed))
    return found


def _best(found: Sequence[Schedule], macs: int) -> int:
    return min(schedule.peak for schedule in found if schedule.macs <= macs)


def _key(schedule: Schedule) -> tuple[int, int, int]:
    return schedule.macs, schedule.peak, schedule.steps
