"""What the tests of tinyseg.data share."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.data.made import Made
from tests.data.makers import GREY, MASK


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """An image cache of the test's own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("TINYSEG_CACHE", str(folder))
    return folder


@pytest.fixture
def save():
    """Write an array or a Pillow image, making folders as needed."""

    def save(path, content, **options):
        path.parent.mkdir(parents=True, exist_ok=True)
        image = content if isinstance(content, Image.Image) else Image.fromarray(content)
        image.save(path, **options)
        return path

    return save


@pytest.fixture
def tree(tmp_path, save):
    """Make a folder of small images, those called mask being masks."""

    def tree(*paths):
        for path in paths:
            is_mask = "_mask" in path or path.startswith("masks")
            save(tmp_path / "set" / path, MASK * 255 if is_mask else GREY)
        return tmp_path / "set"

    return tree


@pytest.fixture
def busi_like(tmp_path, save):
    """A sound dataset in BUSI's layout: six benign and six malignant noise images, 24 x 20."""
    rng = np.random.default_rng(7)
    root = tmp_path / "Dataset (sound)"
    for label in ("benign", "malignant"):
        for number in range(1, 7):
            mask = np.zeros((20, 24), np.uint8)
            mask[2 : 2 + number, 3:9] = 255
            stem = root / label / f"{label} ({number})"
            save(stem.with_name(f"{stem.name}.png"), rng.integers(0, 256, (20, 24), np.uint8))
            save(stem.with_name(f"{stem.name}_mask.png"), mask)
    return root


@pytest.fixture(scope="session")
def real_data():
    """The folder of real images."""
    if not os.environ.get("TINYSEG_DATA"):
        pytest.skip("TINYSEG_DATA is not set")
    return Path(os.environ["TINYSEG_DATA"])


@pytest.fixture
def made(request, tmp_path):
    return Made(request.param, tmp_path / "set")
