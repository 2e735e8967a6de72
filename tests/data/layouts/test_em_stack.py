import re
import shutil

import numpy as np
import pytest
from PIL import Image

from tinyseg.data import find, load
from tinyseg.data.check import check
from tinyseg.data.layouts.em_stack import scan_em_stack
from tinyseg.data.store import open_store
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan

RNG = np.random.default_rng(6)
SHAPE = (10, 12)
TRAIN = "data/membrane/train"
# One membrane, down and across.
LABEL = np.full(SHAPE, 255, np.uint8)
LABEL[:, 4] = LABEL[6] = 0


@pytest.fixture
def stack(tmp_path, save):
    """Slices 0, 2 and 10 of one stack."""
    for number in (0, 2, 10):
        image = RNG.integers(0, 256, SHAPE, np.uint8)
        save(tmp_path / "em" / TRAIN / f"image/{number}.png", image)
        save(tmp_path / "em" / TRAIN / f"label/{number}.png", LABEL)
    return tmp_path / "em"


def names(dataset):
    return [sample.name for sample in dataset.samples]


def test_slices_are_in_numerical_order(stack):
    dataset = load(stack)
    assert dataset.name == "em_isbi2012"
    assert names(dataset) == ["0", "2", "10"]
    assert [sample.image.name for sample in dataset.samples] == ["0.png", "2.png", "10.png"]
    assert [sample.masks[0].parent.name for sample in dataset.samples] == ["label"] * 3
    assert dataset.label_counts == {"": 3}


