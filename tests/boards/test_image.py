"""Figures and files of firmware, from ELF files whose sections are set by hand."""

import dataclasses
import struct

import pytest

from tinyseg import boards
from tinyseg.boards.board import MemoryRegion
from tinyseg.boards.image import Image, Usage, footprint, write_uf2
from tinyseg.errors import InputError

pytestmark = pytest.mark.arm

# No two figures alike. The first starts where debug sections seem to lie, and LOW ends where HIGH
# begins.
MEMORY = {
    "ITCM": MemoryRegion(0x0000_0000, 0x1000, "sram"),
    "CODE": MemoryRegion(0x0800_0000, 0x8000, "flash"),
    "WEIGHTS": MemoryRegion(0x9000_0000, 0x9000, "external_flash"),
    "LOW": MemoryRegion(0x2000_0000, 0x2000, "sram"),
    "HIGH": MemoryRegion(0x2000_2000, 0x3000, "sram"),
}
ROLES = {"FLASH": "CODE", "MODEL": "WEIGHTS", "RAM": "LOW", "ARENA": "HIGH"}
BOARD = dataclasses.replace(
    boards.load_board("rp2040_pico"), name="paper", memory=MEMORY, roles=ROLES, family_id=0x12345678
)
SECTIONS = [
    (".boot2", 0x0800_0000, 0x100),
    (".vectors", 0x0800_0100, 0x40),
    (".text", 0x0800_0200, 0x1234),
    (".ARM.exidx", 0x0800_1440, 8),
    (".model", 0x9000_0000, 0x4321),
    # Not in the order of addresses.
    (".stack", 0x2000_0800, 0x400),
    (".data", 0x2000_0000, 0x70),
    (".bss", 0x2000_0070, 0x99),
    (".arena", 0x2000_2000, 0x2A00),
]


def write_elf(path, sections, unloaded=()):
    """Write sections that take memory, and others that only lie in the file, as debuggers' do."""
    names, headers, content = b"\0", [bytes(40)], b""
    for name, address, size, kind in [
        *((*section, 8) for section in sections),
        *((name, 0, size, 1) for name, size in unloaded),
        (".shstrtab", 0, 0, 3),
    ]:
        place = len(names)
        names += name.encode() + b"\0"
        if kind == 3:
            size, data = len(names), names
        else:
            data = bytes(size) if kind == 1 else b""
        flags = 2 if kind == 8 else 0
        headers.append(
            struct.pack("<10I", place, kind, flags, address, 52 + len(content), size, 0, 0, 1, 0)
        )
        content += data
    identity = b"\x7fELF\x01\x01\x01" + bytes(9)
    header = identity + struct.pack(
        "<2H5I6H", 2, 40, 1, 0, 0, 52 + len(content), 0x05000000, 52, 0, 0, 40, len(headers),
        len(headers) - 1,
    )  # fmt: skip
    path.write_bytes(header + content + b"".join(headers))
    return Image(path)


def changed(**sizes):
    """The sections with other sizes."""
    return [(name, at, sizes.get(name.strip("."), size)) for name, at, size in SECTIONS]


def used(made):
    return {usage.region: usage.used for usage in made.regions}


def test_footprint_sums_what_is_loaded(tmp_path):
    made = footprint(write_elf(tmp_path / "a.elf", SECTIONS), BOARD)
    assert made.text == 0x100 + 0x40 + 0x1234 + 8
    assert made.model == 0x4321
    assert made.data == 0x70
    assert made.flash == 0x100 + 0x40 + 0x1234 + 8 + 0x4321 + 0x70
    # Up to the end of the last section, with gaps; data's initial values lie behind the code.
    assert made.regions == (
        Usage("ITCM", 0, 0x1000),
        Usage("CODE", 0x1448 + 0x70, 0x8000),
        Usage("WEIGHTS", 0x4321, 0x9000),
        Usage("LOW", 0xC00, 0x2000),
        Usage("HIGH", 0x2A00, 0x3000),
    )


def test_sections_that_are_not_loaded_take_nothing(tmp_path):
    plain = footprint(write_elf(tmp_path / "a.elf", SECTIONS), BOARD)
    unloaded = [(".debug_info", 700), (".comment", 30), (".ARM.attributes", 50), (".stabstr", 9)]
    full = footprint(write_elf(tmp_path / "b.elf", SECTIONS, unloaded), BOARD)
    # .shstrtab and the like are not told by 'size'.
    assert full == plain


def test_code_in_a_memory_at_address_zero_counts_there(tmp_path):
    image = write_elf(tmp_path / "a.elf", [*SECTIONS, (".fast", 0x10, 0x20)])
    assert used(footprint(image, BOARD))["ITCM"] == 0x30


