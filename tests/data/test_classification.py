import collections
import hashlib

import numpy as np
import pytest

from tests.data.makers import head, make_brain_mri, make_busi, make_classes, noise, save
from tinyseg.data import load
from tinyseg.data.augmentation import MILD
from tinyseg.data.check import check
from tinyseg.data.layouts.brain_mri import crop_to_brain
from tinyseg.data.pipeline import evaluation_batches, training_batches
from tinyseg.data.splits import make_split
from tinyseg.data.store import open_store
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan

SIZE = PreprocessingPlan(20, 24, 3)


@pytest.fixture
def classes(tmp_path):
    make_classes(tmp_path / "pets")
    return tmp_path / "pets"


def test_one_folder_a_class(classes):
    dataset = load(classes)
    assert (dataset.name, dataset.task) == ("pets", "classification")
    assert dataset.classes == ("cat", "dog", "eel")
    assert dataset.regions == ()
    assert [s.name for s in dataset.samples] == [
        f"{label}/{n}" for start, label in enumerate(dataset.classes) for n in range(start, 15, 3)
    ]
    image, mask = dataset.read(dataset.samples[1])
    np.testing.assert_array_equal(image, noise(3, 3))
    assert mask.shape == (20, 24, 0)


@pytest.mark.parametrize("parts", [("train", "test"), ("Training", "Testing"), ("val", "TRAIN")])
def test_parts_are_read_as_one_dataset(tmp_path, parts):
    for seed in range(8):
        save(tmp_path / f"{parts[seed % 2]}/{'ab'[seed // 4]}/{seed}.png", noise(seed))
    save(tmp_path / "elsewhere/c/1.png", noise(1))
    dataset = load(tmp_path)
    assert dataset.label_counts == {"a": 4, "b": 4}
    assert {s.name.split("/")[0] for s in dataset.samples} == set(parts)


@pytest.mark.parametrize(
    "paths",
    [
        ("one/1.png",),
        ("one/1.png", "images/1.png"),
        ("one/1.png", "Labels/1.png"),
        ("one/1.png", "two/1.png", "two/1_mask_1.png"),
        ("1.png", "2.png"),
    ],
)
def test_what_may_be_a_half_of_pairs_is_refused(tmp_path, paths):
    for path in paths:
        save(tmp_path / path, noise(1))
    with pytest.raises(InputError, match=r"no images and masks found|image without mask"):
        load(tmp_path)


def test_two_images_of_one_name_are_refused(classes):
    save(classes / "dog/1.bmp", noise(1))
    with pytest.raises(InputError, match=r"dog/1\.png: same name as 1\.bmp; rename one"):
        load(classes)


def test_targets_are_one_of_the_classes(classes):
    store = open_store(load(classes), SIZE)
    assert (store.task, store.classes) == ("classification", ("cat", "dog", "eel"))
    assert store.masks.shape == (15, 20, 24, 0)
    assert store.targets.dtype == np.uint8
    np.testing.assert_array_equal(store.targets, np.eye(3, dtype=int).repeat(5, 0))
    some = store.select(["eel/2", "cat/0"])
    assert some.targets.tolist() == [[0, 0, 1], [1, 0, 0]]
    again = open_store(load(classes), SIZE)
    np.testing.assert_array_equal(again.targets, store.targets)


@pytest.mark.parametrize("ranges", [None, MILD])
def test_batches_hold_images_and_classes(classes, ranges):
    store = open_store(load(classes), SIZE)
    counts = 0
    for images, targets in training_batches(store, SIZE, 4, ranges=ranges).take(4):
        assert images.shape[1:] == (20, 24, 3)
        assert targets.shape[1:] == (3,)
        assert (targets.numpy().sum(1) == 1).all()
        counts += targets.numpy().sum(0)
    assert counts.tolist() == [5, 5, 5]
    (images, targets), *_ = evaluation_batches(store, SIZE, 15)
    np.testing.assert_allclose(images, store.images / 255, atol=1e-6)
    np.testing.assert_array_equal(targets, store.targets)


def test_images_keep_their_class_when_shuffled(tmp_path):
    for number in range(12):
        grey = np.full((8, 8), 20 * number, np.uint8)
        save(tmp_path / f"{'odd' if number % 2 else 'even'}/{number}.png", grey)
    store = open_store(load(tmp_path), PreprocessingPlan(8, 8, 1))
    for images, targets in training_batches(store, SIZE, 5, ranges=None).take(6):
        numbers = np.round(images[:, 0, 0, 0] * 255 / 20).astype(int)
        np.testing.assert_array_equal(targets[:, 1], numbers % 2)


# Labels of segmentation datasets


def test_labels_of_masks_can_be_classified(tmp_path):
    make_busi(tmp_path)
    plain, classified = load(tmp_path), load(f"{tmp_path}:task=classification")
    assert classified.classes == ("benign", "malignant")
    assert [s.name for s in classified.samples] == [s.name for s in plain.samples]
    np.testing.assert_array_equal(
        classified.read(classified.samples[3])[0], plain.read(plain.samples[3])[0]
    )
    assert classified.fingerprint() != plain.fingerprint()
    assert load(f"{tmp_path}:task=segmentation") == plain
    store = open_store(classified, SIZE)
    assert (store.masks.shape[-1], store.targets.shape) == (0, (10, 2))
    report = check(f"{tmp_path}:task=classification")
    assert (report.task, report.masks, report.foreground) == ("classification", 0, None)
    assert report.as_text().splitlines()[0].endswith(": 10 images")


