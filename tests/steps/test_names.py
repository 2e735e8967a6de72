"""A network is named alone, with the data that it learned from, or as a file: by every verb."""

import json

import cv2
import numpy as np
import pytest

from tests.in_process import tinyseg
from tinyseg import presets
from tinyseg.errors import InputError
from tinyseg.places import models_folders
from tinyseg.steps.names import find_tflite, find_weights, parted
from tinyseg.steps.session import Session

NETWORK = "attention_unet_ds_256k"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_name_is_parted_once():
    assert parted(NETWORK) == (NETWORK, None)
    assert parted(f"{NETWORK}/") == (NETWORK, None)
    assert parted(f"{NETWORK}/a/b") == (NETWORK, "a/b")
    with pytest.raises(InputError, match=r"^runs: no such network"):
        parted("runs/mine")
    with pytest.raises(InputError, match=r"^/a/mine: no such network"):
        parted("/a/mine")


@pytest.mark.parametrize("verb", ["train", "publish", "report"])
@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("a/mine.keras", "'tinyseg quantize a/mine.keras --recipe qat_wi8_ai8'"),
        ("mine.h5", "'tinyseg quantize mine.h5 --recipe qat_wi8_ai8'"),
        ("/a/mine.tflite", "is a .tflite file; give the network that it was made of"),
    ],
)
def test_verbs_on_networks_of_the_zoo_say_what_takes_others(verb, name, cure):
    run = tinyseg(verb, name)
    assert run.returncode == 2
    assert run.stderr.startswith(f"tinyseg: {name}: ")
    assert cure in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_quantize_takes_no_integers():
    run = tinyseg("quantize", "/a/mine.tflite")
    assert (run.returncode, run.stdout) == (2, "")
    assert "/a/mine.tflite: is a .tflite file; give the network" in run.stderr


@pytest.mark.parametrize("data", ["busi", "phantom"])
def test_the_data_of_the_name_choose(data):
    home = models_folders()[-1] / NETWORK / data
    assert find_weights(f"{NETWORK}/{data}", "elsewhere").samefile(home / presets.WEIGHTS)
    integers = find_tflite(f"{NETWORK}/{data}", None, "static_wi8_ai8")
    assert integers.samefile(home / f"{NETWORK}.tflite")
    assert Session.open(f"{NETWORK}/{data}").plan.data.source == data
    assert Session.open_file(f"{NETWORK}/{data}").plan.data.source == data
    assert Session.to_quantize(f"{NETWORK}/{data}").plan.data.source == data


def test_images_may_be_others_than_those_of_the_name():
    session = Session.to_quantize(f"{NETWORK}/busi", "phantom")
    assert (session.trained.data.source, session.plan.data.source) == ("busi", "phantom")


def test_data_that_it_did_not_learn_from_are_refused():
    for find in (find_weights, lambda name: find_tflite(name, None, "static_wi8_ai8")):
        with pytest.raises(InputError, match="lw_unet was trained on busi only"):
            find("lw_unet/phantom")


def test_a_folder_of_the_same_name_hides_nothing(folder):
    (folder / NETWORK / "busi").mkdir(parents=True)
    assert find_tflite(NETWORK, "busi", "static_wi8_ai8").parent.name == "busi"
    assert find_tflite(f"{NETWORK}/busi", None, "static_wi8_ai8").is_file()


def test_verbs_take_such_names():
    name = f"{NETWORK}/busi"
    cv2.imwrite("image.png", np.random.default_rng(0).integers(0, 256, (40, 60), np.uint8))
    for verb in (
        ("memory", name),
        ("lower", name, "-o", "lowered.tflite"),
        ("fit", name, "--ram", "1M", "--flash", "1M"),
        ("predict", name, "image.png"),
        ("export-c", name),
    ):
        result = tinyseg(*verb, "--json")
        assert result.returncode == 0, result.stderr
        assert json.loads(result.stdout)
    refused = tinyseg("verify", "lw_unet/phantom")
    assert refused.returncode == 2
    assert refused.stderr.startswith("tinyseg: lw_unet/phantom: lw_unet was trained on busi only")
