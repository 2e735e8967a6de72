"""Write firmware to a board."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

from tinyseg.boards.board import Board, FlashTool
from tinyseg.boards.image import Image, footprint
from tinyseg.errors import InputError

# Where desktops mount the drive of a board in its boot loader.
_DRIVES = ("/media/*/{label}", "/run/media/*/{label}", "/Volumes/{label}", "/mnt/{label}")


def choose(board: Board, tool: str | None = None) -> FlashTool:
    """Return the tool of that name, or the first one that is installed, else the first.

    Raises:
        InputError: the board is emulated only, has no firmware, or does not know the tool.
    """
    if board.machine:
        raise InputError(f"{board.name}: is emulated only; run 'tinyseg emulate'")
    board.need_port()
    if not board.flash:
        raise InputError(
            f"{board.name}: no tool is known that flashes it; docs/porting_a_board.md says how to "
            "state one"
        )
    known = {option.tool: option for option in board.flash}
    if tool is not None:
        if tool not in known:
            raise InputError(f"{board.name}: cannot be flashed by {tool}; use {' or '.join(known)}")
        return known[tool]
    return next((option for option in board.flash if _present(option, board)), board.flash[0])


def command(board: Board, image: Image, tool: FlashTool) -> list[str]:
    """Return the exact command that flashes the board.

    Raises:
        InputError: the image does not fit the board.
    """
    footprint(image, board)
    return filled(board, image, tool)


def filled(board: Board, image: Image, tool: FlashTool) -> list[str]:
    """Return the command that flashes an image, which need not be there yet."""
    values = {
        "elf": image.elf,
        "hex": image.hex,
        "bin": image.bin,
        "uf2": image.uf2,
        "address": f"0x{board.region('FLASH').origin:08x}",
        "drive": _drive(board) or "DRIVE",
    }
    return [part.format(**values) for part in tool.command]


def flash(board: Board, image: Image, tool: FlashTool) -> None:
    """Flash the board.

    Raises:
        InputError: the tool is missing or fails, or the image does not fit.
    """
    arguments = command(board, image, tool)
    if lacking := missing(board, tool):
        raise InputError(lacking)
    result = subprocess.run(arguments, check=False)
    if result.returncode != 0:
        raise InputError(f"{shlex.join(arguments)}: failed; is the board connected and powered?")


def missing(board: Board, tool: FlashTool) -> str:
    """Return one line that says how to get what a tool lacks here; empty if nothing."""
    if _present(tool, board):
        return ""
    if tool.tool == "uf2":
        return f"{board.name}: no drive {board.drive}; hold BOOTSEL while plugging it in"
    return f"{tool.tool} is missing; install it ({tool.package})"


def _present(tool: FlashTool, board: Board) -> bool:
    if tool.tool == "uf2":
        return _drive(board) is not None
    return shutil.which(tool.tool) is not None


def _drive(board: Board) -> str | None:
    for pattern in _DRIVES:
        found = sorted(Path("/").glob(pattern.format(label=board.drive).lstrip("/")))
        if found:
            return str(found[0])
    return None
