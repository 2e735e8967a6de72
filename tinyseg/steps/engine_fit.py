"""Whether a file fits a board with our own engine, and what it takes there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from functools import cached_property

from tinyseg.boards.board import Board
from tinyseg.boards.firmware import OWN, room
from tinyseg.engine.blob import pack
from tinyseg.engine.compiled import compiled, costs_on
from tinyseg.engine.compiler import compile_model
from tinyseg.engine.cores import SLACK, Core, core_of
from tinyseg.engine.placement import (
    DoesNotFitError,
    Placement,
    data_bytes,
    other_bytes,
    place,
)
from tinyseg.engine.recompute import front
from tinyseg.engine.schedule import Schedule, simulate
from tinyseg.engine.selection import specialize
from tinyseg.errors import InputError
from tinyseg.tflite import TfliteModel


@dataclasses.dataclass(frozen=True)
class Space:
    """What a program may take.

    Attributes:
        regions: bytes of each of the memories for its rows.
        flash: bytes of the program, weights included.
        core: class of cores.
    """

    regions: tuple[int, ...]
    flash: int
    core: Core = Core.PORTABLE

    @classmethod
    def of(cls, board: Board, model: TfliteModel) -> Space:
        """Return what a board leaves, besides firmware, image and mask."""
        regions = tuple(piece.bytes for piece in room(model, board))
        return cls(regions, board.program_bytes(), core_of(board.core))


@dataclasses.dataclass(frozen=True)
class EngineFit:
    """How a file fits with an engine.

    Attributes:
        engine: ``tinyseg`` or ``tflm``.
        fits: whether it does.
        ram_bytes, flash_bytes: what it takes; None where that is not known.
        work: multiply-accumulates, times those of the file.
        why: one line that tells why it does not fit; empty if it does.
    """

    engine: str
    fits: bool
    ram_bytes: int | None = None
    flash_bytes: int | None = None
    work: float | None = None
    why: str = ""


def taken_once(model: TfliteModel, space: Space) -> tuple[int, int, bool]:
    """Return what a file takes if each row is computed once, found in little time.

    Args:
        model: parsed file.
        space: what it may take.

    Returns:
        Bytes of memory and of flash, and whether both are there; where they are not, at least so
        many would be needed.

    Raises:
        InputError: the engine cannot run it.
    """
    schedule = simulate(specialize(compile_model(model), space.core))
    placed = _placed(schedule, space)
    if placed is None:
        return _least(schedule), data_bytes(schedule.program), False
    flash = len(pack(schedule.program, placed))
    ram = placed.ram + SLACK[space.core] * sum(size > 0 for size in placed.regions)
    return ram, flash, flash <= space.flash


def _least(schedule: Schedule) -> int:
    return schedule.peak + other_bytes(schedule)


def _placed(schedule: Schedule, space: Space, effort: int | None = 0) -> Placement | None:
    """Return places of all rows, the first good ones or by ``effort``; None if that finds none."""
    regions = [max(size - SLACK[space.core], 0) for size in space.regions]
    if _least(schedule) > sum(regions):
        return None
    try:
        return place(schedule, regions, effort)
    except DoesNotFitError:
        return None


def fits_own(model: TfliteModel, spaces: Sequence[Space]) -> list[bool]:
    """Tell which of several memories a file fits into, in less time than plans for all take.

    Args:
        model: parsed file.
        spaces: what it may take.

    Raises:
        InputError: the engine cannot run it.
    """
    program = compile_model(model)
    forms = {
        core: _Forms(simulate(specialize(program, core)), core)
        for core in {space.core for space in spaces}
    }
    found = []
    for space in spaces:
        fits = forms[space.core].fit(space)
        found.append(fit_own(model, space, "").fits if fits is None else fits)
    return found


class _Forms:
    """A program of a class of cores, and those that compute some of its rows again."""

    def __init__(self, once: Schedule, core: Core) -> None:
        self._once, self._core = once, core
        self._data = data_bytes(once.program)

    def fit(self, space: Space) -> bool | None:
        """Tell whether one of them fits; None where only a whole plan tells."""
        if not space.regions or self._data > space.flash:
            return False
        most = max(space.regions) - SLACK[self._core]
        # Places that are found at once often do.
        if self._rings.ram <= most and _stored(self._rings, space):
            return True
        if _stored(_placed(self._once, space, effort=None), space):
            return True
        if any(_stored(_placed(form, space), space) for form in self._forms()):
            return True
        # Other kernels need other scratch, and the same rows.
        return None if self._less[0].peak <= sum(space.regions) else False

    def _forms(self) -> Iterator[Schedule]:
        yield self._once
        yield from self._less

    @cached_property
    def _rings(self) -> Placement:
        return place(self._once, effort=None)

    @cached_property
    def _less(self) -> list[Schedule]:
        """The forms, the one that needs least memory first."""
        costs = costs_on(self._once.program, self._core)
        variants = front(self._once.program, costs=costs)
        return [variant.schedule for variant in reversed(variants)]


def _stored(placed: Placement | None, space: Space) -> bool:
    """Tell whether there are places, and flash for the program that has them."""
    return placed is not None and len(pack(placed.schedule.program, placed)) <= space.flash


def fit_own(model: TfliteModel, space: Space, where: str) -> EngineFit:
    """Plan a file for some memory; rows are computed again only where it does not fit otherwise.

    Args:
        model: parsed file.
        space: what it may take.
        where: that space, for people.
    """
    if not space.regions:
        why = (
            f"{model.path}: does not fit {where}: image and mask alone take more memory than it has"
        )
        return EngineFit(OWN, False, why=f"{why}; choose a smaller size")
    try:
        made = compiled(model, space.regions, core=space.core)
    except DoesNotFitError as error:
        why = f"{model.path}: does not fit {where}: {error.needs}; choose a smaller size"
        return EngineFit(OWN, False, why=why)
    except InputError as error:
        return EngineFit(OWN, False, why=str(error))
    taken = made.ram, len(made.content), made.work
    if taken[1] <= space.flash:
        return EngineFit(OWN, True, *taken)
    why = (
        f"{model.path}: does not fit {where}: needs {taken[1]:,} bytes of flash of "
        f"{space.flash:,}; choose a smaller size, or quantize it with --weights-bits 5"
    )
    return EngineFit(OWN, False, *taken, why)
