"""Boards by the command line: what it lists, exports, compiles, emulates, and says to devices."""

import hashlib
import shutil

import pytest

from tests import fixtures
from tests.cli.board_runs import SIZE, free_port
from tests.commands import assert_bad_input, printed, tinyseg
from tinyseg import boards
from tinyseg.boards.c_source import FILES
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.tflite import TfliteModel

BOARDS = boards.board_names()


def test_boards_lists_each_board_with_its_core(tmp_path):
    rows = printed(tinyseg("boards", "--json", cwd=tmp_path))
    assert [row["name"] for row in rows] == BOARDS
    for row in rows:
        board = boards.load_board(row["name"])
        assert (row["title"], row["core"]) == (board.title, board.core)
        assert (row["machine"], row["baud"]) == (board.machine, board.baud)
    table = tinyseg("boards", cwd=tmp_path)
    assert table.returncode == 0
    for name in BOARDS:
        assert name in table.stdout


TOOLS = {
    "arm-none-eabi-g++", "cmake", "ninja", "qemu-system-arm", "g++", "clang++", "clang-format",
    "TFLM_ROOT",
}  # fmt: skip


def test_doctor_finds_what_the_path_holds(tmp_path):
    rows = {row["name"]: row for row in printed(tinyseg("doctor", "--json", cwd=tmp_path))}
    flash = {tool.tool for name in BOARDS for tool in boards.load_board(name).flash}
    assert set(rows) == TOOLS | flash - {"uf2"}
    for name in set(rows) - {"TFLM_ROOT"}:
        assert rows[name]["found"] == shutil.which(name)
        assert rows[name]["purpose"]
        assert rows[name]["cure"]
    # A tool that several boards share says so.
    for name in ("nrf52840_dk", "xg24_dk"):
        assert name in rows["pyocd"]["purpose"]


def test_doctor_without_any_tool_tells_how_to_get_each(tmp_path):
    result = tinyseg("doctor", "--json", cwd=tmp_path, PATH="", TFLM_ROOT=None)
    rows = {row["name"]: row for row in printed(result)}
    assert all(row["found"] is None and row["version"] == "" for row in rows.values())
    assert "make toolchain" in rows["cmake"]["cure"]
    assert "docs/firmware.md" in rows["TFLM_ROOT"]["cure"]
    table = tinyseg("doctor", cwd=tmp_path, PATH="", TFLM_ROOT=None)
    assert table.returncode == 0
    assert table.stdout.count("missing: ") == len(rows)


def test_doctor_asks_tools_for_their_version(tmp_path):
    answers = {
        "cmake": "echo; echo cmake version 9.9; echo more",
        "ninja": "echo no such option >&2; exit 1",
        "openocd": "echo Open On-Chip Debugger 1.2 >&2",
        "g++": "echo $1",
    }
    for name, script in answers.items():
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    result = tinyseg("doctor", "--json", cwd=tmp_path, PATH=str(tmp_path / "bin"))
    versions = {row["name"]: row["version"] for row in printed(result) if row["found"]}
    versions.pop("TFLM_ROOT", None)
    assert versions == {
        "cmake": "cmake version 9.9",
        "ninja": "",
        "openocd": "Open On-Chip Debugger 1.2",
        "g++": "--version",
    }


@pytest.mark.parametrize(
    ("places", "libraries"),
    [
        (["gen/cortex_m_generic_cortex-m7+fp_release_gcc/lib"], "cortex-m7+fp_release_gcc"),
        (["gen/cortex_m_generic_a/lib", "gen/cortex_m_generic_b/lib"], "a, b"),
        (["lib"], "lib"),
        ([], None),
    ],
)
def test_doctor_lists_the_libraries_of_tflm(tmp_path, places, libraries):
    for place in places:
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "libtensorflow-microlite.a").write_text("")
    result = tinyseg("doctor", "--json", cwd=tmp_path, TFLM_ROOT=str(tmp_path))
    (row,) = (row for row in printed(result) if row["name"] == "TFLM_ROOT")
    expected = (str(tmp_path), libraries) if libraries else (None, "")
    assert (row["found"], row["version"]) == expected


def test_export_writes_three_files_and_says_how_large_the_arena_is(folder, tmp_path):
    path = folder / "small net.tflite"
    record = printed(tinyseg("export-c", path, "-o", tmp_path / "c", "--json", cwd=tmp_path))
    assert record["files"] == [str(tmp_path / "c" / name) for name in FILES]
    measured = TflmRunner(TfliteModel.read(path)).arena.total
    assert measured + 1024 <= record["arena_bytes"] < measured + (16 << 10)
    header = (tmp_path / "c" / "model_data.h").read_text()
    assert f"kModelArenaSize = {record['arena_bytes']};" in header
    assert hashlib.sha256(path.read_bytes()).hexdigest() in header
    before = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "c").iterdir()}
    result = tinyseg("export-c", path, "-o", tmp_path / "c", cwd=tmp_path)
    assert result.returncode == 0
    assert f"{record['arena_bytes']:,} bytes" in result.stdout
    assert {file.name: file.stat().st_mtime_ns for file in (tmp_path / "c").iterdir()} == before


