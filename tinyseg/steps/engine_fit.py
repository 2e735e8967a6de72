"""Whether a file fits a board with our own engine, and what it takes there."""

from __future__ import annotations

import dataclasses

from tinyseg.boards.board import Board
from tinyseg.boards.firmware import OWN, room
from tinyseg.engine.blob import pack
from tinyseg.engine.compiled import compiled
from tinyseg.engine.compiler import compile_model
from tinyseg.engine.cores import SLACK, Core, core_of
from tinyseg.engine.placement import DoesNotFitError, data_bytes, other_bytes, place
from tinyseg.engine.schedule import simulate
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
    least = schedule.peak + other_bytes(schedule)
    slack = SLACK[space.core]
    regions = [max(size - slack, 0) for size in space.regions]
    if least > sum(regions):
        return least, data_bytes(schedule.program), False
    try:
        placed = place(schedule, regions, effort=0)
    except DoesNotFitError:
        return least, data_bytes(schedule.program), False
    flash = len(pack(schedule.program, placed))
    ram = placed.ram + slack * sum(size > 0 for size in placed.regions)
    return ram, flash, flash <= space.flash


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
