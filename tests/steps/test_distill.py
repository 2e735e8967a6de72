"""Distillation and binarization of whole runs, from the command line to the report of sizes."""

import csv
import dataclasses
import json
from unittest import mock

import pytest

from tests.commands import assert_bad_input
from tests.steps.transfer import SOURCE, built, ok, run
from tinyseg import plan as plans
from tinyseg.errors import InputError
from tinyseg.steps import distill as distilling
from tinyseg.steps.distill import distill, teachers_of
from tinyseg.steps.networks import successor
from tinyseg.steps.session import Session
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.packing import is_packed, packed_bits
from tinyseg.training import loop as training

HINTED = ("encoder", "decoder")


@pytest.fixture(scope="module")
def binarized(home):
    result = run(
        "binarize", "lw_unet", "--data", SOURCE, "--epochs", 1, "--json",
        "--set", "model.arguments.positive=true", cwd=home,
    )  # fmt: skip
    return ok(result)


def rows(folder):
    with (folder / "history.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_distillation_has_three_phases(home):
    folder = built(home, "lw_unet")
    result = json.loads((home / "distilled.json").read_text())
    assert set(result) == {"folder", "weights", "hints", "validation"}
    assert {hint["phase"] for hint in result["hints"]} == set(HINTED)
    assert len(result["hints"]) == 4 + 3 + 1
    assert [len(rows(folder / phase)) for phase in (*HINTED, "")] == [2, 1, 1]
    plan = plans.beside(folder / "weights.h5")
    assert plan.model == plans.ModelPlan("lw_unet", {"base_width": 4, "depth": 1})
    assert plan.distillation.method == "hints"
    assert plan.distillation.teacher_sha256 == plans.files.sha256(home / plan.distillation.teacher)
    assert (folder / "split.json").read_bytes() == (built(home, "unet") / "split.json").read_bytes()
    assert result["validation"]["images"] > 0


def test_distilled_network_is_evaluated_by_name(home):
    scores = ok(run("evaluate", "lw_unet", "--data", SOURCE, "--json", cwd=home))
    assert 0 <= scores["dice"] <= 1


@pytest.fixture
def student(home, tmp_path, monkeypatch):
    """A plan for the same student, its teacher, and a folder for it."""
    monkeypatch.setenv("TINYSEG_CACHE", str(home / "cache"))
    monkeypatch.chdir(home)
    teacher = Session.open("unet", SOURCE)
    changes = {
        "distillation.method": "hints",
        "distillation.teacher": str(teacher.path),
        "distillation.encoder_epochs": 2,
        "distillation.decoder_epochs": 1,
        "training.epochs": 1,
    }
    return successor(teacher.plan, "lw_unet", changes), teacher, tmp_path / "run"


def test_interrupted_run_goes_on_where_it_stopped(home, student, monkeypatch):
    """First within the encoder's phase, then between the last two."""
    *_, folder = student
    after = training.TrainingState.on_epoch_end

    def in_epoch(self, epoch, logs=None):
        after(self, epoch, logs)
        raise KeyboardInterrupt

    def at_once(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training.TrainingState, "on_epoch_end", in_epoch)
        with pytest.raises(KeyboardInterrupt):
            distill(*student)
    (first,) = rows(folder / "encoder")
    with monkeypatch.context() as patch:
        patch.setattr(training, "train_network", at_once)
        with pytest.raises(KeyboardInterrupt):
            distill(*student)
    assert rows(folder / "encoder")[0] == first
    assert not (folder / "weights.h5").exists()
    before = {phase: (folder / phase / "history.csv").stat().st_mtime_ns for phase in HINTED}
    distill(*student)
    for phase, time in before.items():
        # What is written again is the plan, not the epochs.
        assert (folder / phase / "history.csv").stat().st_mtime_ns == time
    whole = built(home, "lw_unet")
    for phase in (*HINTED, ""):
        one, other = ([float(row["loss"]) for row in rows(p / phase)] for p in (whole, folder))
        assert other == pytest.approx(one, rel=2e-2, abs=2e-3)


def test_folder_of_another_run_is_refused(home, student):
    plan, teacher, _ = student
    other = dataclasses.replace(plan, seed=7)
    with pytest.raises(InputError, match="other settings"):
        distill(other, teacher, built(home, "lw_unet"))


def test_hints_of_the_encoder_alone_can_be_chosen(student):
    plan, teacher, folder = student
    hints = {"bottleneck_conv2": "bottleneck_conv2"}
    settings = dataclasses.replace(plan.distillation, hints=hints)
    result = distill(dataclasses.replace(plan, distillation=settings), teacher, folder)
    assert [hint.student for hint in result.hints] == ["bottleneck_conv2"]


def test_soft_masks(home, tmp_path):
    result = ok(
        run(
            "distill", "unet", "attention_unet_ds", "--data", SOURCE, "--method", "soft_masks",
            "--epochs", 1, "--json", "-o", tmp_path / "soft",
            "--set", "model.arguments.base_width=2", cwd=home,
        )
    )  # fmt: skip
    assert not (tmp_path / "soft" / "encoder").exists()
    (row,) = rows(tmp_path / "soft")
    assert {"loss", "val_loss", "val_image_dice"} <= set(row)
    plan = plans.beside(tmp_path / "soft" / "weights.h5")
    assert plan.model.arguments["base_width"] == 2
    assert plan.distillation.method == "soft_masks"
    assert result["validation"]["images"] > 0


def test_soft_masks_after_hints(home, tmp_path):
    ok(
        run(
            "distill", "unet", "lw_unet", "--data", SOURCE, "--method", "hints_and_soft_masks",
            "--epochs", 1, "--json", "-o", tmp_path / "both",
            "--set", "distillation.encoder_epochs=1", "--set", "distillation.decoder_epochs=1",
            "--set", "distillation.teacher_weight=0.9",
            "--set", f"distillation.ensemble=[{built(home, 'unet') / 'weights.h5'}]", cwd=home,
        )
    )  # fmt: skip
    for folder in (*HINTED, "."):
        assert len(rows(tmp_path / "both" / folder)) == 1
    settings = plans.beside(tmp_path / "both" / "weights.h5").distillation
    assert settings.teacher_weight == 0.9
    assert settings.ensemble_sha256 == (settings.teacher_sha256,)
    # Quantization-aware training goes on with the teachers.
    with mock.patch.object(distilling, "learn_masks", wraps=distilling.learn_masks) as learn:
        run(
            "quantize", "lw_unet", "--data", SOURCE, "--weights", tmp_path / "both/weights.h5",
            "--recipe", "qat_wi8_ai8", "--set", "quantization.epochs=1", "--max-drop", 1,
            "--images", 1, "--no-profile", "-o", tmp_path / "int8", cwd=home,
        )  # fmt: skip
    (call,) = learn.call_args_list
    assert [teacher.name for teacher in call.args[1]] == ["unet", "unet"]


def test_teachers_that_are_gone_or_changed_are_done_without(student, caplog):
    plan, teacher, folder = student
    settings = dataclasses.replace(
        plan.distillation, method="soft_masks", teacher_sha256="of another file"
    )
    assert teachers_of(dataclasses.replace(plan, distillation=settings)) == []
    assert settings.teacher in caplog.text
    settings = dataclasses.replace(settings, ensemble=("gone/weights.h5",))
    with pytest.raises(InputError, match="gone"):
        distill(dataclasses.replace(plan, distillation=settings), teacher, folder)


def test_hints_come_from_one_teacher(student):
    plan, teacher, folder = student
    settings = dataclasses.replace(plan.distillation, ensemble=("other/weights.h5",))
    with pytest.raises(InputError, match=r"distillation\.ensemble"):
        distill(dataclasses.replace(plan, distillation=settings), teacher, folder)


def test_dry_run_prints_the_plan_and_writes_nothing(home):
    plan = ok(run("distill", "unet", "attention_unet", "--data", SOURCE, "--dry-run", cwd=home))
    assert plan["distillation"]["method"] == "hints"
    assert plan["distillation"]["teacher"].endswith("weights.h5")
    assert plan["model"]["arguments"] == {"base_width": 4, "depth": 1}
    assert plan["preprocessing"]["height"] == 32
    plan = ok(run("binarize", "unet", "--data", SOURCE, "--dry-run", cwd=home))
    assert plan["model"]["name"] == "blu_net"
    assert plan["binarization"]["source"].endswith("weights.h5")
    assert plan["distillation"]["method"] == "none"
    assert not (home / "build" / "attention_unet").exists()


def test_binarize(home, binarized):
    assert set(binarized) == {"folder", "weights", "start", "validation"}
    plan = plans.beside(home / binarized["weights"])
    assert plan.model.arguments == {"base_width": 4, "depth": 1, "positive": True}
    assert plan.binarization.source_sha256 == plans.files.sha256(home / plan.binarization.source)
    assert plan.distillation == plans.DistillationPlan()
    assert binarized["start"]["images"] == binarized["validation"]["images"]


@pytest.fixture(scope="module")
def quantized(home, binarized):
    """Both steps of the chain as integer files."""
    options = ["--data", SOURCE, "--no-profile", "--max-drop", 1, "--images", 2, "--json"]
    blu = run("quantize", "blu_net", *options, cwd=home)
    three = run("quantize", "lw_unet", "--weights-bits", 3, "--set", "quantization.epochs=1",
                    *options, cwd=home)  # fmt: skip
    return {"blu_net": blu, "lw_unet": three}


def test_quantized_binarized_network(home, quantized):
    values = json.loads(quantized["blu_net"].stdout)
    assert values["verification"]["bit_exact"]
    assert values["verification"]["unsupported_ops"] == []
    assert (quantized["blu_net"].returncode == 0) == (not values["failures"])
    model = TfliteModel.read(built(home, "blu_net", "static_wi8_ai8") / "blu_net.tflite")
    assert "GATHER" in model.opcodes
    assert bool(values["packing"]) == is_packed(model)


def test_clustered_network(home, quantized):
    values = json.loads(quantized["lw_unet"].stdout)
    assert values["recipe"] == "qat_wi8_ai8"
    assert values["verification"]["bit_exact"]
    folder = built(home, "lw_unet", "qat_wi8_ai8_packed3")
    assert plans.read(folder / "plan.json").quantization.weight_bits == 3
    model = TfliteModel.read(folder / "lw_unet.tflite")
    assert set(packed_bits(model).values()) <= {3}
    for operator in model.operators:
        if operator.opcode == "CONV_2D" and operator.inputs[1].constant:
            assert max(len(set(c.ravel().tolist())) for c in operator.inputs[1].array()) <= 8


def test_report_of_runs(home, quantized):
    assert quantized
    folders = [
        built(home, "lw_unet", "qat_wi8_ai8_packed3"),
        built(home, "blu_net", "static_wi8_ai8"),
    ]
    light, binary = ok(run("report", *folders, "--json", cwd=home))
    assert set(light) == set(binary) == {
        "name", "trained", "parameters", "binary_bits", "float_parameters", "formula_mebibytes",
        "float_bytes", "int8_bytes", "packed_bytes", "arena_bytes", "iou", "formula_ratio",
        "file_ratio",
    }  # fmt: skip
    assert (light["name"], binary["name"]) == ("lw_unet", "blu_net")
    assert (light["trained"], light["binary_bits"], light["formula_ratio"]) == (True, 0, 1)
    assert binary["formula_ratio"] > 3
    for row, folder in zip((light, binary), folders, strict=True):
        size = (folder / f"{row['name']}.tflite").stat().st_size
        assert size == (row["packed_bytes"] or row["int8_bytes"])
        assert row["file_ratio"] == pytest.approx(light["float_bytes"] / size)
        assert set(row["iou"]) == {"float", "integer"}
    table = run("report", *folders, cwd=home)
    assert table.returncode == 0
    assert "blu_net" in table.stdout


def test_folders_without_a_report_are_named(home, tmp_path):
    assert_bad_input(run("report", tmp_path, cwd=home), "report.json", "tinyseg quantize")
    (tmp_path / "report.json").write_text("{")
    assert_bad_input(run("report", tmp_path, cwd=home), "report.json")
    assert_bad_input(run("report", "nonet", cwd=home), "nonet", "blu_net")
