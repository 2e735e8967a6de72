"""The figures of each board against its vendor's, and where they are shown."""

import dataclasses
import json
import re

import pytest
from click.testing import CliRunner

from tinyseg import boards
from tinyseg.boards.board import CODE_BYTES, DATA_BYTES, MemoryRegion
from tinyseg.cli.boards import boards as boards_verb
from tinyseg.places import firmware_folder

BOARDS = boards.board_names()
PORTED = [name for name in BOARDS if boards.load_board(name).ported]
K, M = 1 << 10, 1 << 20

# Flash, sum of RAM, largest RAM in one piece, clock in MHz, as vendors state them.
FIGURES = {
    # EFR32MG24 data sheet: 1536 kB flash, 256 kB RAM, 78 MHz.
    "xg24_dk": (1536 * K, 256 * K, 256 * K, 78),
    # nRF52840 product specification: 1 MB flash, 256 kB RAM, 64 MHz.
    "nrf52840_dk": (1 * M, 256 * K, 256 * K, 64),
    "nano_33_ble": (1 * M, 256 * K, 256 * K, 64),
    # DS10916: 1 Mbyte flash, 320 Kbytes of SRAM and 16 Kbytes of ITCM, 216 MHz.
    "stm32f746g_disco": (1 * M, (320 + 16) * K, (240 + 16) * K, 216),
    # DS12110: 2 Mbytes flash; 192 Kbytes of TCM, 864 Kbytes of SRAM; 400 MHz at VOS1.
    "nucleo_h743zi": (2 * M, (192 + 864) * K, 512 * K, 400),
    # RM0456: SRAM1 192, SRAM2 64, SRAM3 512, SRAM4 16 Kbytes; 2 Mbytes flash, 160 MHz.
    "b_u585i_iot02a": (2 * M, (192 + 64 + 512 + 16) * K, (192 + 64 + 512) * K, 160),
    # RM0486: FLEXRAM 400, AXISRAM1 624, AXISRAM2 1024, AXISRAM3 to 6 448 Kbytes; 1 Gbit flash.
    "stm32n6570_dk": (128 * M, (400 + 624 + 1024 + 4 * 448) * K, 2 * M, 800),
    # RP2040 datasheet: 264 kB SRAM; Pico: 2 MB flash, 125 MHz.
    "rp2040_pico": (2 * M, 264 * K, 264 * K, 125),
    # RP2350 datasheet: 520 kB SRAM; Pico 2: 4 MB flash, 150 MHz.
    "rp2350_pico2": (4 * M, 520 * K, 520 * K, 150),
    # Ensemble E7, the M55-HP's: 5.5 MB MRAM; ITCM 256 KB, DTCM 1 MB, SRAM0 4 MB, SRAM1 2.5 MB.
    "ensemble_e7_dk": (5632 * K, (256 + 1024 + 4096 + 2560) * K, 4 * M, 400),
    "mps2_an386": (4 * M, 20 * M, 16 * M, 25),
    "mps2_an500": (4 * M, 20 * M, 16 * M, 25),
    "mps2_an505": (4 * M, 20 * M, 16 * M, 20),
    "mps3_an547": (512 * K, 256 * M + 512 * K, 256 * M, 32),
}


def test_figures_of_all_boards_are_stated():
    assert set(FIGURES) == set(BOARDS)


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_the_vendors(name):
    board = boards.load_board(name)
    figures = (board.flash_bytes, board.ram_bytes, board.largest_ram, board.clock_hz / 1e6)
    assert figures == FIGURES[name]
    assert board.largest_ram >= board.region("ARENA").length


def test_documentation_lists_the_boards_with_their_clocks():
    text = (firmware_folder().parent / "docs" / "porting_a_board.md").read_text()
    table = re.findall(r"^\| `(\w+)` \| Cortex-(\S+) \| (\d+) MHz \|.*\| (.*) \|$", text, re.M)
    assert {row[0] for row in table} == set(BOARDS)
    for name, core, mhz, status in table:
        board = boards.load_board(name)
        assert core.lower().replace("+", "plus") == board.core.removeprefix("cortex-")
        assert int(mhz) * 1_000_000 == board.clock_hz
        assert status == ("runs in CI" if board.machine else "(1)" if board.ported else "(2)")


def test_memory_of_a_board_from_its_data_sheet():
    """RM0433, table 7: two banks of 1 MB flash, ITCM, DTCM, AXI SRAM, SRAM1 to SRAM4."""
    board = boards.load_board("nucleo_h743zi")
    flash = MemoryRegion(0x0800_0000, 2 * M, "flash", line=32, wait_cycles=14)
    assert set(board.memory.values()) == {
        flash,
        MemoryRegion(0x0000_0000, 64 * K, "sram"),
        MemoryRegion(0x2000_0000, 128 * K, "sram"),
        MemoryRegion(0x2400_0000, 512 * K, "sram"),
        MemoryRegion(0x3000_0000, 288 * K, "sram"),
        MemoryRegion(0x3800_0000, 64 * K, "sram"),
    }
    assert board.region("FLASH") == board.region("MODEL") == flash
    assert board.region("RAM") == MemoryRegion(0x2000_0000, 128 * K, "sram")
    assert board.region("ARENA") == MemoryRegion(0x2400_0000, 512 * K, "sram")


