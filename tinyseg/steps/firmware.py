"""A trained file as C++ source, as firmware, and on a board's flash."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tinyseg import presets
from tinyseg.boards import c_source, firmware, library, point_source
from tinyseg.boards import flash as flashing
from tinyseg.boards.board import FlashTool, load_board
from tinyseg.boards.c_source import ArenaSize
from tinyseg.boards.firmware import OWN, TFLM, Firmware
from tinyseg.engine.compiled import compiled
from tinyseg.errors import InputError
from tinyseg.steps.marks import need_passed
from tinyseg.steps.session import Session
from tinyseg.tflite.lint import deployable

# What the figure of memory is, by engine.
MEMORY = {OWN: "memory of the network", TFLM: "tensor arena"}


def export_c(
    session: Session,
    folder: Path | None = None,
    board: str | None = None,
    arena: int | None = None,
    engine: str = TFLM,
    max_work: float = 1.0,
) -> tuple[list[Path], ArenaSize]:
    """Write a file as C++ source: model, memory, input table, operators.

    Args:
        session: of a ``.tflite`` file.
        folder: where the source goes; None for ``build/c/FILE``.
        board: reserve the tensor arena that is predicted for it; None for the one that TFLM uses
            on this machine, with a margin.
        arena: bytes of tensor arena, whatever the board.
        engine: ``tflm`` for source to build with TensorFlow Lite Micro; ``tinyseg`` for a folder
            that holds our own engine and needs nothing else.
        max_work: of our own engine, see :func:`tinyseg.boards.firmware.compile_for`.

    Returns:
        The files written, and the arena.

    Raises:
        InputError: no such board, or the file cannot be exported.
    """
    model, name = session.model, session.file.stem
    need_own(engine, max_work)
    need_passed(session.file)
    deployable(model)
    if engine == OWN:
        place = folder or presets.BUILD / "c" / f"{name}_tinyseg"
        return _export_library(session, place, board, max_work)
    if arena:
        size = ArenaSize(arena, arena, "as asked")
    elif board:
        size = ArenaSize.predicted(model, load_board(board).target, board)
    else:
        size = firmware.host_arena(model)
    folder = folder or presets.BUILD / "c" / name
    preprocessing = session.preprocessing if session.takes_image else None
    meaning = session.meaning_or_none()
    written = c_source.export(model, preprocessing, size, folder, name, meaning)
    if preprocessing is not None and not preprocessing.is_plain:
        written += point_source.copy_code(folder)
    return written, size


def need_own(engine: str, max_work: float) -> None:
    """Refuse more work where it would not save memory.

    Raises:
        InputError: it is not our own engine that runs the network.
    """
    if engine != OWN and max_work > 1:
        raise InputError(f"--max-work {max_work:g}: needs --engine {OWN}")


def _export_library(
    session: Session, folder: Path, board: str | None, max_work: float
) -> tuple[list[Path], ArenaSize]:
    model = session.model
    if board:
        made, _ = firmware.compile_for(model, load_board(board), max_work)
    else:
        made = compiled(model, max_work=max_work)
    preprocessing = session.preprocessing if session.takes_image else None
    ends = (preprocessing, session.meaning_or_none())
    paths = library.export(made, ends, folder, session.file.stem)
    return paths, ArenaSize(made.ram, made.ram, "planned, no margin")


def make_firmware(
    session: Session, board: str, engine: str = OWN, max_work: float = 1.0
) -> Firmware:
    """Compile firmware with a file for a board.

    Args:
        session: of a ``.tflite`` file.
        board: its name.
        engine: what runs the network, ``tinyseg`` or ``tflm``.
        max_work: of our own engine, see :func:`tinyseg.boards.firmware.compile_for`.

    Raises:
        InputError: no such board, no firmware for it, a missing tool, or a file that cannot run on
            or does not fit the board.
    """
    target = load_board(board)
    target.need_port()
    need_own(engine, max_work)
    need_passed(session.file)
    deployable(session.model)
    preprocessing = session.preprocessing if session.takes_image else None
    meaning = session.meaning_or_none()
    return firmware.make(session.model, preprocessing, target, engine, meaning, max_work)


@dataclasses.dataclass(frozen=True)
class Flashing:
    """Firmware that is ready to be written to a board.

    Attributes:
        firmware: what to write.
        tool: by which tool.
    """

    firmware: Firmware
    tool: FlashTool

    @property
    def command(self) -> list[str]:
        """The exact command."""
        return flashing.command(self.firmware.board, self.firmware.image, self.tool)

    def run(self) -> None:
        """Write the firmware.

        Raises:
            InputError: the tool is missing or fails.
        """
        flashing.flash(self.firmware.board, self.firmware.image, self.tool)


@dataclasses.dataclass(frozen=True)
class FlashPlan:
    """How a board would be flashed; nothing is compiled.

    Attributes:
        command: the exact command.
        missing: why it would fail here, one line; empty if its tool is installed.
    """

    command: list[str]
    missing: str


def plan_flash(
    session: Session,
    board: str,
    engine: str = OWN,
    tool: str | None = None,
    max_work: float = 1.0,
) -> FlashPlan:
    """Tell how :func:`prepare_flash` and :meth:`Flashing.run` would flash a board, in seconds.

    Args:
        session, board, engine, tool, max_work: see there.

    Raises:
        InputError: no such board, none that can be flashed, or a file that cannot run on it or that
            does not fit with our own engine.
    """
    target = load_board(board)
    chosen = flashing.choose(target, tool)
    need_own(engine, max_work)
    need_passed(session.file)
    deployable(session.model)
    if engine == OWN:
        firmware.compile_for(session.model, target, max_work)
    image = firmware.image_of(session.model, target, engine)
    command = flashing.filled(target, image, chosen)
    return FlashPlan(command, flashing.missing(target, chosen))


def prepare_flash(
    session: Session,
    board: str,
    engine: str = OWN,
    tool: str | None = None,
    max_work: float = 1.0,
) -> Flashing:
    """Compile firmware for a board, and choose how to write it.

    Args:
        session: of a ``.tflite`` file.
        board: its name.
        engine: what runs the network, ``tinyseg`` or ``tflm``.
        tool: to flash with; None for the first installed one.
        max_work: see :func:`make_firmware`.

    Raises:
        InputError: as of :func:`make_firmware`, or the board does not know the tool.
    """
    chosen = flashing.choose(load_board(board), tool)
    return Flashing(make_firmware(session, board, engine, max_work), chosen)
