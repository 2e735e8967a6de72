"""The exact commands that flash each board, and what is said when they cannot."""

import dataclasses
import os
import re
import shlex
import stat
import subprocess

import pytest

from tinyseg import boards
from tinyseg.boards import flash as flashing
from tinyseg.boards.image import Image, write_uf2
from tinyseg.errors import InputError

# In the order of preference.
COMMANDS = {
    "nucleo_h743zi": {
        "st-flash": "st-flash --reset write {bin} 0x08000000",
        "openocd": "openocd -f board/st_nucleo_h743zi.cfg -c 'program {elf} verify reset exit'",
        "pyocd": "pyocd flash --target stm32h743xx {hex}",
    },
    "nrf52840_dk": {
        "pyocd": "pyocd flash --target nrf52840 {hex}",
        "openocd": "openocd -f board/nordic_nrf52_dk.cfg -c 'program {elf} verify reset exit'",
    },
    "xg24_dk": {
        "commander": "commander flash {hex} --device EFR32MG24B310F1536IM48",
        "pyocd": "pyocd flash --target efr32mg24b310f1536im48 {hex}",
    },
    "rp2040_pico": {
        "uf2": "cp {uf2} DRIVE",
        "picotool": "picotool load -v -x {uf2}",
        "openocd": "openocd -f interface/cmsis-dap.cfg -c 'adapter speed 5000' "
        "-f target/rp2040.cfg -c 'program {elf} verify reset exit'",
    },
}
COMMANDS |= {
    "nano_33_ble": {
        "bossac": "bossac -U -i -e -w {bin} -R",
        "pyocd": "pyocd flash --target nrf52840 {hex}",
    },
    "stm32f746g_disco": {
        "st-flash": "st-flash --reset write {bin} 0x08000000",
        "openocd": "openocd -f board/stm32f746g-disco.cfg -c 'program {elf} verify reset exit'",
        "pyocd": "pyocd flash --target stm32f746nghx {hex}",
    },
    "rp2350_pico2": {
        "uf2": "cp {uf2} DRIVE",
        "picotool": "picotool load -v -x {uf2}",
        "openocd": "openocd -f interface/cmsis-dap.cfg -c 'adapter speed 5000' "
        "-f target/rp2350.cfg -c 'program {elf} verify reset exit'",
    },
}
CASES = [(board, tool) for board, tools in COMMANDS.items() for tool in tools]


@pytest.fixture
def no_drive(tmp_path, monkeypatch):
    """No Pico is plugged into the machine that runs the tests."""
    monkeypatch.setattr(flashing, "_DRIVES", (str(tmp_path / "media" / "*" / "{label}"),))


def install(folder, tool, script="exit 0"):
    """Put a program of that name, and nothing else, into a folder."""
    folder.mkdir(exist_ok=True)
    path = folder / tool
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_above_are_all_that_a_board_has(name):
    assert [tool.tool for tool in boards.load_board(name).flash] == list(COMMANDS[name])


@pytest.mark.arm
@pytest.mark.usefixtures("no_drive")
@pytest.mark.parametrize(("name", "tool"), CASES)
def test_command(name, tool, selftest):
    board, image = boards.load_board(name), selftest(name)
    stem = str(image.elf).removesuffix(".elf")
    expected = COMMANDS[name][tool].format(
        elf=f"{stem}.elf", hex=f"{stem}.hex", bin=f"{stem}.bin", uf2=f"{stem}.uf2"
    )
    command = flashing.command(board, image, flashing.choose(board, tool))
    assert command == shlex.split(expected)


@pytest.mark.arm
def test_address_is_where_the_image_starts(selftest):
    """st-flash writes the .bin there; the ELF file says where its first byte belongs."""
    board = boards.load_board("nucleo_h743zi")
    image = selftest(board.name)
    headers = subprocess.run(
        ["arm-none-eabi-readelf", "-lW", image.elf], capture_output=True, text=True, check=True
    ).stdout
    physical = [int(a, 16) for a in re.findall(r"LOAD +\w+ \w+ (\w+) 0x0*[1-9a-f]", headers)]
    command = flashing.command(board, image, flashing.choose(board, "st-flash"))
    assert int(command[-1], 16) == min(physical)


@pytest.mark.usefixtures("no_drive")
@pytest.mark.parametrize("name", COMMANDS)
def test_first_tool_is_taken_unless_another_one_is_installed(name, tmp_path, monkeypatch):
    board = boards.load_board(name)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    first, *others = COMMANDS[name]
    assert flashing.choose(board).tool == first
    for other in reversed(others):
        install(tmp_path / "bin", other)
        assert flashing.choose(board).tool == other
    if first != "uf2":
        install(tmp_path / "bin", first)
        assert flashing.choose(board).tool == first