def constants(text):
    """Values of a source file's whole numbers, in the order in which they are computed."""
    values = {}
    for name, expression in re.findall(r"constexpr uint32_t (k\w+) = ([^;]+);", text):
        python = re.sub(r"(?<=[0-9A-Fa-f])u\b|uint64_t", "", expression).replace("/", "//")
        python = python.replace("{", "(").replace("}", ")")
        try:
            values[name] = eval(python, {}, values)
        except (NameError, SyntaxError):
            continue
    return values


@pytest.mark.parametrize("name", [n for n in PORTED if not boards.load_board(n).machine])
def test_firmware_sets_the_clock_and_speed_that_the_file_states(name):
    board = boards.load_board(name)
    text = (board.folder / "board.cc").read_text()
    common = [
        (firmware_folder() / header).read_text()
        for header in re.findall(r'#include "(boards/common/\w+\.h)"', text)
    ]
    values = constants("\n".join([*common, text]))
    if match := re.search(r"Rp2::Clock kClock = \{(\d+), (\d+), (\d+)\}", text):
        multiplier, divider1, divider2 = map(int, match.groups())
        values["kClockHz"] = values["kCrystalHz"] * multiplier // divider1 // divider2
    assert values["kClockHz"] == board.clock_hz
    assert values.get("kBaud", 115_200 if "kBaud115200" in values else None) == board.baud


@pytest.mark.parametrize("name", BOARDS)
def test_budget_leaves_firmware_its_share(name):
    board = boards.load_board(name)
    budget = board.budget()
    flash, ram = board.region("MODEL").length, board.region("ARENA").length
    shares_flash = board.roles["FLASH"] == board.roles["MODEL"]
    assert budget.model == flash - shares_flash * CODE_BYTES
    shares_ram = board.roles["RAM"] == board.roles["ARENA"]
    assert budget.arena == ram - shares_ram * (DATA_BYTES + board.stack)
    assert budget.model > 700 * K
    assert budget.arena > 200 * K


def test_budgets_of_well_known_boards():
    """256 KB of RAM hold stack and variables too; the H743 has them elsewhere."""
    assert boards.load_board("xg24_dk").budget().arena == (256 - 16 - 8) * K
    assert boards.load_board("nucleo_h743zi").budget().arena == 512 * K
    assert boards.load_board("xg24_dk").budget().model == (1536 - 192) * K


def test_budget_of_a_memory_that_is_too_small_is_nothing():
    board = boards.load_board("xg24_dk")
    memory = {name: dataclasses.replace(r, length=20 * K) for name, r in board.memory.items()}
    budget = dataclasses.replace(board, memory=memory).budget()
    assert (budget.model, budget.arena) == (0, 0)


def test_listing_as_json_is_exact():
    result = CliRunner().invoke(boards_verb, ["--json"])
    assert result.exit_code == 0
    records = {record["name"]: record for record in json.loads(result.output)}
    assert list(records) == BOARDS
    for name, (flash, ram, largest, mhz) in FIGURES.items():
        record, board = records[name], boards.load_board(name)
        assert record["flash_bytes"] == flash
        assert record["ram_bytes"] == ram
        assert record["largest_ram_bytes"] == largest
        assert record["clock_hz"] == mhz * 1_000_000
        assert record["firmware"] == (name in PORTED)
        assert record["budget"] == dataclasses.asdict(board.budget())
        assert record["sources"] == list(board.sources)
        assert record["memory"][record["roles"]["ARENA"]] == dataclasses.asdict(
            board.region("ARENA")
        )


def test_listing_shows_processor_memory_and_firmware():
    result = CliRunner().invoke(boards_verb)
    assert result.exit_code == 0
    rows = {line.split()[0]: line for line in result.output.splitlines() if line.strip()}
    for words in (
        ("nucleo_h743zi", "cortex-m7", "400", "2 MB", "1,056 KB", "512 KB", "mps2_an500", "921600"),
        ("stm32n6570_dk", "cortex-m55", "800", "128 MB", "3,840 KB", "2 MB", "no firmware yet"),
        ("mps2_an386", "cortex-m4", "25", "4 MB", "20 MB", "16 MB", "itself", "115200 baud"),
    ):
        for word in words:
            assert word in rows[words[0]]
    assert [name for name, line in rows.items() if "no firmware yet" in line] == sorted(
        set(BOARDS) - set(PORTED)
    )
