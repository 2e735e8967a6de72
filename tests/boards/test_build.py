"""Firmware for every processor: it compiles without warnings, and its size is told right."""

import dataclasses
import re
import shutil
import struct
import subprocess

import pytest

import tinyseg
from tinyseg import boards
from tinyseg.boards.build import compile_firmware
from tinyseg.boards.image import Image, footprint, write_uf2
from tinyseg.errors import InputError
from tinyseg.places import firmware_folder

pytestmark = pytest.mark.arm

BOARDS = [name for name in boards.board_names() if boards.load_board(name).ported]
UNITS = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
# Arm's ELF build attribute 6, CPU architecture: v6S-M, v7E-M, v8-M main line, v8.1-M main line.
ARCHITECTURES = {
    "cortex-m0plus": {"v6S-M", "v6-M"},
    "cortex-m4": {"v7E-M"},
    "cortex-m7": {"v7E-M"},
    "cortex-m33": {"v8-M.mainline"},
    "cortex-m55": {"v8.1-M.mainline"},
}


def output_of(*command):
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=True
    ).stdout


def sections(elf):
    """Name, address and size of what is loaded into memory, from the headers themselves."""
    rows = re.findall(
        r"\] (\.\S+) +(PROGBITS|NOBITS|INIT_ARRAY|ARM_EXIDX) +(\w+) \w+ (\w+) \w+ +(\w*A\w*) ",
        output_of("arm-none-eabi-readelf", "-SW", elf),
    )
    return {name: (int(address, 16), int(size, 16)) for name, _, address, size, _ in rows}


@pytest.mark.parametrize("name", BOARDS)
def test_selftest_builds_without_warnings_and_fills_memory_as_told(name, selftest):
    board, image = boards.load_board(name), selftest(name)
    folder = image.elf.parent
    rules = (folder / "build.ninja").read_text()
    assert "-Wall -Wextra -Werror" in rules
    assert "--fatal-warnings" in rules
    image.elf.unlink()
    said = output_of("cmake", "--build", folder, "--target", "selftest")
    assert "warning" not in said.lower()

    rows = re.findall(r"^ *(\w+): +(\d+) (\w+) +(\d+) (\w+) ", said, re.M)
    linked = {row[0]: (int(row[1]) * UNITS[row[2]], int(row[3]) * UNITS[row[4]]) for row in rows}
    measured = {u.region: (u.used, u.length) for u in footprint(image, board).regions}
    assert set(linked) == set(measured)
    for region, (used, length) in linked.items():
        assert measured[region] == (used, length)


@pytest.mark.parametrize("name", BOARDS)
def test_selftest_is_for_the_boards_processor(name, selftest):
    attributes = output_of("arm-none-eabi-readelf", "-A", selftest(name).elf)
    architecture = re.search(r"Tag_CPU_arch: (\S+)", attributes)[1]
    assert architecture in ARCHITECTURES[boards.load_board(name).core]


@pytest.mark.parametrize("name", BOARDS)
def test_footprint_is_what_the_headers_say(name, selftest):
    image = selftest(name)
    loaded = sections(image.elf)
    made = footprint(image, boards.load_board(name))
    ram = (".data", ".bss", ".stack", ".arena")
    assert made.text == sum(size for name, (_, size) in loaded.items() if name not in ram)
    assert made.model == 0
    assert made.data == loaded.get(".data", (0, 0))[1]
    assert made.flash == made.text + made.data
    # The self-test's convolution, at least: input, output, and the receive buffer.
    assert loaded[".arena"][1] > 3 * 65536


@pytest.mark.parametrize("name", BOARDS)
def test_program_starts_with_stack_and_reset_vector(name, selftest, tmp_path):
    """ARMv7-M and ARMv8-M read both at reset; boot loaders check them."""
    image = selftest(name)
    loaded = sections(image.elf)
    start = loaded[".vectors"][0]
    vectors = tmp_path / "vectors"
    output_of("arm-none-eabi-objcopy", "-O", "binary", "-j", ".vectors", image.elf, vectors)
    stack, reset = struct.unpack_from("<2I", vectors.read_bytes())
    address, size = loaded[".stack"]
    assert stack == address + size
    assert reset % 2 == 1
    text, text_size = loaded[".text"]
    assert text <= reset < text + text_size
    # VTOR takes addresses that are multiples of the table's size rounded up to a power of two.
    assert start % 128 == 0


@pytest.mark.parametrize("name", [name for name in BOARDS if boards.load_board(name).flash])
def test_files_to_flash_hold_the_same_bytes(name, selftest, tmp_path):
    image = selftest(name)
    output_of("arm-none-eabi-objcopy", "-I", "ihex", "-O", "binary", image.hex, tmp_path / "hex")
    output_of("arm-none-eabi-objcopy", "-O", "binary", image.elf, tmp_path / "elf")
    content = image.bin.read_bytes()
    assert len(content) > 4000
    assert (tmp_path / "hex").read_bytes() == (tmp_path / "elf").read_bytes() == content


