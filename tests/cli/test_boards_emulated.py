"""The commands of boards on emulated ones, and on a port."""

import contextlib
import hashlib
import json
import os
import shlex
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
from tests.cli.board_runs import SIZE, free_port, images
from tests.commands import assert_bad_input, command, printed, tinyseg, variables
from tinyseg import boards
from tinyseg.boards.build import compile_firmware
from tinyseg.errors import InputError
from tinyseg.steps.emulate import serve
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.ops.registry import total_cost

PHANTOM = ["--data", f"phantom:count=40,size={SIZE}"]


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
    "serve(boards.load_board(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3]))"
)


@pytest.fixture(scope="module")
def elf(tmp_path_factory):
    return compile_firmware(
        boards.load_board("mps2_an500"), tmp_path_factory.mktemp("selftest")
    ).elf


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
        serve(boards.load_board("mps2_an500"), elf, server.getsockname()[1])
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
    assert verdict["tflm_images"] == 2
    assert verdict["dice"]["device"] == verdict["dice"]["tflm"]


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
    built = folder / "build" / "firmware" / "nucleo_h743zi" / "tinyseg" / "small net" / "cmake"
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
