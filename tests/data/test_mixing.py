"""Images made of two, against NumPy and pixel by pixel."""

import dataclasses

import numpy as np
import pytest

from tests.data.makers import ellipses
from tinyseg.data.augmentation import MILD
from tinyseg.data.dataset import Sample
from tinyseg.data.mixing import Example, Mixing, blend, cut, mix, paste
from tinyseg.data.pipeline import training_batches
from tinyseg.data.store import ImageStore
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan

SIZE = (12, 16, 2)


@pytest.fixture
def pair():
    """One example of zeros with the left half marked, one of ones with a square marked."""
    masks = np.zeros((2, *SIZE[:2], 1), np.float32)
    masks[0, :, :8] = masks[1, 4:8, 9:13] = 1
    return Example(np.zeros(SIZE, np.float32), masks[0]), Example(
        np.ones(SIZE, np.float32), masks[1]
    )


def test_blended_images_and_masks_have_the_same_weight(pair):
    weights = []
    for seed in range(200):
        image, mask = blend(*pair, np.random.default_rng(seed))
        weight = 1 - image[0, 0, 0]
        np.testing.assert_allclose(image, 1 - weight, atol=1e-6)
        expected = weight * pair[0].target + (1 - weight) * pair[1].target
        np.testing.assert_allclose(mask, expected, atol=1e-6)
        assert image.dtype == mask.dtype == np.float32
        weights.append(weight)
    # Beta(0.4, 0.4): half the mean is 0.5, the variance 1 / (4 (2 * 0.4 + 1)).
    assert np.mean(weights) == pytest.approx(0.5, abs=0.07)
    assert np.var(weights) == pytest.approx(1 / 7.2, abs=0.02)


def test_cut_images_have_a_rectangle_of_the_other_one_with_its_mask(pair):
    areas = []
    for seed in range(200):
        image, mask = cut(*pair, np.random.default_rng(seed))
        inside = image[..., 0] == 1
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        assert (
            inside.sum() == len(rows) * len(columns) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        )
        np.testing.assert_array_equal(image[..., 1], inside)
        np.testing.assert_array_equal(
            mask[..., 0], np.where(inside, pair[1].target[..., 0], pair[0].target[..., 0])
        )
        areas.append(inside.mean())
    assert np.mean(areas) == pytest.approx(0.5, abs=0.06)
    # The originals are not written to.
    assert not pair[0].image.any()


def test_classes_have_the_share_of_what_is_seen():
    one, other = (
        Example(np.full(SIZE, number, np.float32), np.eye(2, dtype=np.float32)[number])
        for number in (0, 1)
    )
    for way in (blend, cut):
        image, target = way(one, other, np.random.default_rng(3))
        np.testing.assert_allclose(target, [1 - image.mean(), image.mean()], atol=1e-6)


def test_pasted_lesions_are_whole_and_fade_into_the_image(pair):
    image, mask = paste(*pair)
    marked = pair[1].target[..., 0] == 1
    assert (image[marked] == 1).all()
    np.testing.assert_array_equal(mask, np.maximum(pair[0].target, pair[1].target))
    # Far away nothing changes, next to it there is something of both.
    assert not image[:, :5].any()
    assert 0 < image[3, 8, 0] < 1
    assert image.dtype == np.float32
    healthy = Example(pair[1].image, np.zeros_like(pair[1].target))
    assert paste(pair[0], healthy) is pair[0]


def test_shares_are_those_of_the_settings(pair):
    rng = np.random.default_rng(0)
    mixed = [mix(*pair, Mixing(0.5, "cutmix"), rng) is not pair[0] for _ in range(1000)]
    assert np.mean(mixed) == pytest.approx(0.5, abs=0.05)
    pasted = [mix(*pair, Mixing(paste=0.25), rng) is not pair[0] for _ in range(1000)]
    assert np.mean(pasted) == pytest.approx(0.25, abs=0.05)


def test_either_blends_as_often_as_it_cuts(pair):
    rng = np.random.default_rng(0)
    images = [mix(*pair, Mixing(1.0, "either"), rng).image for _ in range(400)]
    values = set(np.unique([example.image for example in pair]))
    cut = [set(np.unique(image)) <= values for image in images]
    assert np.mean(cut) == pytest.approx(0.5, abs=0.1)


def test_unknown_method():
    with pytest.raises(
        InputError, match=r"training\.mix_by: 'blend' is none of mixup, cutmix, either"
    ):
        Mixing(0.5, "blend")


PREPROCESSING = PreprocessingPlan(height=32, width=40, channels=3)


@pytest.fixture(scope="module")
def store():
    images, masks = ellipses()
    samples = tuple(Sample(str(number), label="ab"[number % 2]) for number in range(10))
    return ImageStore(samples, images, masks, np.zeros((10, 4096), np.float32), "")


def batch(store, **options):
    stream = training_batches(store, PREPROCESSING, 10, seed=1, **options)
    return [part.numpy() for part in next(iter(stream))]


def test_batches_are_mixed_in_part_and_the_rest_is_as_without(store):
    plain = batch(store, ranges=MILD)
    mixed = batch(store, ranges=MILD, mixing=Mixing(0.5))
    again = batch(store, ranges=MILD, mixing=Mixing(0.5))
    same = [np.array_equal(a, b) for a, b in zip(plain[0], mixed[0], strict=True)]
    assert 0 < sum(same) < 10
    for alike, one, other in zip(same, plain[1], mixed[1], strict=True):
        if alike:
            np.testing.assert_array_equal(one, other)
    assert set(np.unique(plain[1])) == {0, 1} != set(np.unique(mixed[1]))
    np.testing.assert_array_equal(mixed[0], again[0])
    np.testing.assert_array_equal(mixed[1], again[1])


def test_images_that_are_not_moved_can_be_mixed(store):
    images, _ = batch(store, ranges=None, mixing=Mixing(1.0, "cutmix"))
    originals = store.images.astype(np.float32) / 255
    found = [(np.abs(image - originals) < 1e-6).all(-1) for image in images]
    # Every pixel is one of two images at that place.
    assert all(each.any(0).all() for each in found)


def test_pasting_needs_masks(store):
    classified = dataclasses.replace(store, classes=("a", "b"), masks=store.masks[..., :0])
    with pytest.raises(InputError, match=r"training\.paste: pastes what masks mark"):
        batch(classified, mixing=Mixing(paste=0.5))
    _, targets = batch(classified, mixing=Mixing(1.0))
    np.testing.assert_allclose(targets.sum(1), 1, atol=1e-6)
    assert ((targets > 0.01) & (targets < 0.99)).any()