def test_cells_are_foreground(stack):
    dataset = load(stack)
    image, mask = dataset.read(dataset.samples[1])
    assert image.shape == mask.shape == SHAPE
    np.testing.assert_array_equal(mask, LABEL // 255)
    with Image.open(stack / TRAIN / "image/2.png") as file:
        np.testing.assert_array_equal(image, np.asarray(file))


def test_slice_without_membrane_is_all_cell(stack, save):
    save(stack / TRAIN / "label/0.png", np.full(SHAPE, 255, np.uint8))
    dataset = load(stack)
    assert dataset.read(dataset.samples[0])[1].all()


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colour_files_are_taken(stack, mode):
    for kind in ("image", "label"):
        path = stack / TRAIN / kind / "0.png"
        Image.open(path).convert(mode).save(path)
    dataset = load(stack)
    image, mask = dataset.read(dataset.samples[0])
    assert image.shape == (*SHAPE, 3)
    np.testing.assert_array_equal(mask, LABEL // 255)


@pytest.mark.parametrize("below", ["data", "data/membrane", "data/membrane/train"])
def test_root_may_lie_deeper(stack, below):
    assert names(load(stack / below)) == ["0", "2", "10"]
    assert load(stack / below).fingerprint() == load(stack).fingerprint()


def test_by_name_lies_below_tinyseg_data(tmp_path, stack, monkeypatch):
    shutil.copytree(stack, tmp_path / "home/em_isbi2012")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TINYSEG_DATA", str(tmp_path / "home"))
    assert names(load("em_isbi2012")) == ["0", "2", "10"]
    assert find("em_isbi2012")[0] == tmp_path / "home/em_isbi2012"


def test_foreign_files_are_ignored(stack, save):
    (stack / TRAIN / "image/Thumbs.db").write_bytes(b"x")
    (stack / TRAIN / "label/notes.txt").write_text("x")
    save(stack / TRAIN / "image/old/7.png", LABEL)
    save(stack / TRAIN / "aug/image_0_1.png", LABEL)
    save(stack / "data/membrane/test/0.png", LABEL)
    assert names(load(stack)) == ["0", "2", "10"]


def test_equal_numbers_keep_a_fixed_order(stack, save):
    for kind in ("image", "label"):
        for stem in ("02", "002", "slice_9", "slice_10"):
            save(stack / TRAIN / kind / f"{stem}.png", LABEL)
    assert names(load(stack)) == ["0", "002", "02", "2", "10", "slice_9", "slice_10"]


def remove_label(train):
    (train / "label/2.png").unlink()


def remove_image(train):
    (train / "image/2.png").unlink()


def add_second_image(train):
    Image.fromarray(LABEL).save(train / "image/2.tif")


def add_second_label(train):
    Image.fromarray(LABEL).save(train / "label/2.tif")


@pytest.mark.parametrize(
    ("spoil", "path", "message"),
    [
        (remove_label, "image/2.png", "image without label; add 'label/2.png' or remove it"),
        (remove_image, "label/2.png", "label without image; add 'image/2.png' or remove it"),
        (add_second_image, "image/2.tif", "same name as 2.png; rename or remove one of them"),
        (add_second_label, "label/2.tif", "same name as 2.png; rename or remove one of them"),
    ],
)
def test_what_does_not_pair_is_named_with_its_cure(stack, spoil, path, message):
    spoil(stack / TRAIN)
    assert scan_em_stack(stack)[1] == [f"{stack / TRAIN / path}: {message}"]
    with pytest.raises(InputError, match=f"^{re.escape(f'{stack / TRAIN / path}: {message}')}$"):
        load(stack)


def test_scan_lists_every_problem(stack):
    remove_label(stack / TRAIN)
    (stack / TRAIN / "image/10.png").unlink()
    samples, problems = scan_em_stack(stack)
    assert [sample.name for sample in samples] == ["0"]
    assert len(problems) == 2
    report = check(stack)
    assert [problem.path for problem in report.problems if problem.severity == "error"] == [
        str(stack / TRAIN / "image/2.png"),
        str(stack / TRAIN / "label/10.png"),
    ]


def test_label_of_another_size_is_refused(stack, save):
    path = save(stack / TRAIN / "label/2.png", LABEL[:, :11])
    dataset = load(stack)
    with pytest.raises(InputError, match=r"^.*: mask is 11x10 but its image is 12x10; .*$") as e:
        dataset.read(dataset.samples[1])
    assert str(e.value).startswith(f"{path}: ")


@pytest.mark.parametrize("kind", ["image", "label"])
@pytest.mark.parametrize(("content", "what"), [(b"", "is empty"), (b"slice", "is not an image")])
def test_unreadable_file_is_named(stack, kind, content, what):
    path = stack / TRAIN / kind / "10.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"^{path}: {what}; replace or remove it$"):
        open_store(load(stack), PreprocessingPlan(8, 8, 1))


@pytest.mark.parametrize("below", [TRAIN, "train", "."])
def test_folder_without_slices_is_refused(tmp_path, below):
    for kind in ("image", "label"):
        (tmp_path / below / kind).mkdir(parents=True)
    with pytest.raises(InputError, match=f"^{tmp_path}: holds no images; expected png, .* files$"):
        load(tmp_path)


def test_stack_without_labels_is_refused_with_what_is_expected(stack):
    shutil.rmtree(stack / TRAIN / "label")
    with pytest.raises(InputError, match=r"no images and masks found; .* label/N\.png$"):
        load(stack)


def test_absent_folder_below_tinyseg_data_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TINYSEG_DATA", str(tmp_path))
    with pytest.raises(InputError, match=f"^{tmp_path}/em_isbi2012: no such folder"):
        load("em_isbi2012")
    monkeypatch.delenv("TINYSEG_DATA")
    with pytest.raises(InputError, match=r"^em_isbi2012: set TINYSEG_DATA"):
        load("em_isbi2012")


@pytest.mark.real_data
def test_real_stack(real_data):
    dataset = load("em_isbi2012")
    assert dataset.root == real_data / "em_isbi2012"
    assert names(dataset) == [str(number) for number in range(30)]
    for sample in dataset.samples:
        image, mask = dataset.read(sample)
        assert image.shape == mask.shape == (512, 512)
        with Image.open(real_data / "em_isbi2012" / TRAIN / f"label/{sample.name}.png") as file:
            np.testing.assert_array_equal(mask, np.asarray(file) // 255)
        assert 0.7 < mask.mean() < 0.85
        # Cells are brighter than the membranes between them.
        assert image[mask == 1].mean() > image[mask == 0].mean() + 20
    report = check("em_isbi2012")
    assert report.ok
    assert (report.images, report.masks, report.empty_masks) == (30, 30, 0)
    store = open_store(dataset, PreprocessingPlan(64, 64, 1))
    assert store.images.shape == (30, 64, 64, 1)
