"""The command line as a user meets it: exit codes, one-line errors, JSON, whole runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import assert_bad_input, mltk_missing, tinyseg
from tinyseg.tflite import TfliteModel

SMALL = ["--set", "model.arguments.base_width=4", "--set", "model.arguments.depth=2"]
# Two epochs teach little: a low threshold lets the network find something at all.
SMALL += ["--set", "preprocessing.threshold=0.48"]
PHANTOM = ["--data", "phantom:count=40,size=32"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A small network, trained and quantized by the commands of the README."""
    folder = tmp_path_factory.mktemp("run")
    trained = tinyseg(
        "train", "attention_unet_ds", *PHANTOM, "--size", 32, "--epochs", 2, *SMALL, cwd=folder
    )
    assert trained.returncode == 0, trained.stderr
    # They teach nothing, so any drop will do: the gate has tests of its own.
    quantized = tinyseg(
        "quantize", "attention_unet_ds", *PHANTOM, "--max-drop", 1, "--json", cwd=folder
    )
    assert quantized.returncode == 0, quantized.stderr
    return folder, json.loads(quantized.stdout), trained, quantized


@pytest.fixture
def built(run):
    return run[0] / "build" / "attention_unet_ds" / "phantom-count-40-size-32"


def test_help_lists_the_verbs(tmp_path):
    result = tinyseg("--help", cwd=tmp_path)
    for verb in ("zoo", "data", "train", "evaluate", "quantize", "verify", "profile"):
        assert f"\n  {verb} " in result.stdout


def modules_after(code):
    """The modules that a new process has imported when it has run some code."""
    code = f"import sys; {code}; sys.stdout.write('\\n' + ' '.join(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(result.stdout.splitlines()[-1].split())


def test_importing_the_package_does_not_import_tensorflow():
    found = modules_after("import tinyseg.cli, tinyseg.data, tinyseg.tflite.lint")
    assert not {"tensorflow", "tf_keras"} & found


# How long it takes is measured by 'make bench': here, what would make it slow is kept out.
def test_help_imports_nothing_heavy():
    call = "assert CliRunner().invoke(tinyseg.cli.cli, ['--help']).exit_code == 0"
    found = modules_after(f"import tinyseg.cli; from click.testing import CliRunner; {call}")
    heavy = {"tensorflow", "tf_keras", "numpy", "scipy", "cv2", "matplotlib", "tflite_micro", "PIL"}
    assert not heavy & found


def test_listing_the_networks_builds_none():
    call = "assert CliRunner().invoke(tinyseg.cli.cli, ['zoo']).exit_code == 0"
    found = modules_after(f"import tinyseg.cli; from click.testing import CliRunner; {call}")
    assert not {"tensorflow", "tf_keras", "numpy"} & found


def test_zoo_json(tmp_path):
    names = ("attention_unet_ds", "unet", "custom_cnn")
    rows = json.loads(tinyseg("zoo", *names, "--json", cwd=tmp_path).stdout)
    assert tuple(row["name"] for row in rows) == names
    keys = {"name", "task", "input_shape", "parameters", "trainable_parameters", "macs"}
    keys.add("stopped_by")
    assert all(set(row) == keys for row in rows)
    assert {row["name"]: row["macs"] for row in rows}["attention_unet_ds"] == 2_874_605_568


def test_run_is_quiet_and_complete(run, built):
    _, _, trained, quantized = run
    for result in (trained, quantized):
        for noise in ("WARNING", "0000 00:00", "oneDNN", "cuda", "Warning", "INFO"):
            assert noise not in result.stderr
    results = {path.name for path in (built / "static_wi8_ai8").iterdir()}
    assert {"attention_unet_ds.tflite", "plan.json", "split.json"} <= results
    assert {"report.html", "report.md", "report.json", "examples.jpg"} <= results
    assert not [name for name in results if name.startswith(".")]


def test_report_stands_alone_and_agrees_with_the_json(run, built):
    values = run[1]
    assert json.loads((built / "static_wi8_ai8" / "report.json").read_text()) == values
    html = (built / "static_wi8_ai8" / "report.html").read_text()
    assert "http" not in html.replace("http-equiv", "")
    assert html.count("data:image/") >= 2
    assert f"{values['verification']['arena_bytes']:,}" in html
    assert values["file_sha256"] in html


def test_quantized_file_is_bit_exact(run):
    verdict = run[1]["verification"]
    assert verdict["ok"]
    assert verdict["bit_exact"]
    assert verdict["unsupported_ops"] == []
    assert verdict["arena_bytes"] > 0
    assert len(verdict["images"]) == verdict["engine_images"] == run[1]["data"]["test"]
    assert 2 <= verdict["tflm_images"] <= verdict["engine_images"]
    for backend, key in (("float", "float"), ("int8", "integer")):
        assert verdict["dice"][backend] == run[1]["test"][key]["dice"]
    assert len([row for row in verdict["sqnr"] if row["opcode"] == "CONV_2D"]) >= 10


def test_verify_finds_file_and_weights_by_name(run):
    result = tinyseg(
        "verify", "attention_unet_ds", *PHANTOM, "--images", 2, "--max-drop", 1, "--json",
        cwd=run[0],
    )  # fmt: skip
    verdict = json.loads(result.stdout)
    assert (result.returncode, verdict["ok"]) == (0, True)
    assert all(isinstance(value, float) for value in verdict["dice"].values())
    assert verdict["arena_bytes"] == run[1]["verification"]["arena_bytes"]


