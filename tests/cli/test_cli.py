"""The command line as a user meets it: exit codes, one-line errors, JSON, whole runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinyseg.data.phantom import load_phantom
from tinyseg.errors import InputError
from tinyseg.profiling.mltk import mltk_python
from tinyseg.tflite import TfliteModel

SMALL = ["--set", "model.arguments.base_width=4", "--set", "model.arguments.depth=2"]
# Two epochs teach little: a low threshold lets the network find something at all.
SMALL += ["--set", "preprocessing.threshold=0.48"]
PHANTOM = ["--data", "phantom:count=40,size=32"]


def tinyseg(*arguments, cwd, **environment):
    """Run the command line in a process of its own, as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "tinyseg", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "TINYSEG_CACHE": str(Path(cwd) / "cache"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def assert_bad_input(result, *words):
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("tinyseg: ")
    for word in words:
        assert word in last
    assert not result.stdout


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A small network, trained and quantized by the commands of the README."""
    folder = tmp_path_factory.mktemp("run")
    trained = tinyseg(
        "train", "attention_unet_ds", *PHANTOM, "--size", 32, "--epochs", 2, *SMALL, cwd=folder
    )
    assert trained.returncode == 0, trained.stderr
    options = ["--no-profile"] if _mltk_missing() else []
    # They teach nothing, so any drop will do: the gate has tests of its own.
    quantized = tinyseg(
        "quantize", "attention_unet_ds", *PHANTOM, "--max-drop", 1, "--json", *options,
        cwd=folder,
    )  # fmt: skip
    assert quantized.returncode == 0, quantized.stderr
    return folder, json.loads(quantized.stdout), trained, quantized


def _mltk_missing():
    try:
        mltk_python()
    except InputError:
        return True
    return False


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
    if _mltk_missing():
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


def _folder(root, count=6, size=32):
    """Write phantoms as a generic folder of images and masks."""
    phantoms = load_phantom(count, size)
    for sample in phantoms.samples:
        image, mask = phantoms.read(sample)
        for kind, values in (("images", image), ("masks", mask * 255)):
            (root / kind / sample.label).mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(root / kind / sample.label / f"{sample.name}.png")
    return root


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda r: (r / "masks/benign/phantom_0000.png").unlink(), ["phantom_0000.png", "mask"]),
        (lambda r: (r / "images/benign/phantom_0001.png").unlink(), ["phantom_0001.png", "image"]),
        (lambda r: (r / "images/benign/phantom_0000.png").write_bytes(b""), ["empty"]),
        (
            lambda r: (r / "images/benign/phantom_0000.png").write_bytes(
                (r / "images/benign/phantom_0000.png").read_bytes()[:200]
            ),
            ["phantom_0000.png", "decode"],
        ),
        (
            lambda r: Image.fromarray(np.zeros((8, 9), np.uint8)).save(
                r / "masks/benign/phantom_0000.png"
            ),
            ["9x8", "32x32"],
        ),
        (
            lambda r: (
                Image.fromarray(np.full((32, 32), np.nan, np.float32)).save(
                    r / "images/benign/phantom_0000.tif"
                )
                or (r / "images/benign/phantom_0000.png").unlink()
            ),
            ["phantom_0000.tif", "NaN"],
        ),
    ],
    ids=["no mask", "no image", "empty", "truncated", "size", "nan"],
)
def test_bad_images_stop_training_before_it_starts(tmp_path, damage, words):
    root = _folder(tmp_path / "data set (1)")
    damage(root)
    result = tinyseg("train", "attention_unet_ds", "--data", root, "--size", 32, cwd=tmp_path)
    assert_bad_input(result, *words)
    assert not (tmp_path / "build").exists()
    checked = tinyseg("data", "check", root, cwd=tmp_path)
    assert checked.returncode == 1
    assert any(word in checked.stdout for word in words)


def test_bad_arguments(tmp_path):
    (tmp_path / "empty").mkdir()
    cases = [
        (["train", "nonet"], ["nonet", "attention_unet"]),
        (["train", "attention_unet", "--data", "nowhere"], ["nowhere"]),
        (["train", "attention_unet", "--data", "empty"], ["empty"]),
        (["train", "attention_unet", "--data", "phantom:count=x"], ["count="]),
        (["train", "attention_unet", "--data", "phantom:count=2,size=32", "--size", 32], ["split"]),
        (["train", "attention_unet", "--size", 100], ["112x112"]),
        (["train", "attention_unet", "--set", "training.epoch=2"], ["epoch"]),
        (["train", "attention_unet", "--plan", "no.yaml"], ["no.yaml"]),
        (["train", "attention_unet", "--epochs", "many"], ["many"]),
        (["quantize", "attention_unet", "--weights", "no.h5"], ["no.h5"]),
        (["quantize", "attention_unet_ds", "--recipe", "int4"], ["int4", "static_wi8_ai8"]),
        (["evaluate", "missing.tflite"], ["missing.tflite"]),
        (["data", "check", "nowhere"], ["nowhere"]),
        (["frobnicate"], ["frobnicate"]),
    ]
    for arguments, words in cases:
        assert_bad_input(tinyseg(*arguments, cwd=tmp_path), *words)
    assert not (tmp_path / "build").exists()


def test_split_file_with_duplicates_across_parts(tmp_path):
    root = _folder(tmp_path / "data")
    source = root / "images/benign/phantom_0000.png"
    (root / "images/benign/copy.png").write_bytes(source.read_bytes())
    mask = root / "masks/benign/phantom_0000.png"
    (root / "masks/benign/copy.png").write_bytes(mask.read_bytes())
    names = ["benign/phantom_0000", "benign/phantom_0001", "benign/copy"]
    split = dict(zip(("train", "validation", "test"), ([name] for name in names), strict=True))
    (tmp_path / "split.json").write_text(json.dumps(split))
    result = tinyseg(
        "train", "attention_unet_ds", "--data", root, "--size", 32, "--split", "split.json",
        cwd=tmp_path,
    )  # fmt: skip
    assert_bad_input(result, "split.json", "near-duplicates", "copy")


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
