"""What is known of each board."""

from __future__ import annotations

import dataclasses
import itertools
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NewType

import dacite

from tinyseg import extensions
from tinyseg.errors import InputError, meant
from tinyseg.places import firmware_folder, firmware_place

GROUP = "tinyseg.boards"
ROLES = ("FLASH", "MODEL", "RAM", "ARENA")
FLASH_KINDS = ("flash", "external_flash")
RAM_KINDS = ("sram", "external_ram")
# What firmware takes beside model and stack, rounded up: 80 to 155 KB of code with CMSIS-NN's
# kernels; 1 KB of variables, and 8 bytes for each of the network's operators.
CODE_BYTES = 192 << 10
# The same with our own engine: 17 to 24 KB are measured, faster kernels take some more.
OWN_CODE_BYTES = 40 << 10
DATA_BYTES = 8 << 10

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20}
Size = NewType("Size", int)


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
class MemoryRegion:
    """Memory of a board.

    Attributes:
        origin: first address.
        length: bytes; in TOML also as ``"512K"`` or ``"2M"``.
        kind: ``flash``, ``sram``, or ``external_flash``, ``external_ram`` beside the chip.
        line: bytes that are read from it at once.
        wait_cycles: of the processor, that it waits for a line which no cache has; 0 if nobody has
            looked them up, or there is nothing to wait for.
    """

    origin: int
    length: Size
    kind: str
    line: Size = Size(4)
    wait_cycles: int = 0


@dataclasses.dataclass(frozen=True)
class Room:
    """What a network may take of a board; firmware's own share is not in it.

    Attributes:
        model: bytes for the ``.tflite`` file.
        arena: bytes for the tensor arena and the frame that brings an input.
    """

    model: int
    arena: int


@dataclasses.dataclass(frozen=True)
class Board:
    """A board.

    Attributes:
        name: of its TOML file and of its folder below ``firmware/boards``.
        title: full name.
        core: processor, such as ``cortex-m7``.
        clock_hz: of the processor, as its firmware sets it; the highest if there is none yet.
        memory: regions by the names that the manual gives them.
        roles: the region that serves as FLASH, MODEL, RAM and ARENA.
        sources: documents and chapters that the figures are from.
        stack: bytes of RAM for the stack.
        baud: speed of its serial port, which its firmware sets.
        machine: QEMU's name for it, if QEMU has it.
        emulated_by: name of the emulated board with the same core, if there is one.
        family_id: of its UF2 files, if it takes them.
        drive: label of the drive that takes them.
        flash: programs that can flash it, the preferred one first.
        home: folder of its C++ where a package added the board; None for ``firmware/boards/NAME``.
    """

    name: str
    title: str
    core: str
    clock_hz: int
    memory: Mapping[str, MemoryRegion] = dataclasses.field(hash=False)
    roles: Mapping[str, str] = dataclasses.field(hash=False)
    sources: tuple[str, ...]
    stack: Size = Size(16 << 10)
    baud: int | None = None
    machine: str | None = None
    emulated_by: str | None = None
    family_id: int | None = None
    drive: str | None = None
    flash: tuple[FlashTool, ...] = ()
    home: Path | None = None

    @property
    def folder(self) -> Path:
        """The board's C++, if somebody has written it."""
        return self.home or firmware_folder() / "boards" / self.name

    @property
    def ported(self) -> bool:
        """Whether there is firmware for it."""
        folder = self.home or firmware_place() / "boards" / self.name
        return (folder / "board.cmake").is_file()

    @property
    def target(self) -> str:
        """The build of TFLM for its core, see :func:`tinyseg.tflite.arena.memory.predict_arena`."""
        return "cortex_m55" if self.core in ("cortex-m55", "cortex-m85") else "cortex_m"

    @property
    def flash_bytes(self) -> int:
        """Flash in and beside the chip."""
        return sum(region.length for region in self._of(FLASH_KINDS))

    @property
    def ram_bytes(self) -> int:
        """Sum of all RAM."""
        return sum(region.length for region in self._of(RAM_KINDS))

    @property
    def largest_ram(self) -> int:
        """Bytes of the largest RAM in one piece: no tensor arena is larger."""
        return max(region.length for region in self._of(RAM_KINDS))

    def region(self, role: str) -> MemoryRegion:
        """Return the region of a role."""
        return self.memory[self.roles[role]]

    def budget(self) -> Room:
        """Return what is left for a network.

        Where firmware's code lies in the model's memory, :data:`CODE_BYTES` are off; where its
        variables and stack lie in the arena's, :data:`DATA_BYTES` and the stack are. If model and
        arena share a memory, each figure is for the other being empty.
        """
        return Room(self._left("MODEL"), self._left("ARENA"))

    def program_bytes(self) -> int:
        """Return the flash that is left for a program of our own engine."""
        return self._left("MODEL", OWN_CODE_BYTES)

    def need_port(self) -> None:
        """Raise an InputError unless there is firmware for it."""
        firmware_folder()
        if not self.ported:
            core = f"; {self.emulated_by} emulates its core" if self.emulated_by else ""
            raise InputError(
                f"{self.name}: there is no firmware for it yet, docs/porting_a_board.md says how "
                f"to write it{core}"
            )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "name": self.name,
            "title": self.title,
            "core": self.core,
            "clock_hz": self.clock_hz,
            "flash_bytes": self.flash_bytes,
            "ram_bytes": self.ram_bytes,
            "largest_ram_bytes": self.largest_ram,
            "budget": dataclasses.asdict(self.budget()),
            "machine": self.machine,
            "emulated_by": self.emulated_by,
            "firmware": self.ported,
            "baud": self.baud,
            "memory": {name: dataclasses.asdict(region) for name, region in self.memory.items()},
            "roles": dict(self.roles),
            "sources": list(self.sources),
        }

    def _of(self, kinds: tuple[str, ...]) -> list[MemoryRegion]:
        return [region for region in self.memory.values() if region.kind in kinds]

    def _left(self, role: str, code: int = CODE_BYTES) -> int:
        name = self.roles[role]
        taken = code if name == self.roles["FLASH"] else 0
        if name == self.roles["RAM"]:
            taken += DATA_BYTES + self.stack
        return max(0, self.memory[name].length - taken)


