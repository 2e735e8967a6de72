"""SageMaker's contract on this machine: folders in, model and failure out."""

import json
import os

import pytest

from tests.cloud.opt_ml import lay_out, put_images
from tinyseg.cloud.container import command
from tinyseg.cloud.sagemaker import read_job, run_job, served_file
from tinyseg.errors import InputError
from tinyseg.training.leaving import Left

SMALL = {
    "model": "unet",
    "model.arguments.base_width": 2,
    "model.arguments.depth": 1,
    "size": 32,
    "preprocessing.channels": "1",
    "training.augment": "false",
    "epochs": 2,
    "batch_size": "4",
    "lr": "1e-3",
    "recipe": "none",
    "sagemaker_program": '"x.py"',
    "_tuning_objective_metric": "dice",
}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYSEG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path):
    return tmp_path / "ml"


def test_hyperparameters_are_text(root):
    lay_out(root, {**SMALL, "stop_on": "dead_relu,all_zero"})
    put_images(root, 1, 32)
    job = read_job(root)
    assert job.model == "unet"
    assert job.changes == {
        "model.arguments.base_width": 2,
        "model.arguments.depth": 1,
        "preprocessing.height": 32,
        "preprocessing.width": 32,
        "preprocessing.channels": 1,
        "training.augment": False,
        "training.epochs": 2,
        "training.batch_size": 4,
        "training.learning_rate": 1e-3,
        "data.source": str(root / "input/data/training"),
    }
    assert (job.recipe, job.watch, job.stop_on) == ("", "calm", ("dead_relu", "all_zero"))


def test_a_job_leaves_its_model_and_goes_on_after_an_interruption(root, monkeypatch):
    lay_out(root, SMALL)
    put_images(root, 16, 32)
    from tinyseg.training.leaving import Leave

    def end(self, epoch, logs=None):
        raise Left(self._folder, 15, epoch + 1, 0)

    with monkeypatch.context() as patch:
        patch.setattr(Leave, "on_epoch_end", end)
        with pytest.raises(Left):
            run_job(root)
    assert not (root / "output/failure").exists()
    run_job(root)
    names = {path.name for path in (root / "model").iterdir()}
    assert {"weights.h5", "plan.json", "history.csv", "split.json", "rules.json"} <= names
    epochs = (root / "model/history.csv").read_text().splitlines()[1:]
    assert [line.partition(",")[0] for line in epochs] == ["1", "2"]


FAILURES = {
    "no channel": ({}, "no channel 'training'"),
    "unknown network": ({"model": "no_such_net"}, "no_such_net"),
    "unknown key": ({"training.epoch": 1}, "unknown key 'epoch'"),
    "unknown rule": ({"stop_on": "dead", "data": "phantom"}, "no rule 'dead'"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_what_went_wrong_is_written_in_one_line(name, root):
    changes, words = FAILURES[name]
    lay_out(root, {**SMALL, "data": "phantom", **changes})
    if name == "no channel":
        (root / "input/config/hyperparameters.json").write_text("{}")
    with pytest.raises(InputError):
        run_job(root)
    text = (root / "output/failure").read_text()
    assert words in text
    assert "\n" not in text
    assert not any((root / "model").iterdir())


def test_files_that_are_no_json(root):
    lay_out(root, SMALL)
    (root / "input/config/hyperparameters.json").write_text("[1]")
    with pytest.raises(InputError, match="is no JSON object"):
        read_job(root)


def test_channels(root):
    lay_out(root, {"data": "images"})
    put_images(root, 1, 32, "images")
    put_images(root, 1, 32, "other")
    assert read_job(root).changes["data.source"] == str(root / "input/data/images")
    config = root / "input/config/inputdataconfig.json"
    config.write_text(json.dumps({"images": {"TrainingInputMode": "Pipe"}}))
    with pytest.raises(InputError, match="mode Pipe is not read"):
        read_job(root)


def test_rules_that_end_a_job_are_for_one_host(root):
    lay_out(root, {**SMALL, "stop_on": "dead_relu"}, hosts=("algo-1", "algo-2"))
    put_images(root, 1, 32)
    with pytest.raises(InputError, match="stop_on: is for one host"):
        run_job(root)


def test_what_a_container_runs(root):
    lay_out(root, SMALL)
    variables = {"TINYSEG_ML_ROOT": str(root), "SAGEMAKER_BIND_TO_PORT": "9000"}
    assert command(["train"], variables) == ["sagemaker-train", "--root", str(root)]
    assert command(["zoo", "unet"], {}) == ["zoo", "unet"]
    with pytest.raises(InputError, match=r"has to hold one \.tflite file, and holds none"):
        command(["serve"], variables)
    file = root / "model/integers/a.tflite"
    file.parent.mkdir()
    file.write_bytes(b"")
    assert served_file(root) == file
    arguments = ["--host", "0.0.0.0", "--port", "9000", "--replicas", f"1:{os.cpu_count()}"]
    assert command(["serve"], variables) == ["serve", str(file), *arguments]


@pytest.mark.slow
def test_a_job_leaves_a_file_for_the_endpoint(root):
    lay_out(root, {"model": "unet", "model.arguments.base_width": 8, "model.arguments.depth": 2,
                   "size": 64, "preprocessing.channels": 1, "epochs": 12, "lr": 3e-3})  # fmt: skip
    put_images(root, 120, 64)
    run_job(root)
    assert served_file(root).name == "unet.tflite"