@pytest.mark.parametrize(("name", "tool"), CASES)
def test_tool_may_be_named_though_it_is_not_installed(name, tool, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert flashing.choose(boards.load_board(name), tool).tool == tool


def test_tool_that_cannot_flash_the_board():
    with pytest.raises(InputError) as caught:
        flashing.choose(boards.load_board("nrf52840_dk"), "st-flash")
    assert str(caught.value) == "nrf52840_dk: cannot be flashed by st-flash; use pyocd or openocd"


@pytest.mark.parametrize(
    "name", [name for name in boards.board_names() if boards.load_board(name).machine]
)
def test_emulated_board_cannot_be_flashed(name):
    for tool in (None, "openocd"):
        with pytest.raises(InputError) as caught:
            flashing.choose(boards.load_board(name), tool)
        assert str(caught.value) == f"{name}: is emulated only; run 'tinyseg emulate'"


@pytest.mark.arm
def test_image_that_does_not_fit_is_not_flashed(selftest, tmp_path, monkeypatch):
    """The emulated board's arena lies where the real one has no memory."""
    board = boards.load_board("nucleo_h743zi")
    log = tmp_path / "ran"
    install(tmp_path / "bin", "st-flash", f"touch {log}")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    tool = flashing.choose(board, "st-flash")
    for step in (flashing.command, flashing.flash):
        with pytest.raises(InputError, match="lies outside the memory of nucleo_h743zi"):
            step(board, selftest("mps2_an500"), tool)
    assert not log.exists()


def test_firmware_that_was_not_built(tmp_path):
    board = boards.load_board("nucleo_h743zi")
    with pytest.raises(InputError, match="no such firmware; run 'tinyseg firmware'"):
        flashing.command(board, Image(tmp_path / "firmware.elf"), flashing.choose(board))


@pytest.mark.arm
def test_tool_is_run_with_the_very_command(selftest, tmp_path, monkeypatch):
    board, log = boards.load_board("nucleo_h743zi"), tmp_path / "log"
    install(tmp_path / "bin", "st-flash", f'printf "%s\\n" "$0" "$@" > {log}')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    image, tool = selftest(board.name), flashing.choose(board)
    assert tool.tool == "st-flash"
    flashing.flash(board, image, tool)
    program, *arguments = log.read_text().splitlines()
    assert program == str(tmp_path / "bin" / "st-flash")
    assert arguments == ["--reset", "write", str(image.bin), "0x08000000"]


@pytest.mark.arm
def test_tool_that_fails_is_told_with_its_command(selftest, tmp_path, monkeypatch):
    board = boards.load_board("nucleo_h743zi")
    install(tmp_path / "bin", "st-flash", "exit 1")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    with pytest.raises(InputError) as caught:
        flashing.flash(board, selftest(board.name), flashing.choose(board, "st-flash"))
    message = str(caught.value)
    assert message.startswith("st-flash --reset write ")
    assert message.endswith(": failed; is the board connected and powered?")


@pytest.mark.arm
@pytest.mark.usefixtures("no_drive")
@pytest.mark.parametrize(("name", "tool"), CASES)
def test_missing_tool_is_told_with_its_package(name, tool, selftest, tmp_path, monkeypatch):
    board, image = boards.load_board(name), selftest(name)
    # Only what measures the image.
    path = os.environ["PATH"]
    for program in ("arm-none-eabi-g++", "arm-none-eabi-size"):
        install(tmp_path / "bin", program, f'PATH={shlex.quote(path)} exec {program} "$@"')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/nowhere")
    chosen = flashing.choose(board, tool)
    with pytest.raises(InputError) as caught:
        flashing.flash(board, image, chosen)
    if tool == "uf2":
        assert f"no drive {board.drive}; hold BOOTSEL while plugging it in" in str(caught.value)
    else:
        assert str(caught.value) == f"{tool} is missing; install it ({chosen.package})"


@pytest.mark.arm
@pytest.mark.parametrize(
    ("name", "label"), [("rp2040_pico", "RPI-RP2"), ("rp2350_pico2", "RP2350")]
)
def test_pico_is_flashed_by_copying_to_its_drive(name, label, selftest, tmp_path, monkeypatch):
    for folder in ("RPI-RP2", "RP2350"):
        (tmp_path / "somebody" / folder).mkdir(parents=True)
    drive = tmp_path / "somebody" / label
    monkeypatch.setattr(flashing, "_DRIVES", ("/nowhere/*/{label}", str(tmp_path / "*/{label}")))
    board, image = boards.load_board(name), selftest(name)
    write_uf2(image, board)
    tool = flashing.choose(board)
    assert tool.tool == "uf2"
    flashing.flash(board, image, tool)
    assert (drive / image.uf2.name).read_bytes() == image.uf2.read_bytes()


def test_board_without_a_tool_is_not_flashed():
    board = dataclasses.replace(boards.load_board("xg24_dk"), flash=())
    with pytest.raises(InputError, match="xg24_dk: no tool is known that flashes it; docs/porting"):
        flashing.choose(board)