def board_names() -> list[str]:
    """Return the names of all boards, those that installed packages add among them."""
    ours = (path.stem for path in Path(__file__).parent.glob("*.toml"))
    return sorted({*ours, *extensions.registered_names(GROUP)})


def load_board(name: str) -> Board:
    """Return a board.

    Raises:
        InputError: there is no such board, or its file is wrong.
    """
    path = _definition(name)
    if path is None:
        known = ", ".join(board_names())
        hint = meant(name, board_names())
        raise InputError(f"board '{name}' is unknown; choose from {known}{hint}")
    try:
        values = _tuples(tomllib.loads(path.read_text()))
        config = dacite.Config(strict=True, type_hooks={Size: bytes_of})
        board = dacite.from_dict(Board, {"name": name, **values}, config)
        _check(board)
        if path.parent != Path(__file__).parent:
            board = dataclasses.replace(board, home=path.with_suffix(""))
    except (OSError, ValueError, dacite.DaciteError) as error:
        raise InputError(f"{path}: {error}; see docs/porting_a_board.md") from None
    return board


def _definition(name: str) -> Path | None:
    """Return a board's TOML file; None if there is no such board."""
    ours = {path.stem: path for path in Path(__file__).parent.glob("*.toml")}
    return ours.get(name) or extensions.registered(GROUP, name, Path)


def _tuples(value: Any) -> Any:
    """Turn lists into tuples, which frozen dataclasses have."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def bytes_of(value: Any) -> int:
    """Return a size written as bytes, or as ``512K`` or ``2M``.

    Raises:
        ValueError: it is not written so.
    """
    match = re.fullmatch(r"(\d+)([KM]?)", str(value))
    if match is None or isinstance(value, bool):
        raise ValueError(f"{value!r} is no size; write bytes, or as '512K' or '2M'")
    return int(match[1]) * _UNITS[match[2]]


def _check(board: Board) -> None:
    """Raise a ValueError where values do not fit together."""
    if not board.sources:
        raise ValueError("sources is empty; name the documents and chapters of the figures")
    if board.clock_hz <= 0:
        raise ValueError("clock_hz is not positive; write the processor clock in Hz")
    if board.ported and board.baud is None:
        raise ValueError("baud is missing; write the speed that board.cc sets")
    if (board.family_id is None) != (board.drive is None):
        raise ValueError("family_id and drive belong together; give both or none")
    _check_memory(board.memory)
    _check_roles(board)


def _check_memory(memory: Mapping[str, MemoryRegion]) -> None:
    kinds = (*FLASH_KINDS, *RAM_KINDS)
    for name, region in memory.items():
        # They become names in the linker script, where roles are aliases.
        if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) or name in ROLES:
            raise ValueError(
                f"memory {name!r} cannot be named so; take letters and digits, and none of "
                f"{', '.join(ROLES)}"
            )
        if region.kind not in kinds:
            raise ValueError(
                f"memory {name}: kind {region.kind!r} is unknown; write one of {', '.join(kinds)}"
            )
        if region.length <= 0 or not 0 <= region.origin <= (1 << 32) - region.length:
            raise ValueError(
                f"memory {name}: {region.length:,} bytes at {region.origin:#x} are not within "
                "4 GB; correct origin or length"
            )
        if region.line <= 0 or region.wait_cycles < 0:
            raise ValueError(
                f"memory {name}: {region.line} bytes a line, {region.wait_cycles} cycles to wait; "
                "write a positive line, and no negative wait_cycles"
            )
    ordered = sorted(memory.items(), key=lambda item: item[1].origin)
    for (name, region), (other, following) in itertools.pairwise(ordered):
        if region.origin + region.length > following.origin:
            raise ValueError(f"memory {name} overlaps {other}; correct origin or length")


def _check_roles(board: Board) -> None:
    if set(board.roles) != set(ROLES):
        raise ValueError(f"roles are {', '.join(board.roles)}; name {', '.join(ROLES)}")
    for role, name in board.roles.items():
        if name not in board.memory:
            raise ValueError(f"{role} is {name!r}; take one of {', '.join(board.memory)}")
        if role in ("RAM", "ARENA") and board.memory[name].kind not in RAM_KINDS:
            raise ValueError(f"{role} is {name}, which is flash; take a RAM")
    if not 0 < board.stack < board.region("RAM").length or board.stack % 8:
        raise ValueError(f"stack of {board.stack:,} bytes; take a multiple of 8 that fits RAM")