def test_second_build_compiles_nothing(selftest):
    image = selftest("mps2_an500")
    before = image.elf.stat().st_mtime_ns
    again = compile_firmware(boards.load_board("mps2_an500"), image.elf.parent)
    assert again == image
    assert image.elf.stat().st_mtime_ns == before


def test_changed_memory_is_linked_again(tmp_path):
    board = boards.load_board("mps2_an500")
    first = sections(compile_firmware(board, tmp_path).elf)
    second = sections(compile_firmware(dataclasses.replace(board, stack=8 << 10), tmp_path).elf)
    assert (first[".stack"][1], second[".stack"][1]) == (16 << 10, 8 << 10)


def test_build_by_cmake_alone_says_what_is_missing(tmp_path):
    result = subprocess.run(
        ["cmake", "-G", "Ninja", "-S", firmware_folder(), "-B", tmp_path, "-DBOARD=xg24_dk"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode != 0
    said = " ".join(result.stderr.split())
    assert f"{tmp_path}/memory.ld is missing" in said
    assert "docs/porting_a_board.md" in said


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A copy of the firmware's folder, which tinyseg takes for its own."""
    shutil.copytree(firmware_folder(), tmp_path / "firmware")
    monkeypatch.setattr(tinyseg, "__file__", str(tmp_path / "tinyseg" / "__init__.py"))
    return tmp_path / "firmware"


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def resized(board, region, length):
    """A board with less of a memory."""
    memory = {**board.memory, region: dataclasses.replace(board.memory[region], length=length)}
    return dataclasses.replace(board, memory=memory)


def test_what_the_linker_cannot_place_is_told_in_bytes(tmp_path, selftest):
    board = boards.load_board("nrf52840_dk")
    loaded = sections(selftest(board.name).elf)
    used = sum(loaded[name][1] for name in (".data", ".bss", ".stack", ".arena") if name in loaded)
    with pytest.raises(InputError) as caught:
        compile_firmware(resized(board, "DATA_RAM", 128 << 10), tmp_path / "build")
    message = str(caught.value)
    lacks = re.fullmatch(
        r"nrf52840_dk: the model does not fit, it lacks ([\d,]+) bytes of DATA_RAM; "
        r"take a smaller one",
        message,
    )
    # Alignment may take a few bytes more.
    assert 0 <= int(lacks[1].replace(",", "")) - (used - (128 << 10)) < 32


def test_image_larger_than_a_region_is_refused(selftest):
    board = boards.load_board("nrf52840_dk")
    image = selftest(board.name)
    with pytest.raises(InputError) as caught:
        footprint(image, resized(board, "CODE_FLASH", 8 << 10))
    message = str(caught.value)
    assert re.search(r"needs [\d,]+ bytes of CODE_FLASH, nrf52840_dk has 8,192", message)
    assert message.startswith(f"{image.elf}: ")


def test_image_of_another_board_is_refused(selftest):
    with pytest.raises(InputError) as caught:
        footprint(selftest("mps2_an500"), boards.load_board("nrf52840_dk"))
    assert "section .arena lies outside the memory of nrf52840_dk" in str(caught.value)


def test_missing_and_damaged_images(tmp_path):
    board = boards.load_board("mps2_an500")
    with pytest.raises(InputError, match=r"no\.elf: no such firmware; run 'tinyseg firmware'"):
        footprint(Image(tmp_path / "no.elf"), board)
    (tmp_path / "text.elf").write_text("not a program")
    with pytest.raises(InputError, match=r"text\.elf: is no ELF file"):
        footprint(Image(tmp_path / "text.elf"), board)


def test_code_that_does_not_compile_is_told_with_the_compilers_reason(checkout, tmp_path):
    board = boards.load_board("mps2_an500")
    change(board.folder / "board.cc", "kClockHz, 115200", "kClockHz, baud_rate")
    with pytest.raises(InputError) as caught:
        compile_firmware(board, tmp_path / "build")
    message = str(caught.value)
    assert message.startswith("mps2_an500: the firmware does not compile (")
    assert "baud_rate" in message
    assert "\n" not in message


def test_missing_tools_are_named_with_the_cure(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError) as caught:
        compile_firmware(boards.load_board("mps2_an500"), tmp_path)
    assert "arm-none-eabi-g++ is missing; install it with make toolchain" in str(caught.value)


def test_model_without_tensorflow_lite_micro(tmp_path, monkeypatch):
    monkeypatch.delenv("TFLM_ROOT", raising=False)
    (tmp_path / "generated").mkdir()
    with pytest.raises(InputError) as caught:
        compile_firmware(
            boards.load_board("mps2_an500"), tmp_path / "build", tmp_path / "generated"
        )
    message = str(caught.value)
    assert message.startswith("TFLM_ROOT is not set")
    assert "cortex-m7+fp" in message
    assert "docs/firmware.md" in message
    assert "\n" not in message


def test_tensorflow_lite_micro_without_a_library_for_the_core(tmp_path, monkeypatch):
    monkeypatch.setenv("TFLM_ROOT", str(tmp_path))
    (tmp_path / "generated").mkdir()
    with pytest.raises(InputError) as caught:
        compile_firmware(
            boards.load_board("mps3_an547"), tmp_path / "build", tmp_path / "generated"
        )
    message = str(caught.value)
    assert message.startswith(f"TFLM_ROOT={tmp_path} holds no library for mps3_an547")
    assert "cortex-m55" in message


def uf2_blocks(path):
    """Header, data and end of each block of 512 bytes: https://github.com/microsoft/uf2."""
    content = path.read_bytes()
    assert len(content) % 512 == 0
    blocks = [content[at : at + 512] for at in range(0, len(content), 512)]
    return [(struct.unpack("<8I", block[:32]), block[32:508], block[508:]) for block in blocks]


UF2_BOARDS = [name for name in BOARDS if boards.load_board(name).family_id is not None]


@pytest.mark.parametrize("name", UF2_BOARDS)
def test_uf2_holds_the_image_in_numbered_blocks(name, selftest):
    image, board = selftest(name), boards.load_board(name)
    path = write_uf2(image, board)
    assert path == image.elf.with_suffix(".uf2")
    blocks = uf2_blocks(path)
    memory = {}
    for number, (header, data, end) in enumerate(blocks):
        first, second, flags, address, size, index, count, family = header
        assert (first, second) == (0x0A324655, 0x9E5D5157)
        assert end == bytes.fromhex("306fb10a")
        # The family's number is there, and the block is for the main flash.
        assert flags == 0x2000
        assert (index, count, family) == (number, len(blocks), board.family_id)
        # RP2040's boot ROM takes whole pages only.
        assert (size, address % 256) == (256, 0)
        assert not any(data[size:])
        assert address not in memory
        memory[address] = data[:size]
    origin = min(memory)
    assert origin == min(region.origin for region in board.memory.values())
    assert sorted(memory) == list(range(origin, origin + 256 * len(blocks), 256))
    written = b"".join(memory[address] for address in sorted(memory))
    content = image.bin.read_bytes()
    assert written[: len(content)] == content
    assert not any(written[len(content) :])


def test_pico_is_of_the_family_rp2040_with_a_valid_second_stage(selftest):
    """RP2040's boot ROM runs 252 bytes whose CRC-32 (MPEG-2 kind) follows them."""
    assert boards.load_board("rp2040_pico").family_id == 0xE48BFF56
    second_stage = selftest("rp2040_pico").bin.read_bytes()[:256]
    crc = 0xFFFF_FFFF
    for byte in second_stage[:252]:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C1_1DB7 if crc >> 31 else 0)) & 0xFFFF_FFFF
    assert int.from_bytes(second_stage[252:], "little") == crc


