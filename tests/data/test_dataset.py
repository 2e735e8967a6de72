import shutil

import numpy as np
import pytest
from PIL import Image

from tests.data.makers import GREY, names
from tinyseg.data import find, load
from tinyseg.errors import InputError

# load() and find()


def test_busi_by_name_lies_below_tinyseg_data(tmp_path, tree, monkeypatch):
    root = tree("benign/a.png", "benign/a_mask.png")
    home = tmp_path / "home/busi/Dataset_BUSI_with_GT"
    home.parent.mkdir(parents=True)
    shutil.copytree(root, home)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TINYSEG_DATA", str(tmp_path / "home"))
    assert names(load("busi")) == ["benign/a"]
    assert find("busi")[0] == home


def test_busi_by_name_needs_tinyseg_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TINYSEG_DATA", raising=False)
    with pytest.raises(InputError, match="set TINYSEG_DATA"):
        load("busi")


def test_absent_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        load(tmp_path / "absent")


def test_unknown_layout_is_refused_with_what_is_expected(tmp_path, save):
    save(tmp_path / "pictures/a.png", GREY)
    with pytest.raises(InputError, match=r"expected images/ and masks/, or BUSI's layout"):
        load(tmp_path)


def test_folder_without_images_is_refused(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(InputError, match="holds no images"):
        load(tmp_path)


def test_phantom_takes_arguments():
    dataset = load("phantom:count=7,size=40,seed=3")
    assert (len(dataset), dataset.size, dataset.seed) == (7, 40, 3)
    assert len(load("phantom")) == 360


@pytest.mark.parametrize(
    "text",
    [
        "phantom:colour=3",
        "phantom:count",
        "phantom:count=-1",
        "phantom:count=many",
        "phantom:count=1.5",
        "phantom:count=0",
        "phantom:size=31",
        "phantom:count=\u00b2",
    ],
)
def test_phantom_refuses_bad_arguments(text):
    with pytest.raises(InputError, match="phantom"):
        load(text)


# The fingerprint


def test_fingerprint_is_of_content_not_of_place(tmp_path, busi_like):
    before = load(busi_like).fingerprint()
    shutil.copytree(busi_like, tmp_path / "copy")
    assert load(tmp_path / "copy").fingerprint() == before


@pytest.mark.parametrize("what", ["image", "mask", "label", "name", "fewer"])
def test_fingerprint_changes_with_the_data(busi_like, what):
    before = load(busi_like).fingerprint()
    image, mask = (busi_like / f"benign/benign (3){end}.png" for end in ("", "_mask"))
    if what in ("image", "mask"):
        Image.fromarray(np.full((20, 24), 9, np.uint8)).save({"image": image, "mask": mask}[what])
    for path in (image, mask):
        if what == "label":
            path.rename(busi_like / "malignant" / path.name)
        if what == "name":
            path.rename(path.with_name(path.name.replace("(3)", "(33)")))
        if what == "fewer":
            path.unlink()
    assert load(busi_like).fingerprint() != before


def test_fingerprint_names_a_file_that_cannot_be_read(busi_like):
    path = busi_like / "benign/benign (3).png"
    path.unlink()
    path.symlink_to("nowhere.png")
    with pytest.raises(InputError, match=r"benign \(3\)\.png"):
        load(busi_like).fingerprint()
