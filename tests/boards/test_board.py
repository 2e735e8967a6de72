"""What the files of each board say, and what is said of wrong ones."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import tinyseg
from tinyseg import boards
from tinyseg.boards import board as board_module
from tinyseg.boards import emulator
from tinyseg.boards.board import ROLES, Board, Region, firmware_folder
from tinyseg.errors import InputError

BOARDS = boards.names()
CORES = ("cortex-m0plus", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55")


@pytest.fixture
def definitions(tmp_path, monkeypatch):
    """A folder with copies of all TOML files, which tinyseg reads instead of its own."""
    folder = Path(board_module.__file__).parent
    for path in folder.glob("*.toml"):
        shutil.copy(path, tmp_path)
    monkeypatch.setattr(board_module, "__file__", str(tmp_path / "board.py"))
    return tmp_path


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A copy of the firmware's folder, which tinyseg takes for its own."""
    shutil.copytree(firmware_folder(), tmp_path / "firmware")
    monkeypatch.setattr(tinyseg, "__file__", str(tmp_path / "tinyseg" / "__init__.py"))
    return tmp_path / "firmware"


@pytest.mark.parametrize("name", BOARDS)
def test_board_is_complete(name):
    board = boards.load(name)
    assert board.name == name
    assert board.title
    assert board.core in CORES
    assert 9600 <= board.baud <= 12_000_000
    for file in ("board.cc", "board.cmake", "memory.ld"):
        assert (board.folder / file).is_file()
    assert set(board.roles()) == set(ROLES)
    assert set(board.roles().values()) <= set(board.regions())


@pytest.mark.parametrize("name", BOARDS)
def test_board_is_flashed_or_emulated(name):
    board = boards.load(name)
    assert board.machine or board.flash
    for tool in board.flash:
        assert tool.package
        assert tool.command[0] == ("cp" if tool.tool == "uf2" else tool.tool)
    assert len({tool.tool for tool in board.flash}) == len(board.flash)


@pytest.mark.parametrize("name", [name for name in BOARDS if boards.load(name).emulated_by])
def test_emulated_stand_in_has_the_same_core(name):
    board = boards.load(name)
    stand_in = emulator.emulated(board)
    assert stand_in.machine
    assert stand_in.core == board.core
    cmake = [(b.folder / "board.cmake").read_text() for b in (board, stand_in)]
    architectures = [re.search(r"TINYSEG_TFLM_ARCH (\S+)\)", text)[1] for text in cmake]
    assert architectures[0] == architectures[1]


def test_folders_and_files_are_of_the_same_boards():
    folders = {path.parent.name for path in (firmware_folder() / "boards").glob("*/memory.ld")}
    assert folders == set(BOARDS)


def test_memory_of_a_board_from_its_data_sheet():
    """RM0433, table 7: two banks of 1 MB flash, 128 KB DTCM, 512 KB AXI SRAM."""
    board = boards.load("nucleo_h743zi")
    assert set(board.regions().values()) == {
        Region(0x0800_0000, 2 << 20),
        Region(0x2000_0000, 128 << 10),
        Region(0x2400_0000, 512 << 10),
    }
    assert board.region("FLASH") == board.region("MODEL") == Region(0x0800_0000, 2 << 20)
    assert board.region("ARENA") == Region(0x2400_0000, 512 << 10)


@pytest.mark.arm
@pytest.mark.parametrize("name", BOARDS)
def test_regions_are_those_of_the_linker(name, tmp_path):
    board = boards.load(name)
    source, linked = tmp_path / "empty.s", tmp_path / "empty.map"
    source.write_text("")
    subprocess.run(["arm-none-eabi-as", "-o", tmp_path / "empty.o", source], check=True)
    # It complains of what an empty program lacks, after it has written the map.
    subprocess.run(
        ["arm-none-eabi-ld", "-L", firmware_folder(), "-T", board.folder / "memory.ld",
         "-Map", linked, "-o", tmp_path / "empty.elf", tmp_path / "empty.o"],
        capture_output=True, check=False,
    )  # fmt: skip
    table = linked.read_text().partition("Memory Configuration")[2].partition("*default*")[0]
    rows = re.findall(r"^(\w+) +(0x\w+) +(0x\w+) ", table, re.M)
    expected = {row[0]: Region(int(row[1], 16), int(row[2], 16)) for row in rows}
    assert len(expected) >= 2
    assert board.regions() == expected