def test_export_to_the_build_folder_with_an_arena_of_choice(folder, tmp_path):
    shutil.copy(folder / "small net.tflite", tmp_path / "net.tflite")
    record = printed(tinyseg("export-c", "net.tflite", "--arena", 4096, "--json", cwd=tmp_path))
    assert record["files"] == [f"build/c/net/{name}" for name in FILES]
    assert record["arena_bytes"] == 4096


@pytest.mark.parametrize("board", ["nucleo_h743zi", "mps3_an547"])
def test_export_for_a_board_reserves_what_memory_predicts(board, folder, tmp_path):
    path = folder / "small net.tflite"
    predicted = printed(tinyseg("memory", path, "--board", board, "--json", cwd=tmp_path))
    record = printed(tinyseg("export-c", path, "--board", board, "--json", cwd=tmp_path))
    needed = max(predicted["total_bytes"], predicted["setup_bytes"])
    assert record["arena_bytes"] == -(-needed // 16) * 16


def test_what_cannot_be_exported(folder, tmp_path):
    tile = tmp_path / "tile.tflite"
    draft = fixtures.Draft((1, SIZE, SIZE, 3))
    tile.write_bytes(fixtures.one_operator("TILE", [draft], draft))
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes((folder / "small net.tflite").read_bytes()[:5000])
    for arguments, words in (
        (["no.tflite"], ["no.tflite", "no such file"]),
        (["nonet"], ["nonet"]),
        ([tile, "--arena", 4096], ["tile.tflite", "TILE"]),
        ([damaged], ["damaged.tflite"]),
        ([damaged, "--board", "mps2_an500"], ["damaged.tflite"]),
        ([folder / "small net.tflite", "--board", "nowhere"], ["nowhere", "mps2_an500"]),
        ([folder / "small net.tflite", "--arena", 0], ["--arena"]),
    ):
        assert_bad_input(tinyseg("export-c", *arguments, cwd=tmp_path), *words)
    assert not (tmp_path / "build").exists()


def test_wrong_arguments(folder):
    model = "small net.tflite"
    silent = f"socket://127.0.0.1:{free_port()}"
    for arguments, words in (
        (["firmware", model], ["--board"]),
        (["firmware", model, "--board", "nowhere"], ["nowhere", "mps2_an500"]),
        (["firmware", "no.tflite", "--board", "mps2_an500"], ["no.tflite"]),
        (["emulate", model, "--board", "../x"], ["../x"]),
        (["emulate", model, "--board", "rp2040_pico"], ["rp2040_pico", "cortex-m0plus"]),
        (["emulate", model, "--board", "mps2_an500", "--serve", "0"], ["--serve"]),
        (["flash", model, "--board", "mps2_an500"], ["emulated only", "tinyseg emulate"]),
        (["flash", model, "--board", "xg24_dk", "--tool", "st-flash"], ["st-flash", "commander"]),
        (["device", "info", "--port", "/dev/ttyNOSUCH"], ["/dev/ttyNOSUCH"]),
        (["device", "info", "--port", silent], [silent, "refused"]),
        (["device", "info", "--port", "/dev/null", "--baud", "0"], ["--baud"]),
        (["device", "info"], ["--port"]),
        (["device", "run", "--port", silent, model], ["IMAGES"]),
        (["device", "run", "--port", silent, model, "no.png"], ["no.png"]),
        (["device", "run", "--port", silent, model, "other.tflite"], ["other.tflite"]),
        (["device", "run", "--port", silent, "no.tflite", "scan 0.png"], ["no.tflite"]),
    ):
        assert_bad_input(tinyseg(*arguments, cwd=folder), *words)


@pytest.mark.parametrize(
    ("board", "words"),
    [("nowhere", ["nowhere", "mps2_an500"]), ("rp2040_pico", ["rp2040_pico", "cortex-m0plus"])],
)
def test_board_that_cannot_be_emulated_is_refused_before_any_work(folder, board, words):
    """Quantization takes minutes, all of them in vain."""
    on = ["--on", board]
    assert_bad_input(tinyseg("quantize", "attention_unet_ds", *on, "--dry-run", cwd=folder), *words)
    assert_bad_input(tinyseg("verify", "no.tflite", *on, cwd=folder), *words)


def test_images_whose_masks_would_overwrite_each_other(folder, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        shutil.copy(folder / "scan 0.png", tmp_path / name / "scan.png")
    arguments = ["--port", "socket://127.0.0.1:1", folder / "small net.tflite"]
    result = tinyseg("device", "run", *arguments, "a/scan.png", "b/scan.png", cwd=tmp_path)
    assert_bad_input(result, "a/scan.png", "b/scan.png")


@pytest.mark.arm
def test_firmware_without_tensorflow_lite_micro_says_how_to_get_it(folder):
    result = tinyseg(
        "firmware", "small net.tflite", "--board", "mps2_an500", "--engine", "tflm", cwd=folder,
        TFLM_ROOT=None,
    )  # fmt: skip
    assert_bad_input(result, "TFLM_ROOT", "docs/firmware.md", "cortex-m7+fp")


def test_firmware_without_a_compiler_says_how_to_get_it(folder):
    result = tinyseg("firmware", "small net.tflite", "--board", "mps2_an500", cwd=folder, PATH="")
    assert_bad_input(result, "arm-none-eabi-g++", "make toolchain")
