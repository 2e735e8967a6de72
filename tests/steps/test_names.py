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