def test_phantoms_can_be_classified():
    dataset = load("phantom:count=12,size=32,task=classification")
    assert dataset.classes == ("benign", "malignant", "normal")
    image, mask = dataset.read(dataset.samples[0])
    assert (image.shape, mask.shape) == ((32, 32), (32, 32, 0))
    assert dataset.fingerprint() != load("phantom:count=12,size=32").fingerprint()


def test_broken_masks_do_not_hinder_classification(tmp_path):
    make_busi(tmp_path)
    (tmp_path / "benign/one (2)_mask.png").write_bytes(b"")
    assert len(open_store(load(f"{tmp_path}:task=classification"), SIZE)) == 10


def test_tasks_that_a_dataset_cannot_do_are_refused(tmp_path, classes):
    save(tmp_path / "set/images/1.png", noise(1))
    save(tmp_path / "set/masks/1.png", noise(1))
    with pytest.raises(InputError, match=r"set: images cannot be classified without two labels"):
        load(f"{tmp_path / 'set'}:task=classification")
    with pytest.raises(InputError, match="holds no masks; leave task=segmentation out"):
        load(f"{classes}:task=segmentation")
    with pytest.raises(InputError, match="task= takes segmentation or classification"):
        load(f"{classes}:task=sorting")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("crop=1", "no option 'crop' here; there are task=$"),
        ("task=classification,slices=1", "no option 'slices' here"),
    ],
)
def test_unknown_options_are_refused(classes, options, message):
    with pytest.raises(InputError, match=message):
        load(f"{classes}:{options}")


def test_folder_that_ends_like_options_is_a_folder(tmp_path):
    make_classes(tmp_path / "set:task=1")
    assert len(load(tmp_path / "set:task=1")) == 15


# Brain tumours


@pytest.fixture
def brains(tmp_path):
    make_brain_mri(tmp_path / "brains")
    return tmp_path / "brains"


def test_brains_are_cut_out(brains):
    dataset = load(brains)
    assert (dataset.name, dataset.classes[2], len(dataset)) == ("brain_mri", "notumor", 20)
    sample = next(s for s in dataset.samples if s.name == "Training/notumor/im_0002")
    np.testing.assert_array_equal(dataset.read(sample)[0], crop_to_brain(head(2)))
    whole = load(f"{brains}:crop=0")
    np.testing.assert_array_equal(whole.read(sample)[0], head(2))
    assert whole.fingerprint() != dataset.fingerprint()
    with pytest.raises(InputError, match="crop= takes 0 or 1"):
        load(f"{brains}:crop=yes")


def test_crop_is_the_box_of_the_largest_object():
    image = np.zeros((60, 70), np.uint8)
    image[10:40, 15:50] = 200
    image[45:50, 44:50] = 255  # Smaller.
    image[5, 60] = 255  # A speck.
    image[55, :] = 120  # A line.
    for picture in (image, np.dstack([image] * 3)):
        cropped = crop_to_brain(picture)
        # Blurring may add a pixel at each side.
        assert 30 <= cropped.shape[0] <= 32
        assert 35 <= cropped.shape[1] <= 37
        assert (cropped > 0).mean() > 0.85


def test_head_that_falls_apart_is_cut_out_whole():
    image = np.zeros((60, 70), np.uint8)
    image[10:50, 15:22] = image[10:50, 48:55] = 200  # Two sides of a skull, a dark brain.
    assert crop_to_brain(image).shape[1] >= 40


def test_other_classes_in_such_parts_are_an_ordinary_folder(brains):
    (brains / "Training/glioma").rename(brains / "Training/cyst")
    assert load(brains).name == "brains"


@pytest.mark.real_data
def test_real_brains(real_data):
    dataset = load("brain_mri")
    counts = {"glioma": 450, "meningioma": 453, "notumor": 502, "pituitary": 450}
    assert dataset.label_counts == counts
    assert check("brain_mri").ok
    smaller = 0
    for sample in dataset.samples[::20]:
        image, _ = dataset.read(sample)
        smaller += image.shape[:2] < (224, 224)
        assert image.shape[0] * image.shape[1] > 0.2 * 224 * 224
    assert smaller > 80
    store = open_store(dataset, PreprocessingPlan(64, 64, 1))
    split = make_split(store.names, store.labels, store.groups())
    part_of = {name: part for part in ("train", "validation", "test")
               for name in getattr(split, part)}  # fmt: skip
    equal = collections.defaultdict(set)
    spanning = collections.Counter()
    for sample in dataset.samples:
        digest = hashlib.sha256(sample.image.read_bytes()).digest()
        equal[digest].add(part_of[sample.name])
        spanning[digest] += 1
    assert sum(count > 1 for count in spanning.values()) > 50
    assert all(len(parts) == 1 for parts in equal.values())
