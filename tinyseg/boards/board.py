"""What is known of each board."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any

import dacite

import tinyseg
from tinyseg.errors import InputError

_REGION = re.compile(r"^\s*(\w+)\s*\(\w+\)\s*:\s*ORIGIN = (\w+), LENGTH = (\d+)([KM]?)", re.M)
_ALIAS = re.compile(r'REGION_ALIAS\("(\w+)", (\w+)\)')
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20}
ROLES = ("FLASH", "MODEL", "RAM", "ARENA")


@dataclasses.dataclass(frozen=True)
class FlashTool:
    """A program that writes firmware to the board.

    Attributes:
        tool: its executable, or ``uf2`` for copying to a drive.
        package: where to get it.
        command: its arguments with ``{elf}``, ``{hex}``, ``{bin}``, ``{uf2}`` for the image
            files, ``{address}`` for the start of flash, ``{drive}`` for a mounted UF2 drive.
    """

    tool: str
    package: str
    command: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Region:
    """Memory of a board: first address and bytes."""

    origin: int
    length: int


@dataclasses.dataclass(frozen=True)
class Board:
    """A board.

    Attributes:
        name: of its TOML file and of its folder below ``firmware/boards``.
        title: full name.
        core: processor, such as ``cortex-m7``.
        baud: speed of its serial port.
        machine: QEMU's name for it, if QEMU has it.
        emulated_by: name of the emulated board with the same core, if there is one.
        family_id: of its UF2 files, if it takes them.
        flash: programs that can flash it, the preferred one first.
    """

    name: str
    title: str
    core: str
    baud: int
    machine: str | None = None
    emulated_by: str | None = None
    family_id: int | None = None
    flash: tuple[FlashTool, ...] = ()

    @property
    def folder(self) -> Path:
        """The board's C++ and linker script."""
        return firmware_folder() / "boards" / self.name

    def regions(self) -> dict[str, Region]:
        """Return the memory regions by name, from the linker script."""
        return {
            name: Region(int(origin, 0), int(length) * _UNITS[unit])
            for name, origin, length, unit in _REGION.findall(self._memory())
        }

    def roles(self) -> dict[str, str]:
        """Return which region serves as FLASH, MODEL, RAM and ARENA."""
        return dict(_ALIAS.findall(self._memory()))

    def region(self, role: str) -> Region:
        """Return the region of a role."""
        return self.regions()[self.roles()[role]]

    def _memory(self) -> str:
        return (self.folder / "memory.ld").read_text()


def firmware_folder() -> Path:
    """Return the folder ``firmware`` of this checkout.

    Raises:
        InputError: tinyseg was installed without it.
    """
    folder = Path(tinyseg.__file__).parents[1] / "firmware"
    if not (folder / "CMakeLists.txt").is_file():
        raise InputError(f"{folder}: no firmware there; install tinyseg from a checkout")
    return folder


def names() -> list[str]:
    """Return the names of all boards."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.toml"))


def load(name: str) -> Board:
    """Return a board.

    Raises:
        InputError: there is no such board, or its file is wrong.
    """
    if name not in names():
        raise InputError(f"board '{name}' is unknown; choose from {', '.join(names())}")
    path = Path(__file__).with_name(f"{name}.toml")
    try:
        values = _tuples(tomllib.loads(path.read_text()))
        return dacite.from_dict(Board, {"name": name, **values}, dacite.Config(strict=True))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, dacite.DaciteError) as error:
        raise InputError(f"{path}: {error}; see docs/porting_a_board.md") from None


def _tuples(value: Any) -> Any:
    """Turn lists into tuples, which frozen dataclasses have."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
