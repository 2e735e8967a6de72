"""What the base installation does not hold, and what is said where it would be needed."""

import configparser
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.commands import assert_bad_input
from tests.in_process import tinyseg

ROOT = Path(__file__).parents[1]
OF_EXTRAS = {
    "cluster": {"ray"},
    "demo": {"starlette", "uvicorn"},
    "dicom": {"pydicom"},
    "kaggle": {"kaggle"},
    "mlflow": {"mlflow-skinny"},
    "s3": {"s3fs", "boto3", "botocore", "aiobotocore"},
    "gs": {"gcsfs"},
}
# Nothing of tinyseg needs these.
OF_NONE = {"sagemaker", "smdebug", "optuna", "submitit"}
NETWORK = "attention_unet_ds_mcu"


def asked(extra=""):
    """What this repository asks for, by its own file: the installed description may be older."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    section, key = ("options.extras_require", extra) if extra else ("options", "install_requires")
    return config[section][key].strip().splitlines()


def needs(name, extras):
    """What a distribution needs, with the extras of each; nothing if it is not installed."""
    if name == "tinyseg":
        lines = asked()
    else:
        try:
            lines = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            lines = []
    found = [Requirement(line) for line in lines]
    return {
        (plain(one.name), frozenset(one.extras))
        for one in found
        if not one.marker or any(one.marker.evaluate({"extra": extra}) for extra in extras)
    }


def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(name):
    """All that is installed with a distribution, directly or not."""
    left, seen = {(name, frozenset())}, set()
    while left:
        one = left.pop()
        seen.add(one)
        left |= needs(one[0], one[1] or ("",)) - seen
    return {name for name, _ in seen}


def test_the_base_installation_has_none_of_them():
    base = closure("tinyseg")
    assert {"tensorflow", "tf-keras"} <= base
    assert not base & set().union(*OF_EXTRAS.values(), OF_NONE)


def test_each_extra_brings_what_it_is_for():
    for extra, packages in OF_EXTRAS.items():
        found = {plain(Requirement(line).name) for line in asked(extra)}
        # fsspec's own extras bring the clients of stores.
        assert found & (packages | {"fsspec"}), extra


@pytest.fixture
def space(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text("training.learning_rate: {log: [1.0e-3, 1.0e-2]}\n")
    return path


@pytest.fixture
def scan(tmp_path):
    path = tmp_path / "images" / "scan.dcm"
    path.parent.mkdir()
    path.write_bytes(bytes(128) + b"DICM" + bytes(200))
    return path


PHANTOMS = ("--data", "phantom:count=12,size=32", "--size", 32)
# Modules that are missing, the extra that is named, and a command.
WITHOUT = {
    "tune": ("ray.tune", "cluster", ("tune", "unet", "--space", "SPACE", *PHANTOMS)),
    "serve": ("ray", "cluster", ("serve", NETWORK)),
    "demo": ("starlette.applications", "demo", ("demo", NETWORK)),
    "train --mlflow": ("mlflow", "mlflow", ("train", "unet", *PHANTOMS, "--mlflow", "runs")),
    "train -o s3": ("s3fs", "s3", ("train", "unet", *PHANTOMS, "-o", "s3://bucket/run")),
    "train --data s3": ("s3fs", "s3", ("train", "unet", "--data", "s3://bucket/images")),
    "train --data gs": ("gcsfs", "gs", ("train", "unet", "--data", "gs://bucket/images")),
    "data stage": ("s3fs", "s3", ("data", "stage", "phantom:count=4,size=32", "s3://bucket/a")),
    "predict of DICOM": ("pydicom", "dicom", ("predict", NETWORK, "SCAN")),
    "a data set of Kaggle": ("kaggle", "kaggle", ("data", "get", "busi", "-o", "FOLDER")),
}


@pytest.mark.parametrize("what", WITHOUT)
def test_what_needs_an_extra_says_which(what, tmp_path, space, scan, monkeypatch):
    module, extra, words = WITHOUT[what]
    monkeypatch.setenv("TINYSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for name in [name for name in sys.modules if name == module or name.startswith(f"{module}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    paths = {"SPACE": space, "SCAN": scan, "FOLDER": tmp_path / "to"}
    result = tinyseg(*(paths.get(word, word) for word in words))
    assert_bad_input(result, f"pip install 'tinyseg[{extra}]'")
    assert not (tmp_path / "build").exists()