def test_section_at_a_border_belongs_to_the_memory_that_begins_there(tmp_path):
    image = write_elf(tmp_path / "a.elf", [(".arena", 0x2000_2000, 4), (".bss", 0x2000_1FFC, 4)])
    assert used(footprint(image, BOARD)) == {
        "ITCM": 0, "CODE": 0, "WEIGHTS": 0, "LOW": 0x2000, "HIGH": 4,
    }  # fmt: skip


@pytest.mark.parametrize("address", [0x1000, 0x07FF_FFFF, 0x2000_5000, 0xFFFF_FF00])
def test_section_outside_all_memories_is_refused_unless_it_is_empty(tmp_path, address):
    image = write_elf(tmp_path / "a.elf", [*SECTIONS, (".lost", address, 1)])
    with pytest.raises(InputError) as caught:
        footprint(image, BOARD)
    assert str(caught.value) == (f"{image.elf}: section .lost lies outside the memory of paper")
    plain = footprint(write_elf(tmp_path / "b.elf", SECTIONS), BOARD)
    empty = write_elf(tmp_path / "c.elf", [*SECTIONS, (".lost", address, 0)])
    assert footprint(empty, BOARD) == plain


@pytest.mark.parametrize(
    ("sizes", "region", "most"),
    [
        ({"arena": 0x3000}, "HIGH", 0x3000),
        ({"model": 0x9000}, "WEIGHTS", 0x9000),
        ({"stack": 0x1800}, "LOW", 0x2000),
        # 0x1440 before it, and the initial values of 0x70 bytes.
        ({"ARM.exidx": 0x8000 - 0x1440 - 0x70}, "CODE", 0x8000),
    ],
)
def test_full_memory_is_taken_and_one_byte_more_is_not(tmp_path, sizes, region, most):
    image = write_elf(tmp_path / "a.elf", changed(**sizes))
    assert used(footprint(image, BOARD))[region] == most
    ((section, size),) = sizes.items()
    image = write_elf(tmp_path / "b.elf", changed(**{section: size + 1}))
    with pytest.raises(InputError) as caught:
        footprint(image, BOARD)
    assert str(caught.value) == (
        f"{image.elf}: needs {most + 1:,} bytes of {region}, paper has {most:,}; take a smaller "
        "or narrower model"
    )


def test_firmware_without_model_and_variables(tmp_path):
    made = footprint(write_elf(tmp_path / "a.elf", [(".text", 0x0800_0010, 0x30)]), BOARD)
    assert (made.text, made.model, made.data, made.flash) == (0x30, 0, 0, 0x30)
    assert used(made)["CODE"] == 0x40


def test_file_that_is_no_firmware(tmp_path):
    with pytest.raises(InputError) as caught:
        footprint(Image(tmp_path / "no.elf"), BOARD)
    assert str(caught.value) == f"{tmp_path}/no.elf: no such firmware; run 'tinyseg firmware'"
    (tmp_path / "text.elf").write_text("not a program")
    with pytest.raises(InputError) as caught:
        footprint(Image(tmp_path / "text.elf"), BOARD)
    assert str(caught.value) == f"{tmp_path}/text.elf: is no ELF file; build it again"


def test_missing_tools_are_named(tmp_path, monkeypatch):
    image = write_elf(tmp_path / "a.elf", SECTIONS)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match=r"arm-none-eabi-g\+\+ is missing"):
        footprint(image, BOARD)


def test_files_lie_beside_the_program(tmp_path):
    image = Image(tmp_path / "my.net.elf")
    assert image.hex == tmp_path / "my.net.hex"
    assert image.bin == tmp_path / "my.net.bin"
    assert image.uf2 == tmp_path / "my.net.uf2"


@pytest.mark.parametrize("size", [1, 255, 256, 257, 512, 700, 768])
def test_uf2_holds_pages_with_their_addresses(tmp_path, size):
    """By the specification: 32 bytes of header, 476 of data, 4 of end; zeros behind a page."""
    image = Image(tmp_path / "a.elf")
    content = bytes((7 * i + i // 256 + 1) % 255 + 1 for i in range(size))
    image.bin.write_bytes(content)
    assert write_uf2(image, BOARD) == tmp_path / "a.uf2"
    made = (tmp_path / "a.uf2").read_bytes()
    pages = {1: 1, 255: 1, 256: 1, 257: 2, 512: 2, 700: 3, 768: 3}[size]
    assert len(made) == 512 * pages
    written = b""
    for page in range(pages):
        block = made[512 * page : 512 * page + 512]
        assert block[:12] == bytes.fromhex("5546320a57515d9e00200000")
        assert block[508:] == bytes.fromhex("306fb10a")
        address, length, number, count, family = struct.unpack("<5I", block[12:32])
        assert address == 0x0800_0000 + 256 * page
        assert (length, number, count, family) == (256, page, pages, 0x12345678)
        assert not any(block[32 + 256 : 508])
        written += block[32 : 32 + 256]
    assert written == content.ljust(256 * pages, b"\0")
