"""What the files of each board say, and what is said of wrong ones."""

import dataclasses
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tinyseg
from tinyseg import boards
from tinyseg.boards import board as board_module
from tinyseg.boards import emulator, linker_script
from tinyseg.boards import flash as flashing
from tinyseg.boards.board import RAM_KINDS, ROLES, MemoryRegion
from tinyseg.boards.build import compile_firmware
from tinyseg.errors import InputError
from tinyseg.places import firmware_folder

BOARDS = boards.board_names()
PORTED = [name for name in BOARDS if boards.load_board(name).ported]
DATA_ONLY = sorted(set(BOARDS) - set(PORTED))
# What runs the same code: Armv7E-M for M4 and M7.
CORES = {
    "cortex-m0plus": "v6-M",
    "cortex-m4": "v7E-M",
    "cortex-m7": "v7E-M",
    "cortex-m33": "v8-M",
    "cortex-m55": "v8.1-M",
}
K = 1 << 10


@pytest.fixture
def definitions(tmp_path, monkeypatch):
    """A folder with copies of all TOML files, which tinyseg reads instead of its own."""
    folder = Path(board_module.__file__).parent
    for path in folder.glob("*.toml"):
        shutil.copy(path, tmp_path)
    monkeypatch.setattr(board_module, "__file__", str(tmp_path / "board.py"))
    return tmp_path


@pytest.mark.parametrize("name", BOARDS)
def test_board_is_complete(name):
    board = boards.load_board(name)
    assert board.name == name
    assert board.title
    assert board.core in CORES
    assert all(source.strip() for source in board.sources)
    assert set(board.roles) == set(ROLES)
    assert set(board.roles.values()) <= set(board.memory)
    assert 0 < board.largest_ram <= board.ram_bytes
    for file in ("board.cc", "board.cmake"):
        assert (board.folder / file).is_file() == board.ported
    if board.ported:
        assert 9600 <= board.baud <= 12_000_000


def test_boards_that_there_are():
    """Eight real ones at least, and four of QEMU's."""
    machines = [name for name in BOARDS if boards.load_board(name).machine]
    assert len(machines) == 4
    assert len(BOARDS) - len(machines) >= 8


@pytest.mark.parametrize("name", BOARDS)
def test_board_is_flashed_or_emulated(name):
    board = boards.load_board(name)
    assert board.machine or board.flash or not board.ported
    for tool in board.flash:
        assert tool.package
        assert tool.command[0] == ("cp" if tool.tool == "uf2" else tool.tool)
    assert len({tool.tool for tool in board.flash}) == len(board.flash)


@pytest.mark.parametrize("name", [name for name in BOARDS if boards.load_board(name).emulated_by])
def test_emulated_stand_in_runs_the_same_code(name):
    board = boards.load_board(name)
    stand_in = boards.load_board(board.emulated_by)
    assert stand_in.machine
    assert CORES[stand_in.core] == CORES[board.core]
    if not board.ported:
        assert stand_in.core == board.core
        return
    assert emulator.emulated(board) == stand_in
    cmake = [(b.folder / "board.cmake").read_text() for b in (board, stand_in)]
    architectures = [re.search(r"TINYSEG_TFLM_ARCH (\S+)\)", text)[1] for text in cmake]
    assert architectures[0] == architectures[1]


def test_only_a_core_without_double_precision_is_emulated_by_another():
    others = [b.name for b in map(boards.load_board, BOARDS) if b.emulated_by
              and boards.load_board(b.emulated_by).core != b.core]  # fmt: skip
    assert others == ["stm32f746g_disco"]
    text = (boards.load_board("stm32f746g_disco").folder / "board.cmake").read_text()
    assert "-mfpu=fpv5-sp-d16" in text


def test_each_folder_of_firmware_has_a_file():
    folders = {path.parent.name for path in (firmware_folder() / "boards").glob("*/board.cc")}
    assert folders == set(PORTED)


@pytest.mark.arm
@pytest.mark.parametrize("name", BOARDS)
def test_regions_are_those_of_the_linker(name, tmp_path):
    board = boards.load_board(name)
    source, linked = tmp_path / "empty.s", tmp_path / "empty.map"
    source.write_text("")
    subprocess.run(["arm-none-eabi-as", "-o", tmp_path / "empty.o", source], check=True)
    # It complains of what an empty program lacks, after it has written the map.
    subprocess.run(
        ["arm-none-eabi-ld", "-L", firmware_folder(), "-T", linker_script.write(board, tmp_path),
         "-Map", linked, "-o", tmp_path / "empty.elf", tmp_path / "empty.o"],
        capture_output=True, check=False,
    )  # fmt: skip
    table = linked.read_text().partition("Memory Configuration")[2].partition("*default*")[0]
    rows = re.findall(r"^(\w+) +(0x\w+) +(0x\w+) +(\w+)$", table, re.M)
    assert len(rows) >= 2
    assert {row[0]: (int(row[1], 16), int(row[2], 16)) for row in rows} == {
        name: (region.origin, region.length) for name, region in board.memory.items()
    }
    writable = {row[0] for row in rows if "w" in row[3]}
    assert writable == {n for n, region in board.memory.items() if region.kind in RAM_KINDS}


