import numpy as np
import pytest
from PIL import Image

from tests.data.makers import box, names, noise, save
from tinyseg.data import load
from tinyseg.errors import InputError


@pytest.fixture
def lay(tmp_path):
    """Write images and masks in folders; a pair is a folder of images, one of masks and parts."""

    def lay(*paths):
        for number, path in enumerate(paths):
            words = path.replace("/", " ").replace("_", " ").lower().split()
            is_mask = any(w.startswith(("mask", "label", "gt", "seg", "annot")) for w in words)
            is_mask = (
                is_mask
                or "trainannot" in words
                or "manual1" in path
                or "trainmasks" in path.lower()
            )
            pixels = 255 * box(number) if is_mask else noise(number)
            save(tmp_path / "set" / path, pixels)
        return tmp_path / "set"

    return lay


def pairs(dataset):
    return {
        sample.path.relative_to(dataset.root).as_posix(): [
            mask.relative_to(dataset.root).as_posix() for mask in sample.masks
        ]
        for sample in dataset.samples
    }


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("JPEGImages/{}.jpg", "SegmentationClass/{}.png"),
        ("VOCdevkit/VOC2012/JPEGImages/{}.jpg", "VOCdevkit/VOC2012/SegmentationClass/{}.png"),
        ("imgs/{}.png", "masks/{}.png"),
        ("imgs/{}.png", "masks/{}_mask.gif"),
        ("images/{}.png", "labels/{}.png"),
        ("images/{}.png", "GroundTruth/{}.png"),
        ("images/train/{}.png", "labels/train/{}.png"),
        ("train/images/{}.png", "train/masks/{}.png"),
        ("train/imgs/{}.png", "train/gt/{}.png"),
        ("train/{}.jpg", "train_masks/{}_mask.gif"),
        ("train_images/train/{}.png", "train_masks/train/{}.png"),
        ("train/{}.png", "trainannot/{}.png"),
        ("images/img_{}.png", "labels/mask_{}.png"),
        ("images/image{}.png", "seg/label{}.png"),
        ("leftImg8bit/train/city/{}.png", "gt/train/city/{}.png"),
        ("leftImg8bit/val/ulm/ulm_{}_leftImg8bit.png", "gtFine/val/ulm/ulm_{}_gtFine_labelIds.png"),
        ("imagesTr/case_{}_0000.png", "labelsTr/case_{}.png"),
        ("images/{}.jpg", "annotations/trimaps/{}.png"),
        ("data/images/{}.png", "data/masks_png/{}.png"),
        ("training/images/{}_training.tif", "training/1st_manual/{}_manual1.gif"),
        ("img_dir/train/{}.jpg", "ann_dir/train/{}.png"),
        ("imgs/lesion/{}.png", "labels/lesion/{}.png"),
        ("train/{}.png", "train_labels/{}_L.png"),
        ("TrainImages/{}.png", "TrainMasks/{}.png"),
        ("segmentation/images/{}.png", "segmentation/labels/{}.png"),
        ("{}.png", "masks/{}.png"),
    ],
)
def test_equal_names_in_two_folders_are_pairs(lay, image, mask):
    dataset = load(lay(*(path.format(n) for n in ("001", "002", "10") for path in (image, mask))))
    root = dataset.root
    found = {
        s.path.relative_to(root).name: s.masks[0].relative_to(root).name for s in dataset.samples
    }
    wanted = {
        image.format(n).rsplit("/")[-1]: mask.format(n).rsplit("/")[-1]
        for n in ("001", "002", "10")
    }
    assert found == wanted
    assert dataset.label_counts == {"": 3}
    assert dataset.task == "segmentation"
    assert set(np.unique(dataset.read(dataset.samples[0])[1])) == {0, 1}


@pytest.mark.parametrize(
    ("image", "mask"), [("ultrasound", "masks"), ("A", "B"), ("B", "A"), ("x/A", "x/B")]
)
def test_two_folders_are_told_by_what_they_hold(tmp_path, image, mask):
    for number in range(6):
        save(tmp_path / f"{image}/{number}.png", noise(number))
        save(tmp_path / f"{mask}/{number}.png", box(number))
    dataset = load(tmp_path)
    assert len(dataset) == 6
    pixels, marked = dataset.read(dataset.samples[0])
    np.testing.assert_array_equal(pixels, noise(0))
    np.testing.assert_array_equal(marked, box(0))


def test_two_classes_of_equal_names_stay_classes(tmp_path):
    for number in range(6):
        for label in ("cat", "dog"):
            save(tmp_path / f"{label}/{number}.png", noise(number))
    assert load(tmp_path).classes == ("cat", "dog")


def test_parts_are_read_as_one_dataset(lay):
    paths = [
        f"{part}/{kind}/{n}.png"
        for part in ("train", "val", "test")
        for kind in ("images", "masks")
        for n in "12"
    ]
    dataset = load(lay(*paths))
    assert len(dataset) == 6
    assert all(
        masks == [image.replace("images", "masks")] for image, masks in pairs(dataset).items()
    )
    assert names(dataset)[0] == "test/images/1"


