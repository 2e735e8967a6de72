"""Compile firmware for a board."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tinyseg.boards import linker_script
from tinyseg.boards.board import Board
from tinyseg.boards.image import Image
from tinyseg.boards.tools import need
from tinyseg.errors import InputError
from tinyseg.places import firmware_folder

_OVERFLOW = re.compile(r"region `(\w+)' overflowed by (\d+) bytes")
_CMAKE_ERROR = re.compile(r"CMake Error(?: at [^\n]*\n+|: )(.*?)\n(?:Call Stack|\s*\n)", re.S)
# What compiler and linker say, not the commands that ninja repeats.
_ERROR = re.compile(r"\berror: |/ld: ")
_UNDEFINED = re.compile(r"undefined reference to `([^']+)'")
SELFTEST, FIRMWARE = "selftest", "firmware"


def compile_firmware(board: Board, folder: str | Path, sources: str | Path | None = None) -> Image:
    """Compile firmware.

    Args:
        board: what to compile for.
        folder: for build files; a second call compiles only what changed.
        sources: output of :func:`tinyseg.boards.c_source.export`; None builds the self-test,
            which needs no TensorFlow Lite Micro.

    Raises:
        InputError: a tool or TFLite Micro is missing, the model does not fit the board, or there
            is no firmware for it.
    """
    board.need_port()
    for tool in ("arm-none-eabi-g++", "cmake", "ninja"):
        need(tool)
    folder = Path(folder).resolve()
    linker_script.write(board, folder)
    target = FIRMWARE if sources else SELFTEST
    settings = {
        "BOARD": board.name,
        "MODEL_DIR": Path(sources).resolve() if sources else "",
        "TFLM_ROOT": os.environ.get("TFLM_ROOT", ""),
    }
    if board.home is not None:
        settings["BOARD_DIR"] = board.home.resolve()
    definitions = [f"-D{key}={value}" for key, value in settings.items()]
    _forget_other_checkout(folder)
    configure = ["cmake", "-G", "Ninja", "-S", str(firmware_folder()), "-B", str(folder)]
    _run([*configure, *definitions], board)
    _run(["cmake", "--build", str(folder), "--target", target], board)
    return Image(folder / f"{target}.elf")


def _forget_other_checkout(folder: Path) -> None:
    """Remove CMake's cache of a checkout that lay elsewhere: it refuses to go on with it."""
    cache = folder / "CMakeCache.txt"
    if not cache.is_file():
        return
    home = f"CMAKE_HOME_DIRECTORY:INTERNAL={firmware_folder()}"
    if home not in cache.read_text(errors="replace").splitlines():
        cache.unlink()
        shutil.rmtree(folder / "CMakeFiles", ignore_errors=True)


def _run(command: Sequence[str], board: Board) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise InputError(_reason(result.stdout + "\n" + result.stderr, board))


def _reason(output: str, board: Board) -> str:
    overflow = _OVERFLOW.findall(output)
    if overflow:
        lacks = ", ".join(f"{int(size):,} bytes of {region}" for region, size in overflow)
        return f"{board.name}: the model does not fit, it lacks {lacks}; take a smaller one"
    stated = _CMAKE_ERROR.search(output + "\n\n")
    if stated:
        return " ".join(stated[1].split())
    missing = ", ".join(dict.fromkeys(_UNDEFINED.findall(output)))
    if missing:
        return f"{board.name}: the firmware does not link, nothing defines {missing}"
    errors = [line.strip() for line in output.splitlines() if _ERROR.search(line)]
    return f"{board.name}: the firmware does not compile ({(errors or _last_lines(output))[0]})"


def _last_lines(output: str) -> list[str]:
    return [line.strip() for line in reversed(output.splitlines()) if line.strip()] or ["no word"]