def test_linker_script_states_roles_and_stack():
    text = linker_script.text(boards.load_board("stm32f746g_disco"))
    assert re.findall(r'REGION_ALIAS\("(\w+)", (\w+)\)', text) == [
        ("FLASH", "MAIN_FLASH"),
        ("MODEL", "MAIN_FLASH"),
        ("RAM", "DTCM"),
        ("ARENA", "SRAM12"),
    ]
    assert "__stack_size = 16384;" in text
    assert "\nINCLUDE boards/common/sections.ld\n" in text


def test_board_may_place_sections_of_its_own():
    text = linker_script.text(boards.load_board("rp2040_pico"))
    assert "\nINCLUDE boards/rp2040_pico/sections.ld\n" in text


def test_linker_script_that_would_not_change_is_left_alone(tmp_path):
    board = boards.load_board("xg24_dk")
    path = linker_script.write(board, tmp_path)
    before = path.stat().st_mtime_ns
    linker_script.write(board, tmp_path)
    assert path.stat().st_mtime_ns == before
    linker_script.write(dataclasses.replace(board, stack=8 * K), tmp_path)
    assert "__stack_size = 8192;" in path.read_text()


def test_unknown_board_is_told_the_known_ones():
    for name in ("nowhere", "", "../boards/mps2_an500", "mps2_an500.toml"):
        with pytest.raises(InputError) as caught:
            boards.load_board(name)
        assert f"'{name}' is unknown" in str(caught.value)
        assert "mps2_an500" in str(caught.value)


SCALARS = """title = "Mine"
core = "cortex-m4"
clock_hz = 64_000_000
baud = 115200
sources = ["Manual, Memory"]
"""
TABLES = """
[memory.ROM]
kind = "flash"
origin = 0
length = "1M"
[memory.SRAM]
kind = "sram"
origin = 0x2000_0000
length = "256K"
[roles]
FLASH = "ROM"
MODEL = "ROM"
RAM = "SRAM"
ARENA = "SRAM"
"""
GOOD = SCALARS + TABLES
FLASH = '[[flash]]\ntool = "openocd"\npackage = "Debian: openocd"\n'


def changed(old, new):
    assert old in GOOD
    return GOOD.replace(old, new, 1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("title = \n", "value"),
        ("baud = 1\n" + GOOD, "overwrite"),
        (changed('title = "Mine"\n', ""), "title"),
        (changed("115200", '"fast"'), "baud"),
        ("colour = 'green'\n" + GOOD, "colour"),
        (GOOD + FLASH, "command"),
        (GOOD + FLASH + "command = 3\n", "command"),
        (GOOD + FLASH + 'command = "openocd -f board.cfg"\n', "command"),
        (GOOD + FLASH + 'command = ["openocd", 3]\n', "command"),
        (b"title = '\xff'", "utf-8"),
        (changed('["Manual, Memory"]', "[]"), "name the documents and chapters"),
        (changed("clock_hz = 64_000_000\n", ""), "clock_hz"),
        (changed("64_000_000", "0"), "write the processor clock in Hz"),
        (SCALARS, "memory"),
        (SCALARS + "memory = 3\n", "memory"),
        (SCALARS + "[memory]\nROM = 3\n[roles]\n", "memory"),
        (changed('"256K"', '"256 KB"'), "'256 KB' is no size; write bytes, or as '512K' or '2M'"),
        (changed('"256K"', "2.5"), "2.5 is no size"),
        (changed('"256K"', "true"), "True is no size"),
        (changed('"256K"', "-1"), "-1 is no size"),
        (changed('"256K"', "0"), "memory SRAM: 0 bytes at 0x20000000 are not within 4 GB"),
        (changed('"256K"', '"4000M"'), "are not within 4 GB; correct origin or length"),
        (changed('length = "1M"', 'length = "600M"'), "memory ROM overlaps SRAM"),
        (changed('kind = "sram"', 'kind = "core"'), "write one of flash, external_flash, sram"),
        (changed("memory.SRAM", "memory.ARENA"), "'ARENA' cannot be named so"),
        (changed("memory.SRAM", 'memory."S RAM"'), "'S RAM' cannot be named so"),
        (changed('RAM = "SRAM"\n', ""), "name FLASH, MODEL, RAM, ARENA"),
        (changed('RAM = "SRAM"', 'RAM = "DTCM"'), "RAM is 'DTCM'; take one of ROM, SRAM"),
        (changed('ARENA = "SRAM"', 'ARENA = "ROM"'), "ARENA is ROM, which is flash; take a RAM"),
        ('stack = "256K"\n' + GOOD, "take a multiple of 8 that fits RAM"),
        ("stack = 1001\n" + GOOD, "take a multiple of 8 that fits RAM"),
        ("family_id = 1\n" + GOOD, "family_id and drive belong together"),
    ],
)
def test_wrong_file_is_named_with_the_reason(definitions, content, reason):
    path = definitions / "mine.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert "mine" in boards.board_names()
    with pytest.raises(InputError) as caught:
        boards.load_board("mine")
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert reason in message
    assert "docs/porting_a_board.md" in message
    assert "\n" not in message