def test_parts_below_images_and_masks_are_no_labels(lay):
    paths = [
        f"{kind}/{part}/{part}.png" for kind in ("images", "masks") for part in ("train", "val")
    ]
    assert load(lay(*paths)).label_counts == {"": 2}


def test_photographs_without_masks_are_left_out_of_voc_only(lay):
    voc = ("JPEGImages/a.jpg", "JPEGImages/b.jpg", "SegmentationClass/a.png")
    objects = ("SegmentationObject/a.png",)
    assert names(load(lay(*voc, *objects))) == ["JPEGImages/a"]


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        (("imgs/b.png",), r"imgs/b\.png: image without mask; add 'masks/b\.png'"),
        (("masks/b.png",), r"masks/b\.png: mask without image"),
        (("imgs/a.jpg",), r"imgs/a\.png: same name as a\.jpg"),
        (("gt/a.png",), r"a second folder of masks beside"),
    ],
)
def test_file_at_fault_is_named(lay, paths, reason):
    with pytest.raises(InputError, match=reason):
        load(lay("imgs/a.png", "masks/a.png", *paths))


def test_folders_of_classes_stay_such(lay):
    dataset = load(lay("cat/1.png", "dog/1.png", "images_of_eels/1.png"))
    assert dataset.classes == ("cat", "dog", "images_of_eels")


def test_folder_above_the_images_does(lay, tmp_path):
    lay("one/two/imgs/a.png", "one/two/masks/a.png")
    (tmp_path / "set/.git").mkdir()
    (tmp_path / "set/read me.txt").write_text("x")
    assert len(load(tmp_path / "set")) == 1
    root = tmp_path / "busi"
    save(root / "Dataset/benign/a.png", noise(1))
    save(root / "Dataset/benign/a_mask.png", 255 * box(1))
    assert names(load(root)) == ["benign/a"]


@pytest.mark.parametrize(
    "litter",
    [
        *("imgs/.ipynb_checkpoints/a-checkpoint.png", "imgs/._a.png", "masks/._a.png"),
        *("__MACOSX/imgs/._a.png", ".cache/masks/b.png", "imgs/Thumbs.db", "imgs/.DS_Store"),
    ],
)
def test_hidden_files_are_left_out(lay, litter):
    root = lay("imgs/a.png", "masks/a.png")
    before = load(root).fingerprint()
    path = root / litter
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((root / "imgs/a.png").read_bytes())
    assert load(root).fingerprint() == before


def test_palette_masks_of_voc_are_indices(tmp_path):
    for number in range(3):
        label = box(number) * (1, 8, 1)[number]
        mask = Image.frombytes("P", label.shape[::-1], label.tobytes())
        mask.putpalette([0, 0, 0, 128, 0, 0] + 18 * [9] + [64, 0, 0])
        save(tmp_path / f"JPEGImages/{number}.jpg", noise(number, 3))
        (tmp_path / "SegmentationClass").mkdir(exist_ok=True)
        mask.save(tmp_path / f"SegmentationClass/{number}.png")
    dataset = load(tmp_path)
    for number, sample in enumerate(dataset.samples):
        np.testing.assert_array_equal(dataset.read(sample)[1].any(-1), box(number))


def test_the_field_of_view_is_no_mask(lay):
    """As DRIVE is laid out, whose test images may come without vessels."""
    paths = [
        path.format(n)
        for n in ("21", "22", "23")
        for path in (
            "training/images/{}_training.tif",
            "training/1st_manual/{}_manual1.gif",
            "training/mask/{}_training_mask.gif",
            "test/images/{}_test.tif",
            "test/mask/{}_test_mask.gif",
        )
    ]
    assert pairs(load(lay(*paths))) == {
        f"training/images/{n}_training.tif": [f"training/1st_manual/{n}_manual1.gif"]
        for n in ("21", "22", "23")
    }


def test_the_first_of_two_who_marked_by_hand_counts(lay):
    paths = [
        path.format(n)
        for n in ("01", "02", "03")
        for path in (
            "test/images/{}_test.tif",
            "test/2nd_manual/{}_manual2.gif",
            "test/1st_manual/{}_manual1.gif",
        )
    ]
    assert pairs(load(lay(*paths))) == {
        f"test/images/{n}_test.tif": [f"test/1st_manual/{n}_manual1.gif"]
        for n in ("01", "02", "03")
    }


def test_of_the_maps_of_an_image_the_labels_count(lay):
    kinds = ("color", "instanceIds", "labelIds")
    paths = [f"leftImg8bit/a/{n}_leftImg8bit.png" for n in range(3)]
    paths += [f"gtFine/a/{n}_gtFine_{kind}.png" for n in range(3) for kind in kinds]
    assert pairs(load(lay(*paths))) == {
        f"leftImg8bit/a/{n}_leftImg8bit.png": [f"gtFine/a/{n}_gtFine_labelIds.png"]
        for n in range(3)
    }


def test_images_and_labels_that_do_not_pair_are_no_classes(lay):
    root = lay(*(f"imagesTr/{n}_000{c}.png" for n in range(3) for c in range(2)),
               *(f"labelsTr/{n}.png" for n in range(3)))  # fmt: skip
    with pytest.raises(InputError, match="no images and masks found"):
        load(root)
