"""Boards by the command line: what it lists, exports, compiles, emulates, and says to devices."""

import contextlib
import hashlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from PIL import Image

from tests import fixtures
from tinyseg import boards
from tinyseg.boards.build import build
from tinyseg.boards.c_source import FILES
from tinyseg.errors import InputError
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.steps.emulate import serve
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.ops.registry import total_cost

BOARDS = boards.names()
SIZE = fixtures.SIZE
PHANTOM = ["--data", f"phantom:count=40,size={SIZE}"]


def tinyseg(*arguments, cwd, **environment):
    """Run the command line in a process of its own, as a user does."""
    return subprocess.run(
        command(*arguments), cwd=cwd, env=variables(cwd, environment), capture_output=True,
        text=True, check=False,
    )  # fmt: skip


def command(*arguments):
    return [sys.executable, "-m", "tinyseg", *map(str, arguments)]


def variables(cwd, environment):
    """The environment, with changes; None takes a variable away."""
    merged = {**os.environ, "TINYSEG_CACHE": str(cwd / "cache"), **environment}
    return {name: value for name, value in merged.items() if value is not None}


def assert_bad_input(result, *words):
    assert result.returncode == 2, result.stderr
    lines = result.stderr.strip().splitlines()
    assert "Traceback" not in result.stderr
    assert lines[-1].startswith("tinyseg: ")
    for word in words:
        assert word in lines[-1]
    assert not result.stdout


def printed(result):
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A working directory with a network's file, whose name has a space, and two images."""
    path = tmp_path_factory.mktemp("on board")
    (path / "small net.tflite").write_bytes(fixtures.quantized())
    (path / "other.tflite").write_bytes(fixtures.quantized(base_width=8))
    for index, pixels in enumerate(images()):
        Image.fromarray(pixels).save(path / f"scan {index}.png")
    return path


def images():
    return (255 * fixtures.pictures(2, seed=4)).astype(np.uint8)