def test_firmware_without_a_stated_speed_is_refused(definitions):
    path = definitions / "xg24_dk.toml"
    path.write_text(path.read_text().replace("baud = 115200\n", ""))
    with pytest.raises(InputError, match=r"baud is missing; write the speed that board\.cc sets"):
        boards.load_board("xg24_dk")


def test_new_file_is_a_new_board(definitions):
    (definitions / "mine.toml").write_text(GOOD + FLASH + 'command = ["openocd", "-f", "x"]\n')
    board = boards.load_board("mine")
    assert (board.title, board.core, board.baud) == ("Mine", "cortex-m4", 115_200)
    assert (board.clock_hz, board.stack, board.sources) == (64_000_000, 16 * K, ("Manual, Memory",))
    assert board.machine is board.emulated_by is board.family_id is board.drive is None
    assert [tool.command for tool in board.flash] == [("openocd", "-f", "x")]
    assert not board.ported


@pytest.mark.parametrize(
    ("written", "length"),
    [("1000", 1000), ('"1000"', 1000), ('"3K"', 3 << 10), ('"2M"', 2 << 20), ("0x800", 2048)],
)
def test_lengths_may_be_in_bytes_kilobytes_and_megabytes(definitions, written, length):
    content = changed("[roles]", f'[memory.B]\nkind = "sram"\norigin = 65536\nlength = {written}\n'
                      "[roles]").replace("origin = 0\n", "origin = 0x0800_0000\n")  # fmt: skip
    (definitions / "mine.toml").write_text(content)
    assert boards.load_board("mine").memory["B"] == MemoryRegion(65536, length, "sram")


def test_installation_without_the_firmware_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(tinyseg, "__file__", str(tmp_path / "tinyseg" / "__init__.py"))
    board = boards.load_board("mps2_an500")
    assert not board.ported
    with pytest.raises(InputError, match="install tinyseg from a checkout"):
        _ = board.folder
    with pytest.raises(InputError, match="install tinyseg from a checkout"):
        board.need_port()


def test_board_that_nothing_emulates():
    board = boards.load_board("rp2040_pico")
    with pytest.raises(InputError, match="rp2040_pico: QEMU has no board with its cortex-m0plus"):
        emulator.emulated(board)
    with pytest.raises(InputError, match="rp2040_pico: QEMU does not have this board"):
        emulator.command(board, Path("x.elf"), "null")


@pytest.mark.parametrize("name", DATA_ONLY)
def test_board_without_firmware_says_so_in_one_line(name, tmp_path):
    board = boards.load_board(name)
    for act in (
        lambda: compile_firmware(board, tmp_path),
        lambda: emulator.emulated(board),
        lambda: flashing.choose(board),
        lambda: flashing.choose(board, "openocd"),
    ):
        with pytest.raises(InputError) as caught:
            act()
        assert str(caught.value) == (
            f"{name}: there is no firmware for it yet, docs/porting_a_board.md says how to write "
            f"it; {board.emulated_by} emulates its core"
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("verb", ["firmware", "emulate", "flash", "verify"])
def test_verbs_refuse_a_board_without_firmware_before_they_look_for_the_model(verb, tmp_path):
    option = "--on" if verb == "verify" else "--board"
    result = subprocess.run(
        [sys.executable, "-m", "tinyseg", verb, "no_such_model", option, "stm32n6570_dk"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith(
        "tinyseg: stm32n6570_dk: there is no firmware for it yet, docs/"
    )
