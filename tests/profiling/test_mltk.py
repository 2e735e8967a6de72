"""Profiles: what we make of MLTK's answers, and MLTK itself where it is installed."""

import csv
import dataclasses
import json
import sys
from pathlib import Path

import pytest

import tinyseg
from tests import fixtures
from tests.fixtures import Draft, one_operator
from tests.profiling.mltk_files import refusal, single
from tinyseg.errors import InputError
from tinyseg.profiling import mltk
from tinyseg.profiling.roofline import CORES, bound_cycles
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.ops.registry import cost, total_cost


@pytest.fixture(scope="module")
def model():
    return TfliteModel.parse(fixtures.quantized(), "models/my model.tflite")


# Stands in for the interpreter of MLTK's environment: called like it, it leaves what the
# worker would leave, and what it was given.
STAND_IN = """#!{python}
import json, os, sys, time
from pathlib import Path

_, option, worker, source, report, record, *rest = sys.argv
seen = {{"option": option, "worker": worker, "source": source, "rest": rest,
        "bytes": len(Path(source).read_bytes()), "environment": dict(os.environ)}}
Path({seen!r}).write_text(json.dumps(seen))
time.sleep({delay})
if (answer := {answer!r}) is not None:
    Path(report).write_text("MLTK's report")
    Path(record).write_text({answer!r})
sys.exit({status})
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Put a program in MLTK's place that gives a prepared answer."""

    def stand_in(answer, status=0, delay=0):
        program, seen = tmp_path / "python", tmp_path / "seen.json"
        answer = answer if answer is None or isinstance(answer, str) else json.dumps(answer)
        program.write_text(
            STAND_IN.format(
                python=sys.executable, seen=str(seen), answer=answer, status=status, delay=delay
            )
        )
        program.chmod(0o755)
        monkeypatch.setenv("TINYSEG_MLTK_PYTHON", str(program))
        return lambda: json.loads(seen.read_text())

    return stand_in


def layers_of(model, **changes):
    """What the worker would answer for a model's operators."""
    layers = []
    for operator in model.operators:
        work = cost(operator)
        layer = {
            "index": operator.index, "opcode": operator.opcode.lower(), "ops": work.ops,
            "macs": work.macs, "cycles": None, "accelerator_cycles": None, "energy_j": None,
            "time_s": None, "inputs": "1x4,1x4", "outputs": "1x4", "options": "Type=none",
            "supported": True, "error_msg": None,
        }  # fmt: skip
        layers.append({**layer, **changes})
    return layers


def answer_of(layers):
    return {"flash_bytes": 1, "ram_bytes": 2, "mltk_version": "0.20.0", "layers": layers}


def test_layers_get_names_bounds_and_totals(model, stand_in):
    stand_in(answer_of(layers_of(model)))
    record, report = mltk.profile(model)
    assert report == "MLTK's report"
    assert (record["flash_bytes"], record["ram_bytes"]) == (1, 2)
    assert [layer["layer"] for layer in record["layers"][:2]] == ["encoder1_conv1"] * 2
    assert record["layers"][-1]["layer"] == "mask"
    for layer, operator in zip(record["layers"], model.operators, strict=True):
        assert layer["bound_cycles"] == {k: bound_cycles(operator, c) for k, c in CORES.items()}
    assert (record["macs"], record["ops"]) == dataclasses.astuple(total_cost(model))
    for core in CORES:
        bounds = [layer["bound_cycles"][core] for layer in record["layers"]]
        assert record["bound_cycles"][core] == sum(bounds)


