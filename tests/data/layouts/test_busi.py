import os

import numpy as np
import pytest
from PIL import Image

from tests.data.makers import names
from tinyseg.data import load
from tinyseg.data.layouts.busi import scan_busi
from tinyseg.errors import InputError


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
