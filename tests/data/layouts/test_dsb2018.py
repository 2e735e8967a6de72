import re
import shutil

import numpy as np
import pytest
from PIL import Image

from tinyseg.data import find, load
from tinyseg.data.check import check
from tinyseg.data.layouts.dsb2018 import scan_dsb2018
from tinyseg.data.store import open_store
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan

RNG = np.random.default_rng(5)
SHAPE = (10, 12)


def nucleus(row, column):
    mask = np.zeros(SHAPE, np.uint8)
    mask[row : row + 3, column : column + 3] = 255
    return mask


@pytest.fixture
def nuclei(tmp_path, save):
    """Two RGBA noise images, 12 x 10: a with three nuclei, two of which overlap, and b with one."""
    train = tmp_path / "nuclei/stage1_train"
    for name, corners in {"b": [(1, 1)], "a": [(0, 0), (2, 2), (6, 7)]}.items():
        save(train / name / f"images/{name}.png", RNG.integers(0, 256, (*SHAPE, 4), np.uint8))
        for number, corner in enumerate(corners):
            save(train / name / f"masks/{number}f{number}.png", nucleus(*corner))
    return tmp_path / "nuclei"


def names(dataset):
    return [sample.name for sample in dataset.samples]


def test_each_image_has_all_its_nuclei(nuclei):
    dataset = load(nuclei)
    assert dataset.name == "dsb2018"
    assert names(dataset) == ["a", "b"]
    assert [len(sample.masks) for sample in dataset.samples] == [3, 1]
    assert dataset.label_counts == {"": 2}


def test_mask_is_the_union_and_alpha_is_dropped(nuclei):
    dataset = load(nuclei)
    image, mask = dataset.read(dataset.samples[0])
    with Image.open(nuclei / "stage1_train/a/images/a.png") as file:
        assert file.mode == "RGBA"
        np.testing.assert_array_equal(image, np.asarray(file)[..., :3])
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask > 0, nucleus(0, 0) | nucleus(2, 2) | nucleus(6, 7) > 0)
    assert mask.sum() == 9 + 9 + 9 - 1


@pytest.mark.parametrize("channels", [(), (3,)], ids=["grey", "rgb"])
def test_grey_and_rgb_images_are_taken(nuclei, save, channels):
    save(nuclei / "stage1_train/a/images/a.png", np.full((*SHAPE, *channels), 9, np.uint8))
    dataset = load(nuclei)
    assert dataset.read(dataset.samples[0])[0].shape == (*SHAPE, *channels)


def test_root_may_be_stage1_train_itself(nuclei):
    above, itself = load(nuclei), load(nuclei / "stage1_train")
    assert names(above) == names(itself)
    assert above.fingerprint() == itself.fingerprint()


def test_name_of_the_training_folder_does_not_matter(nuclei):
    train = nuclei.parent / "extracted"
    (nuclei / "stage1_train").rename(train)
    assert names(load(train)) == ["a", "b"]


def test_by_name_lies_below_tinyseg_data(tmp_path, nuclei, monkeypatch):
    shutil.copytree(nuclei, tmp_path / "home/dsb2018")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TINYSEG_DATA", str(tmp_path / "home"))
    assert names(load("dsb2018")) == ["a", "b"]
    assert find("dsb2018")[0] == tmp_path / "home/dsb2018"


def test_foreign_files_are_ignored(nuclei, save):
    train = nuclei / "stage1_train"
    (nuclei / "stage1_train_labels.csv").write_text("x")
    (train / ".DS_Store").write_bytes(b"x")
    (train / "a/images/Thumbs.db").write_bytes(b"x")
    (train / "a/masks/Thumbs.db").write_bytes(b"x")
    save(nuclei / "stage1_test/c/images/c.png", nucleus(0, 0))
    (train / "__MACOSX").mkdir()
    assert names(load(nuclei)) == ["a", "b"]
    assert len(load(nuclei).samples[0].masks) == 3


def test_folders_of_many_images_are_not_taken_for_nuclei(tmp_path, save):
    for part in ("train", "test"):
        for kind in ("images", "masks"):
            save(tmp_path / f"{part}/{kind}/1.png", nucleus(0, 0))
    assert names(load(tmp_path)) == ["test/images/1", "train/images/1"]


def remove_masks(train):
    shutil.rmtree(train / "b/masks")


def empty_masks(train):
    (train / "b/masks/0f0.png").unlink()


def remove_image(train):
    (train / "b/images/b.png").unlink()


def rename_image(train):
    (train / "b/images/b.png").rename(train / "b/images/x.png")


def add_image(train):
    shutil.copy(train / "b/images/b.png", train / "a/images/b.png")


def add_second_format(train):
    Image.fromarray(nucleus(0, 0)).save(train / "b/images/b.bmp")


