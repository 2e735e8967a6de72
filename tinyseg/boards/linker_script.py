"""A board's memory for the linker."""

from __future__ import annotations

from pathlib import Path

import jinja2

from tinyseg import files
from tinyseg.boards.board import FLASH_KINDS, RAM_KINDS, ROLES, Board

NAME = "memory.ld"
_SECTIONS = "sections.ld"


def text(board: Board) -> str:
    """Return memory regions, roles and stack, followed by what goes where.

    That is ``sections.ld`` of the board's folder, if it has one, else of ``boards/common``.
    """
    own = board.folder / _SECTIONS
    folder = board.name if own.is_file() else "common"
    sections = f"boards/{folder}/{_SECTIONS}"
    if board.home is not None and own.is_file():
        sections = str(own.resolve())
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tinyseg.boards"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template(NAME).render(
        board=board,
        flash_kinds=FLASH_KINDS,
        ram_kinds=RAM_KINDS,
        roles=ROLES,
        sections=sections,
    )


def write(board: Board, folder: str | Path) -> Path:
    """Write ``memory.ld`` into a folder of build files; it is left alone if it would not change.

    Returns:
        The path.
    """
    path, content = Path(folder) / NAME, text(board)
    # A new file would link the firmware again.
    if not path.is_file() or path.read_text() != content:
        files.write_text(path, content)
    return path
