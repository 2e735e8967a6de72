"""Networks that classify, by the commands of the README: from images to a checked file."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tests.commands import assert_bad_input, tinyseg
from tests.data.makers import make_classes
from tinyseg import files
from tinyseg.tflite import TfliteModel

SOURCE = "phantom:count=60,size=72,task=classification"
NETWORK = "custom_cnn"
SMALL = ["--size", 72, "--set", "model.arguments.base_width=8"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("classification")


@pytest.fixture(scope="module")
def trained(folder):
    result = tinyseg(
        "train", NETWORK, "--data", SOURCE, *SMALL, "--epochs", 4,
        "--set", "training.learning_rate=0.005", "--set", "training.balance=true",
        "--json", cwd=folder,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def quantized(folder, trained):
    result = tinyseg(
        "quantize", NETWORK, "--data", SOURCE, "--max-drop", 1, "--images", 4, "--json", cwd=folder
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def file(folder):
    return next(Path(folder).glob("build/**/static_wi8_ai8/custom_cnn.tflite"))


def test_training_takes_the_classes_of_the_data(folder, trained):
    scores = trained["validation"]
    classes = sorted({"benign", "malignant", "normal"})
    assert list(scores["classes"]) == classes
    assert np.array(scores["confusion"]).shape == (3, 3)
    assert np.array(scores["confusion"]).sum() == scores["images"]
    plan = files.read_json(Path(folder, trained["folder"]) / "plan.json")
    assert plan["model"]["arguments"]["classes"] == 3
    assert plan["training"]["balance"]
    history = Path(folder, trained["folder"], "history.csv").read_text()
    assert "val_accuracy" in history.splitlines()[0]


def test_integer_file_gives_the_bytes_of_the_reference(folder, quantized):
    check = quantized["verification"]
    assert check["bit_exact"]
    assert not check["unsupported_ops"]
    assert (check["tflm_images"], check["engine_images"]) == (4, quantized["data"]["test"])
    assert check["accuracy"]["int8"] == quantized["test"]["integer"]["accuracy"]
    assert check["accuracy"].keys() == check["f1"].keys() == {"float", "int8", "tflm"}
    assert quantized["task"] == "classification"
    model = TfliteModel.read(file(folder))
    assert model.outputs[0].shape == (1, 3)


def test_report_shows_confusion(folder, quantized):
    report = file(folder).with_name("report.html").read_text()
    assert "F1" in report
    assert "Dice" not in report
    assert file(folder).with_name("confusion.png").is_file()


@pytest.mark.parametrize(
    ("options", "kernels"),
    [
        ([], "tinyseg's engine"),
        (["--backend", "reference"], "TFLite reference kernels"),
        (["--backend", "tflm"], "TensorFlow Lite Micro"),
    ],
)
def test_evaluate(folder, quantized, options, kernels):
    """The scores are those of the report, on the kernels that it says, or on a board's own."""
    options = ["--data", SOURCE, "--json", *options]
    scores = json.loads(tinyseg("evaluate", file(folder), *options, cwd=folder).stdout)
    assert quantized["test"]["integer"]["kernels"] == "tinyseg's engine"
    assert scores == {**quantized["test"]["integer"], "kernels": kernels}


def test_tables_for_people(folder, quantized):
    result = tinyseg("evaluate", NETWORK, "--data", SOURCE, cwd=folder)
    assert result.returncode == 0, result.stderr
    for text in ("accuracy", "said to be normal", "F1", "malignant"):
        assert text in result.stdout


def test_verify(folder, quantized):
    result = tinyseg("verify", file(folder), "--images", 3, "--max-drop", 1, cwd=folder)
    assert result.returncode == 0, result.stderr
    assert "accuracy, tflm" in result.stdout


def test_data_for_another_task(folder):
    assert_bad_input(
        tinyseg("train", NETWORK, "--data", "phantom:count=40,size=72", *SMALL, cwd=folder),
        "images for segmentation",
        "task=classification",
    )
    assert_bad_input(
        tinyseg("train", "unet", "--data", SOURCE, "--size", 32, cwd=folder),
        "images for classification",
    )


def test_wrong_number_of_classes(folder):
    asked = ["--set", "model.arguments.classes=5"]
    assert_bad_input(
        tinyseg("train", NETWORK, "--data", SOURCE, *SMALL, *asked, cwd=folder),
        "model.arguments.classes: is 5, the images have 3 (benign, malignant, normal)",
    )


def test_images_of_other_classes_are_not_scored(folder, trained, tmp_path):
    make_classes(tmp_path / "pets")
    assert_bad_input(
        tinyseg("evaluate", trained["weights"], "--data", tmp_path / "pets", cwd=folder),
        "holds cat, dog, eel, custom_cnn was trained to distinguish benign, malignant, normal",
    )


def test_predictions_name_the_classes(folder, trained, tmp_path):
    make_classes(tmp_path / "pets")
    options = ["-o", tmp_path / "out", "--json"]
    result = tinyseg("predict", trained["weights"], tmp_path / "pets/cat", *options, cwd=folder)
    rows = json.loads(result.stdout)
    assert len(rows) == 5
    assert {row["class"] for row in rows} <= {"benign", "malignant", "normal"}


def test_only_masks_are_distilled(folder, trained):
    assert_bad_input(
        tinyseg("distill", trained["weights"], "unet", "--data", SOURCE, cwd=folder),
        "only networks for segmentation",
    )


@pytest.mark.slow
@pytest.mark.skipif("TINYSEG_DATA" not in os.environ, reason="TINYSEG_DATA is not set")
def test_brain_tumours(tmp_path):
    """Learned from ``Training``, tested on ``Testing``, of which no image was seen before."""
    root = Path(os.environ["TINYSEG_DATA"]) / "brain_mri_cls"
    options = ["--data", root / "Training", "--epochs", 40, "--seed", 0]
    trained = tinyseg("train", NETWORK, *options, "--json", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    weights = json.loads(trained.stdout)["weights"]
    tested = tinyseg(
        "evaluate", weights, "--data", root / "Testing", "--part", "all", "--json", cwd=tmp_path
    )
    assert json.loads(tested.stdout)["accuracy"] >= 0.8
