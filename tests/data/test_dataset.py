import os
import shutil

import numpy as np
import pytest
from PIL import Image

from tinyseg.data import find, load
from tinyseg.data.busi import scan_busi
from tinyseg.errors import InputError

GREY = np.arange(20, dtype=np.uint8).reshape(4, 5)
MASK = np.uint8(GREY > 9)


@pytest.fixture
def tree(tmp_path, save):
    """Make a folder of small images, those called mask being masks."""

    def tree(*paths):
        for path in paths:
            is_mask = "_mask" in path or path.startswith("masks")
            save(tmp_path / "set" / path, MASK * 255 if is_mask else GREY)
        return tmp_path / "set"

    return tree


def names(dataset):
    return [sample.name for sample in dataset.samples]


# BUSI's layout


def test_busi_pairs_each_image_with_all_its_masks(tree):
    dataset = load(
        tree(
            "benign/benign (10).png",
            "benign/benign (10)_mask.png",
            "benign/benign (2).png",
            "benign/benign (2)_mask.png",
            "benign/benign (2)_mask_1.png",
            "benign/benign (2)_mask_2.png",
            "malignant/m\u00fcller (1).PNG",
            "malignant/m\u00fcller (1)_mask.PNG",
        )
    )
    assert dataset.name == "busi"
    assert names(dataset) == [
        "benign/benign (2)", "benign/benign (10)", "malignant/m\u00fcller (1)"
    ]  # fmt: skip
    assert [len(sample.masks) for sample in dataset.samples] == [3, 1, 1]
    assert dataset.label_counts == {"benign": 2, "malignant": 1}
    assert len(dataset) == 3


def test_busi_reads_the_union_of_masks(tmp_path, save):
    first, second = np.zeros((2, 6, 8), np.uint8)
    first[0, :3], second[0:4, 2] = 1, 255
    save(tmp_path / "benign/a b.png", np.zeros((6, 8), np.uint8))
    save(tmp_path / "benign/a b_mask.png", first)
    save(tmp_path / "benign/a b_mask_1.png", second)
    dataset = load(tmp_path)
    image, mask = dataset.read(dataset.samples[0])
    assert image.shape == mask.shape == (6, 8)
    assert mask.dtype == np.uint8
    assert mask.sum() == 3 + 4 - 1
    np.testing.assert_array_equal(mask > 0, (first > 0) | (second > 0))


def test_busi_ignores_foreign_files(tree):
    root = tree("benign/a.png", "benign/a_mask.png")
    (root / "benign/Thumbs.db").write_bytes(b"x")
    (root / "README.txt").write_text("x")
    assert names(load(root)) == ["benign/a"]


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        (("benign/b.png",), r"benign/b\.png: image without mask; add 'b_mask\.png'"),
        (("benign/b_mask.png",), r"benign/b_mask\.png: mask without image"),
        (("benign/b_mask_1.png",), r"benign/b_mask_1\.png: mask without image"),
    ],
)
def test_busi_names_the_file_without_partner(tree, paths, reason):
    with pytest.raises(InputError, match=reason):
        load(tree("benign/a.png", "benign/a_mask.png", *paths))


def test_busi_scan_lists_every_file_without_partner(tree):
    root = tree("benign/a.png", "benign/a_mask.png", "benign/b.png", "normal/c_mask.png")
    samples, problems = scan_busi(root)
    assert [sample.name for sample in samples] == ["benign/a"]
    assert len(problems) == 2


def test_busi_refuses_two_images_of_one_name(tree):
    with pytest.raises(InputError, match=r"a\.(png|bmp)"):
        load(tree("benign/a.png", "benign/a.bmp", "benign/a_mask.png"))


def test_busi_takes_names_with_superscripts(tree):
    assert names(load(tree("benign/5\u00b2.png", "benign/5\u00b2_mask.png"))) == ["benign/5\u00b2"]


