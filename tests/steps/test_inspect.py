"""The verb that looks inside a trained network."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.commands import assert_bad_input, tinyseg
from tests.data.makers import make_brats_h5
from tests.zoo.contract import make
from tinyseg.steps.inspect import first_kernel

PHANTOM = ["--data", "phantom:count=20,size=32"]
SMALL = ["--size", 32, "--set", "model.arguments.base_width=4", "--set", "model.arguments.depth=2"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inspected")
    options = ["--epochs", 2, "--set", "training.attention_maps=true", "-o", "run"]
    trained = tinyseg("train", "attention_unet_ds", *PHANTOM, *SMALL, *options, cwd=folder)
    assert trained.returncode == 0, trained.stderr
    return folder


def test_everything_of_a_network_with_gates(run):
    result = tinyseg("inspect", "run/weights.h5", "--images", 3, "-o", "out", "--json", cwd=run)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert len(found["images"]) == 3
    assert len(found["gates"]) == 2
    assert found["epochs"] == [1, 2]
    with Image.open(run / "out/attention.gif") as animation:
        assert animation.n_frames == 2
    page = (run / "out/inside.html").read_text()
    # Nothing but the page is needed to read it.
    assert page.count("data:image/") == len(found["pictures"]) == 3
    assert "http" not in page
    assert {Path(p).name for p in found["pictures"]} == {
        "filters.png", "panels.jpg", "attention.gif",
    }  # fmt: skip


def test_attention_of_other_data_is_not_that_of_training(run):
    other = ["--data", "phantom:count=20,size=32,seed=7", "-o", "other", "--json"]
    result = tinyseg("inspect", "run/weights.h5", *other, cwd=run)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["epochs"] == []
    with Image.open(run / "other/attention.gif") as animation:
        assert animation.n_frames == 1


def test_refused_training_takes_no_folder(tmp_path):
    options = [*PHANTOM, *SMALL, "--epochs", 1, "-o", "run"]
    watched = ["--set", "training.attention_maps=true"]
    refused = tinyseg("train", "unet", *options, *watched, cwd=tmp_path)
    assert_bad_input(refused, "no attention gates", "training.attention_maps")
    assert not (tmp_path / "run").exists()


def test_volume_of_a_patient(tmp_path):
    make_brats_h5(tmp_path / "h5")
    source = f"{tmp_path / 'h5'}:slices=1"
    sizes = ["--size", 16, "--set", "preprocessing.channels=4", "--epochs", 1, "-o", "run"]
    narrow = ["--set", "model.arguments.base_width=2", "--set", "model.arguments.depth=2"]
    trained = tinyseg("train", "classic_unet", "--data", source, *sizes, *narrow, cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    options = ["run/weights.h5", "--part", "all", "--images", 2, "-o", "out"]
    result = tinyseg("inspect", *options, "--volume", "volume_2", "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    with Image.open(tmp_path / "out/volume.gif") as animation:
        assert animation.n_frames == 4
    assert_bad_input(
        tinyseg("inspect", *options, "--volume", "nobody", cwd=tmp_path),
        "no such patient",
        "volume_1",
    )


def test_bad_input(run):
    file = run / "model.tflite"
    shipped = Path(__file__).parents[2] / "models/attention_unet_ds_256k/phantom"
    file.write_bytes((shipped / "attention_unet_ds_256k.tflite").read_bytes())
    assert_bad_input(tinyseg("inspect", file, cwd=run), "model.tflite", "network's weights")
    assert_bad_input(tinyseg("inspect", "nothing.h5", cwd=run), "nothing.h5", "no such file")


@pytest.mark.parametrize(
    ("name", "shape"),
    [("unet", (3, 3, 3, 4)), ("attention_unet_ds", (3, 3, 3, 4)), ("custom_cnn", (9, 9, 3, 4))],
)
def test_first_kernel(name, shape):
    side = 69 if name == "custom_cnn" else 32
    model = make(name, (side, side, 3), base_width=4)
    kernel = first_kernel(model)
    assert kernel.shape == shape
    assert np.ptp(kernel) > 0
