"""A trained file as C++ source, as firmware, and on a board's flash."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tinyseg import presets
from tinyseg.boards import c_source, firmware
from tinyseg.boards import flash as flashing
from tinyseg.boards.board import FlashTool, load
from tinyseg.boards.c_source import ArenaSize
from tinyseg.boards.firmware import Firmware
from tinyseg.steps.session import Session
from tinyseg.tflite.lint import usable


def export_c(
    session: Session,
    folder: Path | None = None,
    board: str | None = None,
    arena: int | None = None,
) -> tuple[list[Path], ArenaSize]:
    """Write a file as C++ source: model, arena size, input table, operators.

    Args:
        session: of a ``.tflite`` file.
        folder: where the source goes; None for ``build/c/FILE``.
        board: reserve the tensor arena that is predicted for it; None for the one that TFLM uses
            on this machine, with a margin.
        arena: bytes of tensor arena, whatever the board.

    Returns:
        The files written, and the arena.

    Raises:
        InputError: no such board, or the file cannot be exported.
    """
    model, name = session.model, session.file.stem
    if arena:
        size = ArenaSize(arena, arena, "as asked")
    elif board:
        usable(model, floats=True)
        size = ArenaSize.predicted(model, load(board).target, board)
    else:
        size = firmware.host_arena(model)
    folder = folder or presets.BUILD / "c" / name
    return c_source.export(model, session.preprocessing, size, folder, name), size


def make_firmware(session: Session, board: str) -> Firmware:
    """Compile firmware with a file for a board.

    Args:
        session: of a ``.tflite`` file.
        board: its name.

    Raises:
        InputError: no such board, no firmware for it, a missing tool, or a file that cannot run on
            or does not fit the board.
    """
    target = load(board)
    target.need_port()
    return firmware.make(session.model, session.preprocessing, target)


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


def prepare_flash(session: Session, board: str, tool: str | None = None) -> Flashing:
    """Compile firmware for a board, and choose how to write it.

    Args:
        session: of a ``.tflite`` file.
        board: its name.
        tool: to flash with; None for the first installed one.

    Raises:
        InputError: as of :func:`make_firmware`, or the board does not know the tool.
    """
    chosen = flashing.choose(load(board), tool)
    return Flashing(make_firmware(session, board), chosen)