def test_busi_order_does_not_depend_on_the_hash_seed(tree):
    stems = ["0" * zeros + "1" for zeros in range(9)]
    root = tree(*(f"benign/{stem}{end}.png" for stem in stems for end in ("", "_mask")))
    assert names(load(root)) == [f"benign/{stem}" for stem in sorted(stems)]


# images/ and masks/


def test_folder_pairs_by_name_and_labels_by_subfolder(tree):
    dataset = load(
        tree(
            "images/glioma/one.jpg",
            "images/glioma/two.v2.tif",
            "images/none/one.bmp",
            "masks/glioma/one.png",
            "masks/glioma/two.v2.png",
            "masks/none/one.png",
        )
    )
    assert names(dataset) == ["glioma/one", "glioma/two.v2", "none/one"]
    assert dataset.label_counts == {"glioma": 2, "none": 1}


@pytest.mark.parametrize(
    "mask", ["a.png", "a_mask.png", "a_segmentation.png", "a_gt.tif", "a_Label.bmp"]
)
def test_folder_takes_the_usual_mask_names(tree, mask):
    dataset = load(tree("images/a.jpg", f"masks/{mask}"))
    assert names(dataset) == ["a"]
    assert dataset.samples[0].label == ""
    assert [path.name for path in dataset.samples[0].masks] == [mask]


def test_folder_unites_numbered_masks(tree):
    root = tree("images/a.png", "masks/a_mask_1.png", "masks/a_mask_2.png")
    inverse = Image.fromarray(255 - MASK * 255)
    inverse.save(root / "masks/a_mask_2.png")
    dataset = load(root)
    assert len(dataset.samples[0].masks) == 2
    assert dataset.read(dataset.samples[0])[1].all()


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        (("images/b.png",), r"images/b\.png: image without mask; add 'masks/b\.png'"),
        (("masks/b.png",), r"masks/b\.png: mask without image"),
        (("images/x/a.png",), r"images/x/a\.png: image without mask; add 'masks/x/a\.png'"),
        (("images/a.bmp",), r"images/a\.png: same name as a\.bmp"),
    ],
)
def test_folder_names_the_file_at_fault(tree, paths, reason):
    with pytest.raises(InputError, match=reason):
        load(tree("images/a.png", "masks/a.png", *paths))


def test_folder_prefers_a_mask_of_exactly_the_images_name(tree):
    assert names(load(tree("images/no_label.png", "masks/no_label.png"))) == ["no_label"]


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


# Real images


@pytest.mark.real_data
def test_real_busi_is_found_whole(real_data):
    dataset = load("busi")
    assert dataset.root == real_data / "busi/Dataset_BUSI_with_GT"
    assert dataset.label_counts == {"benign": 371, "malignant": 176, "normal": 113}
    assert len(set(names(dataset))) == 660
    # 676 mask files: the 17 images that SOURCE.md lists, less those kept aside.
    assert sum(len(sample.masks) for sample in dataset.samples) == 676


@pytest.mark.real_data
def test_real_busi_in_its_original_bytes(real_data):
    root = real_data / "busi_original_sample/Dataset_BUSI_with_GT"
    dataset = load(root)
    assert dataset.label_counts == {"benign": 17, "malignant": 4, "normal": 4}
    modes, several = set(), 0
    for sample in dataset.samples:
        image, mask = dataset.read(sample)
        union = np.zeros(mask.shape, bool)
        for path in root.glob(f"{sample.name}_mask*.png"):
            with Image.open(path) as file:
                modes.add(file.mode)
                union |= np.asarray(file.convert("RGB"))[..., 0] > 127
        several += len(sample.masks) > 1
        assert image.shape[:2] == mask.shape
        assert mask.sum() == union.sum()
        np.testing.assert_array_equal(mask > 0, union)
        assert (sample.label == "normal") == (not union.any())
    assert modes == {"1", "RGB", "RGBA"}
    assert several == len({os.fspath(p)[:-11] for p in root.glob("*/*_mask_1.png")}) == 8