def test_unknown_board_is_told_the_known_ones():
    for name in ("nowhere", "", "../boards/mps2_an500", "mps2_an500.toml"):
        with pytest.raises(InputError) as caught:
            boards.load(name)
        assert f"'{name}' is unknown" in str(caught.value)
        assert "mps2_an500" in str(caught.value)


GOOD = 'title = "Mine"\ncore = "cortex-m4"\nbaud = 115200\n'
FLASH = '[[flash]]\ntool = "openocd"\npackage = "Debian: openocd"\n'


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("title = \n", "value"),
        (GOOD + "baud = 1\n", "overwrite"),
        (GOOD.replace('title = "Mine"\n', ""), "title"),
        (GOOD.replace("115200", '"fast"'), "baud"),
        (GOOD + "colour = 'green'\n", "colour"),
        (GOOD + FLASH, "command"),
        (GOOD + FLASH + "command = 3\n", "command"),
        (GOOD + FLASH + 'command = "openocd -f board.cfg"\n', "command"),
        (GOOD + FLASH + 'command = ["openocd", 3]\n', "command"),
        (b"title = '\xff'", "utf-8"),
    ],
)
def test_wrong_file_is_named_with_the_reason(definitions, content, reason):
    path = definitions / "mine.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert "mine" in boards.names()
    with pytest.raises(InputError) as caught:
        boards.load("mine")
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert reason in message
    assert "docs/porting_a_board.md" in message
    assert "\n" not in message


def test_new_file_is_a_new_board(definitions):
    (definitions / "mine.toml").write_text(GOOD + FLASH + 'command = ["openocd", "-f", "x"]\n')
    board = boards.load("mine")
    assert (board.title, board.core, board.baud) == ("Mine", "cortex-m4", 115_200)
    assert board.machine is board.emulated_by is board.family_id is None
    assert [tool.command for tool in board.flash] == [("openocd", "-f", "x")]


def test_linker_script_may_count_in_bytes_kilobytes_and_megabytes(checkout):
    board = boards.load("mps2_an500")
    (board.folder / "memory.ld").write_text(
        "MEMORY\n{\n  A (rx) : ORIGIN = 0x00000000, LENGTH = 1000\n"
        "  B1 (rwx)  : ORIGIN = 0x20000000, LENGTH = 3K\n"
        "  C (rw):ORIGIN = 65536, LENGTH = 2M\n}\n"
        'REGION_ALIAS("FLASH", A)\nREGION_ALIAS("RAM", B1)\n'
    )
    assert board.regions() == {
        "A": Region(0, 1000),
        "B1": Region(0x2000_0000, 3 << 10),
        "C": Region(65536, 2 << 20),
    }
    assert board.roles() == {"FLASH": "A", "RAM": "B1"}


def test_installation_without_the_firmware_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(tinyseg, "__file__", str(tmp_path / "tinyseg" / "__init__.py"))
    with pytest.raises(InputError, match="install tinyseg from a checkout"):
        _ = boards.load("mps2_an500").folder


def test_board_that_nothing_emulates():
    board = Board("mine", "Mine", "cortex-m0plus", 115_200)
    with pytest.raises(InputError, match="mine: QEMU has no board with its cortex-m0plus core"):
        emulator.emulated(board)
    with pytest.raises(InputError, match="mine: QEMU does not have this board"):
        emulator.command(board, Path("x.elf"), "null")