def test_pico_2_is_of_the_family_rp2350_with_a_valid_image_definition(selftest):
    """RP2350 datasheet, Block structure: markers, items, their total length, a loop of blocks."""
    board = boards.load_board("rp2350_pico2")
    assert (board.family_id, board.drive) == (0xE48BFF59, "RP2350")
    start = selftest(board.name).bin.read_bytes()[:4096]
    words = struct.unpack(f"<{len(start) // 4}I", start)
    assert words.count(0xFFFFDED3) == 1
    block = words[words.index(0xFFFFDED3) :]
    assert block[4] == 0xAB123579
    # An image type of one word: executable, secure, Arm, RP2350.
    assert block[1].to_bytes(4, "little") == bytes([0x42, 1, 0x21, 0x10])
    # The last item has the length of those before; the next block is this one.
    assert block[2].to_bytes(4, "little") == bytes([0xFF, 1, 0, 0])
    assert block[3] == 0
    # Without an entry in the block, it is in the vector table, at the start.
    loaded = sections(selftest(board.name).elf)
    assert loaded[".vectors"][0] == board.region("FLASH").origin
    assert words[0] == sum(loaded[".stack"])


def test_firmware_of_the_nano_leaves_the_boot_loader_alone(selftest):
    """Arduino's boot loader has the first 64 KB and starts what follows."""
    image = selftest("nano_33_ble")
    loaded = sections(image.elf)
    assert loaded[".vectors"][0] == 0x10000
    assert struct.unpack("<I", image.bin.read_bytes()[:4])[0] == sum(loaded[".stack"])
    # Intel HEX, record type 2: a base of 0x1000 times 16.
    assert image.hex.read_text().splitlines()[0] == ":020000021000EC"


def test_firmware_of_the_discovery_kit_computes_in_single_precision(selftest):
    """Its FPU has no registers for more; an instruction on them is a fault."""
    listing = output_of("arm-none-eabi-objdump", "-d", selftest("stm32f746g_disco").elf)
    assert ".f64" not in listing
