"""Built firmware: its files, and how much of the board's memory they take."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tinyseg.boards.board import Board, MemoryRegion
from tinyseg.boards.tools import need
from tinyseg.errors import InputError


@dataclasses.dataclass(frozen=True)
class Image:
    """Firmware for a board.

    Attributes:
        elf: the linked program; ``.hex`` and ``.bin`` lie beside it.
    """

    elf: Path

    @property
    def hex(self) -> Path:
        """The same as Intel HEX."""
        return self.elf.with_suffix(".hex")

    @property
    def bin(self) -> Path:
        """The bytes of flash."""
        return self.elf.with_suffix(".bin")

    @property
    def uf2(self) -> Path:
        """The same for boards that show up as a drive."""
        return self.elf.with_suffix(".uf2")


@dataclasses.dataclass(frozen=True)
class Usage:
    """Bytes of a memory region in use."""

    region: str
    used: int
    length: int


@dataclasses.dataclass(frozen=True)
class Footprint:
    """How much memory firmware takes.

    Attributes:
        text: code and constants without the model.
        model: the ``.tflite`` file.
        data: initialised variables.
        regions: for each memory region of the board.
    """

    text: int
    model: int
    data: int
    regions: tuple[Usage, ...]

    @property
    def flash(self) -> int:
        """Bytes that are written to the board: text, model and data."""
        return self.text + self.model + self.data


def footprint(image: Image, board: Board) -> Footprint:
    """Measure firmware.

    Raises:
        InputError: it does not fit the board, or there is no such file.
    """
    sections = _sections(image.elf)
    regions = board.memory
    used = dict.fromkeys(regions, 0)
    for name, size, address in sections:
        home = _home(address, regions)
        if home is None and size:
            raise InputError(f"{image.elf}: section {name} lies outside the memory of {board.name}")
        if home is not None:
            # With the gaps that alignment leaves.
            used[home] = max(used[home], address + size - regions[home].origin)
    sizes = {name: size for name, size, _ in sections}
    # Initial values of variables lie in flash too.
    used[board.roles["FLASH"]] += sizes.get(".data", 0)
    usages = tuple(Usage(name, used[name], region.length) for name, region in regions.items())
    for usage in usages:
        if usage.used > usage.length:
            raise InputError(
                f"{image.elf}: needs {usage.used:,} bytes of {usage.region}, {board.name} has "
                f"{usage.length:,}; take a smaller or narrower model"
            )
    model, data = sizes.get(".model", 0), sizes.get(".data", 0)
    constant = (".boot2", ".vectors", ".text", ".ARM.exidx")
    return Footprint(sum(sizes.get(name, 0) for name in constant), model, data, usages)


def _home(address: int, regions: Mapping[str, MemoryRegion]) -> str | None:
    for name, region in regions.items():
        if region.origin <= address < region.origin + region.length:
            return name
    return None


def _sections(elf: Path) -> list[tuple[str, int, int]]:
    if not elf.is_file():
        raise InputError(f"{elf}: no such firmware; run 'tinyseg firmware'")
    need("arm-none-eabi-g++")  # size is of the same package.
    result = subprocess.run(
        ["arm-none-eabi-size", "-A", "-d", str(elf)], capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise InputError(f"{elf}: is no ELF file; build it again")
    rows = (line.split() for line in result.stdout.splitlines())
    # Debug sections are at address 0 and not loaded.
    loaded = (row for row in rows if len(row) == 3 and row[1].isdigit())
    return [
        (name, int(size), int(address))
        for name, size, address in loaded
        if not name.startswith((".debug", ".comment", ".ARM.attributes", ".stab"))
    ]


def write_uf2(image: Image, board: Board) -> Path:
    """Write the ``.uf2`` beside the ``.bin``: blocks of 256 bytes with their addresses.

    See the UF2 specification, https://github.com/microsoft/uf2.

    Raises:
        InputError: the board takes no such files.
    """
    if board.family_id is None:
        raise InputError(f"{board.name}: takes no .uf2 files; flash its .hex or .bin")
    content = image.bin.read_bytes()
    first = board.region("FLASH").origin
    count = -(-len(content) // 256)
    blocks = []
    for index in range(count):
        payload = content[256 * index : 256 * index + 256]
        header = (
            *(0x0A324655, 0x9E5D5157, 0x2000),
            *(first + 256 * index, 256, index, count, board.family_id),
        )
        block = b"".join(value.to_bytes(4, "little") for value in header)
        blocks.append(block + payload.ljust(476, b"\0") + (0x0AB16F30).to_bytes(4, "little"))
    image.uf2.write_bytes(b"".join(blocks))
    return image.uf2