def test_boards_lists_each_board_with_its_core(tmp_path):
    rows = printed(tinyseg("boards", "--json", cwd=tmp_path))
    assert [row["name"] for row in rows] == BOARDS
    for row in rows:
        board = boards.load(row["name"])
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
    flash = {tool.tool for name in BOARDS for tool in boards.load(name).flash}
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


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextlib.contextmanager
def running(arguments, cwd):
    """A process that runs until Ctrl-C, which must leave no other process behind."""
    process = subprocess.Popen(
        arguments, cwd=cwd, env=variables(cwd, {}), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # Where the tests run in the background, Ctrl-C is ignored, which processes inherit.
        text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        yield process
        started = psutil.Process(process.pid).children(recursive=True)
        assert [child.name() for child in started if child.name().startswith("qemu")]
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0, process.stderr.read()
        _, alive = psutil.wait_procs(started, timeout=10)
        assert alive == []
    finally:
        for child in psutil.Process(process.pid).children() if process.poll() is None else []:
            child.kill()
        process.kill()
        process.communicate()


def wait_for(port):
    """Wait until somebody listens."""
    for _ in range(300):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise AssertionError(f"nobody listens on port {port}")


SERVE = (
    "import sys, pathlib; from tinyseg import boards; from tinyseg.steps.emulate import serve; "
    "serve(boards.load(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3]))"
)


@pytest.fixture(scope="module")
def elf(tmp_path_factory):
    return build(boards.load("mps2_an500"), tmp_path_factory.mktemp("selftest")).elf


@pytest.mark.arm
def test_served_board_answers_one_client_after_the_other(folder, elf):
    port = free_port()
    url = f"socket://127.0.0.1:{port}"
    with running([sys.executable, "-c", SERVE, "mps2_an500", elf, str(port)], folder):
        wait_for(port)
        for _ in range(2):
            info = printed(tinyseg("device", "info", "--port", url, "--json", cwd=folder))
            assert (info["board"], info["model"]) == ("mps2_an500", "selftest")
            assert (info["clock_hz"], info["code"]) == (25_000_000, 0)
        table = tinyseg("device", "info", "--port", url, cwd=folder)
        assert "selftest" in table.stdout
        other = tinyseg(
            "device", "run", "--port", url, "small net.tflite", "scan 0.png", cwd=folder
        )
        assert_bad_input(other, "runs selftest", "another SHA-256", "small net.tflite")
        assert not (folder / "build" / "device").exists()


@pytest.mark.arm
def test_port_in_use_is_an_error(elf):
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(InputError) as caught:
        serve(boards.load("mps2_an500"), elf, server.getsockname()[1])
    message = str(caught.value)
    assert message.startswith("mps2_an500: QEMU ended (")
    assert "in use" in message
    assert "\n" not in message


@pytest.fixture(scope="module")
def made(folder):
    """What ``tinyseg firmware`` says of the network on the emulated Cortex-M7."""
    return printed(
        tinyseg("firmware", "small net.tflite", "--board", "mps2_an500", "--json", cwd=folder)
    )


@pytest.mark.arm
@pytest.mark.tflm
def test_firmware_tells_what_each_memory_holds(folder, made):
    content = (folder / "small net.tflite").read_bytes()
    assert made["board"] == "mps2_an500"
    assert made["sha256"] == hashlib.sha256(content).hexdigest()
    assert made["model_bytes"] == len(content)
    assert made["flash_bytes"] == made["text_bytes"] + made["model_bytes"] + made["data_bytes"]
    used = {region["region"]: region["used"] for region in made["regions"]}
    assert all(0 < used[r["region"]] < r["length"] for r in made["regions"])
    assert used["PSRAM"] > made["arena"]["size"] > made["arena"]["measured"]
    assert (folder / made["elf"]).read_bytes()[:4] == b"\x7fELF"
    # The model as it is, in one piece.
    assert (folder / made["elf"]).read_bytes().count(content) == 1


@pytest.mark.arm
@pytest.mark.tflm
def test_emulate_counts_instructions_and_scores_images(folder, made):
    record = printed(
        tinyseg(
            "emulate", "small net.tflite", "--board", "mps2_an500", *PHANTOM, "--images", 2,
            "--json", cwd=folder,
        )
    )  # fmt: skip
    assert record["board"] == "mps2_an500"
    assert len(record["images"]) == len(record["instructions"]) == 2
    assert record["instructions_mean"] == np.mean(record["instructions"])
    assert record["arena_used"] <= record["arena_size"] == made["arena"]["size"]
    assert 0 < record["stack_used"] < record["stack_size"]
    model = TfliteModel.read(folder / "small net.tflite")
    assert [row["opcode"] for row in record["operators"]] == model.opcodes
    assert sum(row["macs"] for row in record["operators"]) == total_cost(model).macs
    work = sum(row["instructions"] for row in record["operators"])
    assert 0.99 * record["instructions"][-1] < work <= record["instructions"][-1]
    # A Cortex-M7 multiplies at most two int8 pairs an instruction.
    assert work > total_cost(model).macs / 2
    assert record["firmware"] == made
    evaluated = tinyseg("verify", "small net.tflite", *PHANTOM, "--images", 2, "--json", cwd=folder)
    assert record["scores"]["dice"] == json.loads(evaluated.stdout)["dice"]["tflm"]


@pytest.mark.arm
@pytest.mark.tflm
@pytest.mark.usefixtures("made")
def test_verify_on_a_board_compares_its_bytes(folder):
    result = tinyseg(
        "verify", "small net.tflite", *PHANTOM, "--images", 2, "--on", "mps2_an500", "--json",
        cwd=folder,
    )  # fmt: skip
    verdict = printed(result)
    assert verdict["ok"]
    device = verdict["device"]
    assert (device["board"], device["unit"]) == ("mps2_an500", "instructions")
    assert (device["bit_exact"], device["repeatable"], device["differing_bytes"]) == (True, True, 0)
    assert len(device["work"]) == 2
    assert verdict["dice"]["device"] == verdict["dice"]["tflm"] == verdict["dice"]["int8"]


@pytest.mark.slow
@pytest.mark.arm
@pytest.mark.tflm
def test_tables_for_people(folder):
    on = ["small net.tflite", "--board", "mps2_an500"]
    for arguments, words in (
        (["firmware", *on], ["tensor arena", "measured on mps2_an500", "PSRAM", "firmware.elf"]),
        (["emulate", *on, *PHANTOM, "--images", 1], ["instructions, mean", "Dice", "CONV_2D"]),
        (
            ["verify", *on[:1], "--on", on[2], *PHANTOM, "--images", 1],
            ["bytes of mps2_an500 equal TFLM", "the same again"],
        ),
    ):
        result = tinyseg(*arguments, cwd=folder)
        assert result.returncode == 0, result.stderr
        for word in words:
            assert word in result.stdout


@pytest.mark.slow
@pytest.mark.arm
@pytest.mark.tflm
def test_dry_run_prints_the_command_and_flashes_nothing(folder, tmp_path):
    log = tmp_path / "ran"
    tool = tmp_path / "bin" / "st-flash"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\ntouch {log}\n")
    tool.chmod(0o755)
    path = f"{tool.parent}:{os.environ['PATH']}"
    on = ["small net.tflite", "--board", "nucleo_h743zi", "--tool", "st-flash"]
    built = folder / "build" / "firmware" / "nucleo_h743zi" / "small net" / "cmake"
    expected = ["st-flash", "--reset", "write", str(built / "firmware.bin"), "0x08000000"]
    result = tinyseg("flash", *on, "--dry-run", cwd=folder, PATH=path)
    assert result.returncode == 0, result.stderr
    assert result.stdout == shlex.join(expected) + "\n"
    assert not log.exists()
    assert tinyseg("flash", *on, cwd=folder, PATH=path).returncode == 0
    assert log.exists()


@pytest.mark.arm
@pytest.mark.tflm
@pytest.mark.usefixtures("made")
def test_device_run_saves_the_masks_of_an_emulated_board(folder):
    port = free_port()
    url = f"socket://127.0.0.1:{port}"
    serve = ["emulate", "small net.tflite", "--board", "mps2_an500", "--serve", port]
    with running(command(*serve), folder) as process:
        assert url in process.stdout.readline()
        wait_for(port)
        run = ["device", "run", "--port", url, "small net.tflite", "scan 0.png", "scan 1.png"]
        record = printed(tinyseg(*run, "-o", "masks", "--json", cwd=folder))
        other = tinyseg("device", "run", "--port", url, "other.tflite", "scan 0.png", cwd=folder)
    assert_bad_input(other, "small_net", "another SHA-256", "other.tflite")

    model = TfliteModel.read(folder / "small net.tflite")
    # As exact as need be: pixel / 255 lies nowhere near a half of the input's scale.
    source, output = model.inputs[0], model.outputs[0]
    stored = np.round(images() / 255 / source.scales[0]) + source.zero_points[0]
    outputs = fixtures.reference_outputs(model.content, stored.astype(np.int8))
    expected = (outputs[..., 0].astype(float) - output.zero_points[0]) * output.scales[0] > 0.5
    assert record["device"]["board"] == "mps2_an500"
    for index, row in enumerate(record["images"]):
        assert row["image"] == f"scan {index}.png"
        assert row["mask"] == f"masks/scan {index}_mask.png"
        with Image.open(folder / row["mask"]) as picture:
            mask = np.asarray(picture)
        np.testing.assert_array_equal(mask, np.uint8(255) * expected[index])
        assert row["differing_pixels"] == 0
        assert row["foreground"] == pytest.approx(expected[index].mean())
        assert row["milliseconds"] == pytest.approx(row["ticks"] / 25_000)
    assert 0.1 < expected.mean() < 0.9
