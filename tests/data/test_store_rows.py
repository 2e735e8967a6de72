"""Rows of a store: which are taken, what belongs together, and what a network learns from them."""

import dataclasses

import cv2
import numpy as np
import pytest

from tests.data.makers import make_brats_h5, make_classes
from tinyseg.data import duplicates, load
from tinyseg.data.dataset import Sample
from tinyseg.data.store import ImageStore, open_store
from tinyseg.plan import PreprocessingPlan


def smooth(seed):
    noise = np.random.default_rng(seed).integers(0, 256, (12, 12), np.uint8)
    return cv2.resize(noise, (64, 64), interpolation=cv2.INTER_CUBIC)


def store_of(pictures, groups, labels=None, **options):
    """A store of tiny images, whose pixels are their row numbers, with the pictures' signatures."""
    count = len(pictures)
    samples = tuple(
        Sample(f"row {row}", label, group=group)
        for row, (group, label) in enumerate(zip(groups, labels or [""] * count, strict=True))
    )
    numbers = np.arange(count, dtype=np.uint8)
    images = np.tile(numbers[:, None, None, None], (1, 2, 3, 2))
    masks = np.tile(numbers[:, None, None, None] % 2, (1, 2, 3, 1))
    signatures = np.stack([duplicates.signature(picture) for picture in pictures])
    return ImageStore(samples, images, masks, signatures, "print", **options)


def partition(numbers):
    return {frozenset(np.flatnonzero(numbers == number).tolist()) for number in set(numbers)}


def test_groups_of_patients_and_near_duplicates():
    """Rows 0 and 4 are equal; a's are one patient; b's middle one is c's middle one mirrored."""
    pictures = [smooth(seed) for seed in range(12)]
    groups = ["", "a", "b", "a", "", "b", "c", "b", "c", "", "c", "a"]
    pictures[4] = pictures[0]
    pictures[8] = pictures[5][:, ::-1]
    assert partition(store_of(pictures, groups).groups()) == {
        frozenset(rows) for rows in ([0, 4], [1, 3, 11], [2, 5, 7, 6, 8, 10], [9])
    }


def test_only_the_middle_of_a_patient_is_held_against_others():
    """Of 3 the second, of 4 the third; the others may look like anyone's."""
    pictures = [smooth(seed) for seed in range(8)]
    groups = ["a", "a", "a", "b", "b", "b", "b", ""]
    for row, joined in enumerate([False, True, False, False, False, True, False]):
        changed = [*pictures[:7], pictures[row]]
        numbers = store_of(changed, groups).groups()
        patient = 0 if row < 3 else 3
        assert (numbers[7] == numbers[patient]) == joined
        assert len(set(numbers)) == 3 - joined
    for one, other, joined in ((1, 5, True), (0, 3, False), (2, 6, False), (1, 4, False)):
        changed = list(pictures)
        changed[other] = pictures[one]
        assert len(set(store_of(changed, groups).groups())) == 3 - joined


def test_rows_without_patient_are_not_one_patient():
    numbers = store_of([smooth(seed) for seed in range(5)], [""] * 5).groups()
    assert len(set(numbers)) == 5


def test_taken_rows_carry_everything():
    store = store_of([smooth(s) for s in range(5)], list("abcde"), list("xxyyz"), regions=("r",))
    rows = [3, 0, 3, 4]
    some = store.take(rows)
    assert len(some) == 4
    assert some.samples == tuple(store.samples[row] for row in rows)
    assert some.labels == ["y", "x", "y", "z"]
    assert some.images[:, 0, 0, 0].tolist() == rows
    assert some.masks[:, 0, 0, 0].tolist() == [1, 0, 1, 0]
    np.testing.assert_array_equal(some.signatures, store.signatures[rows])
    assert (some.fingerprint, some.regions, some.classes) == ("print", ("r",), ())
    assert len(store.take([])) == 0
    by_name = store.select(["row 4", "row 1"])
    assert by_name.images[:, 0, 0, 0].tolist() == [4, 1]
    assert by_name.names == ["row 4", "row 1"]


def test_balanced_rows_carry_everything():
    store = store_of([smooth(s) for s in range(5)], [""] * 5, list("yxyyx")).balanced()
    assert store.images[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 1]
    assert store.labels == list("yxyyxx")


def test_targets_are_masks_or_classes():
    store = store_of([smooth(s) for s in range(4)], [""] * 4, list("cabc"))
    assert store.task == "segmentation"
    np.testing.assert_array_equal(store.targets, store.masks)
    classified = dataclasses.replace(store, classes=("a", "b", "c", "d"))
    assert classified.task == "classification"
    assert classified.targets.dtype == np.uint8
    assert classified.targets.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_one_pixel_of_any_channel_makes_a_store_coloured(channel):
    store = store_of([smooth(0), smooth(1)], ["", ""])
    images = np.repeat(np.random.default_rng(0).integers(0, 99, (2, 4, 5, 1), np.uint8), 3, -1)
    assert dataclasses.replace(store, images=images).grey
    assert dataclasses.replace(store, images=images[..., :1]).grey
    images[1, 3, 4, channel] ^= 1
    assert not dataclasses.replace(store, images=images).grey


# From files


def test_regions_and_classes_of_the_data_are_the_stores(tmp_path):
    make_brats_h5(tmp_path / "h5", patients=1, slices=3)
    make_classes(tmp_path / "classes")
    scans = open_store(load(f"{tmp_path / 'h5'}:slices=1"), PreprocessingPlan(24, 24, 4))
    assert scans.regions == ("necrosis", "oedema", "enhancing")
    assert scans.masks.shape == (3, 24, 24, 3)
    assert [sample.group for sample in scans.samples] == ["volume_1"] * 3
    animals = open_store(load(tmp_path / "classes"), PreprocessingPlan(20, 24, 3))
    assert (animals.regions, animals.classes) == ((), ("cat", "dog", "eel"))
    assert animals.masks.shape == (15, 20, 24, 0)
    assert animals.signatures.shape == (15, 4096)
    assert animals.signatures.dtype == np.float32


def test_damaged_cache_is_filled_anew(busi_like, cache):
    plan = PreprocessingPlan(20, 24, 1)
    before = open_store(load(busi_like), plan)
    images = np.array(before.images)
    for name in ("images", "masks", "signatures"):
        for damage in (lambda path: path.write_bytes(b""), lambda path: path.unlink()):
            (path,) = cache.glob(f"*/{name}.npy")
            damage(path)
            again = open_store(load(busi_like), plan)
            np.testing.assert_array_equal(again.images, images)
            np.testing.assert_array_equal(
                again.signatures, [duplicates.signature(each) for each in images[..., 0]]
            )