def test_what_the_worker_is_given(model, stand_in, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere/else")
    seen = stand_in(answer_of(layers_of(model)))
    mltk.profile(model, "MVP")
    given = seen()
    assert given["option"] == "-P"
    assert Path(given["worker"]).name == "mltk_worker.py"
    assert Path(given["source"]).name == "my model.tflite"
    assert given["bytes"] == len(model.content)
    assert given["rest"] == ["MVP"]
    # This environment's packages must not leak into MLTK's.
    assert "PYTHONPATH" not in given["environment"]
    assert not Path(given["source"]).exists()


@pytest.mark.parametrize(
    ("cycles", "estimate"),
    [(None, "none"), (0, "none"), (36_864, "mltk"), (1_000_000, "mltk"), (36_863, "implausible")],
)
def test_estimates_are_judged_by_the_ceiling_of_the_core(cycles, estimate, stand_in, model):
    """A Cortex-M33 does two MACs a cycle: 73,728 of them need 36,864 cycles."""
    (operator,) = [op for op in model.operators if cost(op).macs == 73_728][:1]
    layers = layers_of(model)
    layers[operator.index]["cycles"] = cycles
    stand_in(answer_of(layers))
    record, _ = mltk.profile(model)
    assert record["layers"][operator.index]["estimate"] == estimate
    assert record["cycles"] == (cycles or None)
    assert record["layers_without_estimate"] == len(layers) - bool(cycles)


def test_cycles_add_up_over_the_layers_that_have_them(stand_in, model):
    layers = layers_of(model)
    layers[0]["cycles"], layers[5]["cycles"] = 100_000, 234_567
    stand_in(answer_of(layers))
    record, _ = mltk.profile(model)
    assert record["cycles"] == 334_567


def test_unsupported_layers_are_counted(stand_in, model):
    layers = layers_of(model)
    for index in (1, 4, 7):
        layers[index]["supported"] = False
    stand_in(answer_of(layers))
    assert mltk.profile(model)[0]["unsupported_layers"] == 3


def huge_convolution():
    """64 filters of 3x3x64 at 1024x1024 places: 38,654,705,664 MACs, more than 32 bits hold."""
    image, weights = Draft([1, 1024, 1024, 64]), Draft([64, 3, 3, 64])
    return TfliteModel.parse(one_operator("CONV_2D", [image, weights], image))


def test_counts_that_overflowed_32_bits_are_restored(stand_in):
    model = huge_convolution()
    macs = 9 * 64 * 64 * 1024 * 1024
    ops = 2 * macs + 64 * 1024 * 1024
    stand_in(answer_of(layers_of(model, macs=macs % 2**32, ops=ops % 2**32)))
    record, _ = mltk.profile(model)
    assert (record["macs"], record["ops"]) == (macs, ops)


def test_counts_that_disagree_are_left_as_mltk_gave_them(stand_in):
    stand_in(answer_of(layers_of(single(), macs=5, ops=7)))
    record, _ = mltk.profile(single())
    assert (record["macs"], record["ops"]) == (5, 7)


def test_missing_layers_are_an_error(stand_in, model):
    stand_in(answer_of(layers_of(model)[:-1]))
    assert f"saw {len(model.operators) - 1}" in refusal(model)


def test_mltk_s_own_reason_is_quoted(stand_in):
    stand_in({"error": "RuntimeError: Failed to load .tflite model flatbuffer" + "x" * 999}, 1)
    assert "MLTK cannot profile it (RuntimeError: Failed to load" in refusal(single())


@pytest.mark.parametrize("answer", [None, ""])
def test_crash_of_mltk_is_contained(stand_in, answer):
    stand_in(answer, status=139)
    assert "crashed with status 139" in refusal(single())


def test_mltk_that_never_answers(stand_in, monkeypatch):
    monkeypatch.setattr(mltk, "TIMEOUT_S", 0.5)
    stand_in(None, delay=20)
    assert "took more than 0.5 s" in refusal(single())


def test_missing_environment_tells_how_to_make_it(monkeypatch, tmp_path):
    monkeypatch.setenv("TINYSEG_MLTK_PYTHON", str(tmp_path / "nowhere"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tinyseg, "__file__", str(tmp_path / "tinyseg" / "__init__.py"))
    with pytest.raises(InputError, match="make mltk"):
        mltk.mltk_python()
    with pytest.raises(InputError, match="make mltk"):
        mltk.profile(single())
    assert mltk.REQUIREMENTS.is_file()


def test_environment_is_found_in_the_current_folder(monkeypatch, tmp_path):
    python = tmp_path / ".venv-mltk" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    monkeypatch.delenv("TINYSEG_MLTK_PYTHON", raising=False)
    monkeypatch.chdir(tmp_path)
    assert mltk.mltk_python() == python


def test_files_that_are_written(stand_in, model, tmp_path):
    layers = layers_of(model)
    layers[1]["cycles"] = 20_000
    stand_in(answer_of(layers))
    record, report = mltk.profile(model)
    paths = mltk.write(record, report, tmp_path / "new folder", "net")
    assert [path.name for path in paths] == [
        "net.tflite-profiling-results.txt",
        "net.profile.json",
        "net.profile.csv",
    ]
    assert paths[0].read_text() == report
    assert json.loads(paths[1].read_text()) == record
    header, *rows = csv.reader(paths[2].read_text().splitlines())
    assert header == [
        "index", "opcode", "layer", "ops", "macs", "cycles", "estimate", "energy_j", "time_s",
        "inputs", "outputs", "options", "supported", "bound_cycles_cortex_m4",
        "bound_cycles_cortex_m33", "bound_cycles_cortex_m7", "bound_cycles_cortex_m55",
    ]  # fmt: skip
    assert len(rows) == len(model.operators)
    # The first layer: 32 * 32 * 3 outputs of 3x3 MACs, and a bias each.
    first = dict(zip(header, rows[0], strict=True))
    assert (first["macs"], first["ops"]) == ("27648", "58368")
    assert (first["index"], first["opcode"]) == ("0", "depthwise_conv_2d")
    assert first["layer"] == "encoder1_conv1"
    # Half of the MACs on a core that does two a cycle; no estimate is an empty field, not 0.
    assert first["bound_cycles_cortex_m4"] == "13824"
    assert (first["cycles"], first["energy_j"], first["estimate"]) == ("", "", "none")
    # Commas within a field stay there.
    assert first["inputs"] == "1x4,1x4"
    assert dict(zip(header, rows[1], strict=True))["cycles"] == "20000"


def test_what_mltk_said_last_is_quoted(tmp_path, monkeypatch):
    program = tmp_path / "python"
    program.write_text(
        "#!/bin/sh\necho 'Traceback' >&2\necho 'ImportError: no numpy' >&2\nexit 1\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("TINYSEG_MLTK_PYTHON", str(program))
    assert refusal(single()).endswith("MLTK cannot profile it (ImportError: no numpy)")
