"""What the tests of tinyseg.steps share."""

import json

import cv2
import numpy as np
import pytest

from tests.commands import tinyseg
from tests.steps.foreign import AREA
from tests.steps.transfer import SOURCE, ok


@pytest.fixture
def foreign_home(tmp_path, monkeypatch, tmp_path_factory):
    """Files lie in a folder of each test; decoded images are shared."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TINYSEG_CACHE", str(tmp_path_factory.getbasetemp() / "foreign"))


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """A bright disk of 697 pixels."""
    rows, columns = np.mgrid[:64, :64]
    inside = (columns - 30) ** 2 + (rows - 34) ** 2 < 15**2
    assert inside.sum() == AREA
    path = tmp_path_factory.mktemp("disk") / "disk.png"
    cv2.imwrite(str(path), np.where(inside, 200, 60).astype(np.uint8))
    return path


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """A folder with a trained teacher and a student of two epochs for each phase."""
    folder = tmp_path_factory.mktemp("transfer")
    trained = tinyseg(
        "train", "unet", "--data", SOURCE, "--size", 32, "--epochs", 1,
        "--set", "model.arguments.base_width=4", "--set", "model.arguments.depth=1", cwd=folder,
    )  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    distilled = tinyseg(
        "distill", "unet", "lw_unet", "--data", SOURCE, "--epochs", 1, "--json",
        "--set", "distillation.encoder_epochs=2", "--set", "distillation.decoder_epochs=1",
        cwd=folder,
    )  # fmt: skip
    (folder / "distilled.json").write_text(json.dumps(ok(distilled)))
    return folder