@pytest.mark.parametrize(
    ("spoil", "path", "message"),
    [
        (remove_masks, "b/images/b.png", "image without masks; add files to 'b/masks' or"),
        (empty_masks, "b/images/b.png", "image without masks; add files to 'b/masks' or"),
        (remove_image, "b/masks/0f0.png", "mask without image; add the image to 'b/images' or"),
        (rename_image, "b/images/x.png", "not named after its folder; name it 'b.png' or remove"),
        (add_image, "a/images/b.png", "not named after its folder; name it 'a.png' or remove it"),
        (add_second_format, "b/images/b.png", "same name as b.bmp; remove one of the images"),
    ],
)
def test_what_does_not_pair_is_named_with_its_cure(nuclei, spoil, path, message):
    train = nuclei / "stage1_train"
    spoil(train)
    problems = scan_dsb2018(nuclei)[1]
    assert len(problems) == 1
    assert problems[0].startswith(f"{train / path}: {message}")
    with pytest.raises(InputError, match=f"^{re.escape(problems[0])}$"):
        load(nuclei)


def test_scan_lists_every_problem(nuclei, save):
    train = nuclei / "stage1_train"
    remove_masks(train)
    save(train / "c/masks/1.png", nucleus(0, 0))
    samples, problems = scan_dsb2018(nuclei)
    assert [sample.name for sample in samples] == ["a"]
    assert len(problems) == 2
    report = check(nuclei)
    assert [problem.path for problem in report.problems if problem.severity == "error"] == [
        str(train / "b/images/b.png"),
        str(train / "c/masks/1.png"),
    ]


def test_mask_of_another_size_is_refused(nuclei, save):
    path = save(nuclei / "stage1_train/a/masks/1f1.png", np.zeros((10, 11), np.uint8))
    dataset = load(nuclei)
    with pytest.raises(InputError, match=r"^.*: mask is 11x10 but its image is 12x10; .*$") as e:
        dataset.read(dataset.samples[0])
    assert str(e.value).startswith(f"{path}: ")


@pytest.mark.parametrize("path", ["a/images/a.png", "a/masks/2f2.png"])
@pytest.mark.parametrize(("content", "what"), [(b"", "is empty"), (b"nucleus", "is not an image")])
def test_unreadable_file_is_named(nuclei, path, content, what):
    path = nuclei / "stage1_train" / path
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"^{path}: {what}; replace or remove it$"):
        open_store(load(nuclei), PreprocessingPlan(8, 8, 1))


def test_truncated_image_is_named(nuclei):
    path = nuclei / "stage1_train/b/images/b.png"
    path.write_bytes(path.read_bytes()[:200])
    dataset = load(nuclei)
    with pytest.raises(InputError, match=f"^{path}: cannot be decoded .*; replace or remove"):
        dataset.read(dataset.samples[1])


@pytest.mark.parametrize("below", ["stage1_train", "stage1_train/a/images", "stage1_train/a/masks"])
def test_empty_folder_is_refused_with_what_is_expected(tmp_path, below):
    (tmp_path / below).mkdir(parents=True)
    with pytest.raises(InputError, match=r"no images and masks found; .* ID/masks/\*\.png"):
        load(tmp_path)
    report = check(tmp_path)
    assert [problem.severity for problem in report.problems] == ["error"]
    assert "holds no images" in report.problems[0].message


def test_absent_folder_below_tinyseg_data_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TINYSEG_DATA", str(tmp_path))
    with pytest.raises(InputError, match=f"^{tmp_path}/dsb2018: no such folder"):
        load("dsb2018")
    monkeypatch.delenv("TINYSEG_DATA")
    with pytest.raises(InputError, match=r"^dsb2018: set TINYSEG_DATA"):
        load("dsb2018")


@pytest.mark.real_data
def test_real_nuclei(real_data):
    dataset = load("dsb2018")
    assert dataset.root == real_data / "dsb2018"
    assert names(dataset) == names(load(real_data / "dsb2018/stage1_train"))
    assert len(set(names(dataset))) == len(dataset) == 48
    assert sum(len(sample.masks) for sample in dataset.samples) == 578
    shares = []
    for sample in dataset.samples:
        image, mask = dataset.read(sample)
        assert image.shape == (*mask.shape, 3)
        union = np.zeros(mask.shape, bool)
        for path in (real_data / f"dsb2018/stage1_train/{sample.name}/masks").iterdir():
            with Image.open(path) as file:
                union |= np.asarray(file) == 255
        np.testing.assert_array_equal(mask > 0, union)
        shares.append(mask.mean())
    assert 0 < min(shares) < max(shares) < 0.9
    assert check("dsb2018").ok
    store = open_store(dataset, PreprocessingPlan(64, 64, 3))
    assert store.images.shape == (48, 64, 64, 3)
    assert len(set(store.groups())) == 48