def test_gate_sets_the_exit_code(run):
    result = tinyseg(
        "verify", "attention_unet_ds", *PHANTOM, "--images", 2, "--max-drop", -1, "--json",
        cwd=run[0],
    )  # fmt: skip
    assert result.returncode == 1
    assert json.loads(result.stdout)["ok"] is False
    assert "Dice falls by" in result.stderr


@pytest.mark.parametrize("what", ["model", "file", "weights"])
def test_evaluate_takes_a_name_a_file_or_weights(run, built, what):
    target = {
        "model": "attention_unet_ds",
        "file": built / "static_wi8_ai8" / "attention_unet_ds.tflite",
        "weights": built / "float" / "weights.h5",
    }[what]
    result = tinyseg("evaluate", target, *PHANTOM, "--json", cwd=run[0])
    scores = json.loads(result.stdout)
    expected = {"dice", "iou", "pixel_accuracy", "precision", "recall", "images"}
    assert expected <= set(scores)
    assert scores["images"] == run[1]["data"]["test"]
    key = "integer" if what == "file" else "float"
    assert scores["dice"] == pytest.approx(run[1]["test"][key]["dice"], abs=1e-3)


@pytest.mark.mltk
def test_profile_json(run):
    if mltk_missing():
        pytest.skip("MLTK's environment is missing; run 'make mltk'")
    result = tinyseg("profile", "attention_unet_ds", *PHANTOM, "--json", cwd=run[0])
    record = json.loads(result.stdout)
    assert {"flash_bytes", "ram_bytes", "macs", "ops", "layers"} <= set(record)
    assert record["macs"] == run[1]["model"]["macs"]
    assert record["flash_bytes"] == run[1]["file_bytes"]
    report = run[0] / "build" / "profile" / "attention_unet_ds.tflite-profiling-results.txt"
    assert report.read_text().startswith("Profiling Summary")


def test_int16_recipe_and_float_io(run):
    result = tinyseg(
        "quantize", "attention_unet_ds", *PHANTOM, "--recipe", "static_wi8_ai16", "--float-io",
        "--max-drop", 1, "--images", 2, "--no-profile", "--json", cwd=run[0],
    )  # fmt: skip
    values = json.loads(result.stdout)
    assert result.returncode == 0
    assert values["verification"]["bit_exact"]


def test_dry_run_prints_the_plan_and_writes_nothing(tmp_path):
    result = tinyseg("train", "attention_unet_ds", "--epochs", 3, "--dry-run", cwd=tmp_path)
    assert json.loads(result.stdout)["training"]["epochs"] == 3
    assert not (tmp_path / "build").exists()


def test_damaged_models(run, built, tmp_path):
    good = (built / "static_wi8_ai8" / "attention_unet_ds.tflite").read_bytes()
    weights = max((t.data or b"" for t in TfliteModel.parse(good).tensors), key=len)
    flipped = bytearray(good)
    flipped[good.index(weights) + len(weights) // 2] ^= 0x10
    cases = {
        "header.tflite": b"\x18\0\0\0TFL3",
        "empty.tflite": b"",
        "truncated.tflite": good[: len(good) // 2],
        "flipped.tflite": bytes(flipped),
        "text.tflite": b"not a model at all",
    }
    for name, content in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        assert_bad_input(tinyseg("verify", path, *PHANTOM, cwd=run[0]), name)
    assert_bad_input(tinyseg("verify", tmp_path / "no.tflite", cwd=run[0]), "no.tflite")
    assert_bad_input(
        tinyseg("profile", tmp_path / "truncated.tflite", cwd=run[0]), "truncated.tflite"
    )
    assert_bad_input(tinyseg("evaluate", tmp_path / "empty.tflite", cwd=run[0]), "empty.tflite")


def test_changed_artefact_is_noticed(run, built):
    path = built / "static_wi8_ai8" / "attention_unet_ds.tflite"
    good = path.read_bytes()
    try:
        path.write_bytes(good[:-4] + b"\xff\xff\xff\xff")
        assert_bad_input(tinyseg("verify", path, *PHANTOM, cwd=run[0]), path.name)
    finally:
        path.write_bytes(good)


def test_missing_mltk_says_how_to_get_it(run, tmp_path):
    code = (
        "import tinyseg, tinyseg.profiling.mltk as m; tinyseg.__file__ = '/nowhere/a/b.py'; "
        "m.mltk_python()"
    )
    environment = {k: v for k, v in os.environ.items() if k != "TINYSEG_MLTK_PYTHON"}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert "make mltk" in result.stderr


@pytest.mark.real_data
@pytest.mark.slow
def test_busi_runs_with_the_same_commands(tmp_path):
    busi = Path(os.environ.get("TINYSEG_DATA", "/nowhere"), "busi", "Dataset_BUSI_with_GT")
    if not busi.is_dir():
        pytest.skip("TINYSEG_DATA does not hold busi")
    trained = tinyseg(
        "train", "attention_unet_ds", "--data", busi, "--size", 64, "--epochs", 2,
        "--set", "model.arguments.base_width=8", "--set", "model.arguments.depth=3", cwd=tmp_path,
    )  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    quantized = tinyseg(
        "quantize", "attention_unet_ds", "--data", busi, "--max-drop", 1, "--json",
        "--no-profile", cwd=tmp_path,
    )  # fmt: skip
    assert json.loads(quantized.stdout)["verification"]["bit_exact"]
