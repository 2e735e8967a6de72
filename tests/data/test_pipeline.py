import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.data.makers import ellipses
from tinyseg.data import pipeline
from tinyseg.data.dataset import Sample
from tinyseg.data.store import ImageStore
from tinyseg.plan import PreprocessingPlan

PREPROCESSING = PreprocessingPlan(height=32, width=40, channels=3, scale=1 / 127.5, offset=-1.0)
BATCH, STEPS = 4, 3


@pytest.fixture(scope="module")
def store():
    """Ten images; each shows its number in a corner, so that rows can be told apart."""
    images, masks = ellipses()
    images[:, 0, 0] = np.arange(10)[:, None]
    samples = tuple(Sample(str(number)) for number in range(10))
    return ImageStore(samples, images, masks, np.zeros((10, 4096), np.float32), "")


def take(dataset, epochs=1):
    """Return so many epochs of batches as NumPy arrays."""
    return [
        (images.numpy(), masks.numpy())
        for images, masks in itertools.islice(dataset, epochs * STEPS)
    ]


def training(store, **options):
    return pipeline.training_batches(store, PREPROCESSING, BATCH, **options)


def numbers(batches):
    """Read the numbers in the corners."""
    return [int(n) for images, _ in batches for n in np.round((images[:, 0, 0, 0] + 1) * 127.5)]


def assert_equal_batches(first, second):
    assert len(first) == len(second) > 0
    for (images, masks), (other_images, other_masks) in zip(first, second, strict=True):
        np.testing.assert_array_equal(images, other_images)
        np.testing.assert_array_equal(masks, other_masks)


def test_evaluation_gives_everything_once_in_order_unchanged(store):
    dataset = pipeline.evaluation_batches(store, PREPROCESSING, BATCH)
    assert [spec.dtype for spec in dataset.element_spec] == [tf.float32, tf.float32]
    assert dataset.element_spec[0].shape == (None, 32, 40, 3)
    assert dataset.element_spec[1].shape == (None, 32, 40, 1)
    batches = list(dataset.as_numpy_iterator())
    assert [len(images) for images, _ in batches] == [4, 4, 2]
    images, masks = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
    np.testing.assert_allclose(images, store.images / 127.5 - 1, atol=1e-6)
    np.testing.assert_array_equal(masks, store.masks)


def test_training_without_augmentation_is_a_permutation(store):
    batches = take(training(store, ranges=None))
    assert [len(images) for images, _ in batches] == [4, 4, 2]
    order = numbers(batches)
    assert sorted(order) == list(range(10))
    assert order != list(range(10))
    images, masks = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
    assert images.dtype == masks.dtype == np.float32
    np.testing.assert_allclose(images, store.images[order] / 127.5 - 1, atol=1e-6)
    np.testing.assert_array_equal(masks, store.masks[order])


def test_each_epoch_and_each_seed_has_an_order_of_its_own(store):
    order = numbers(take(training(store, ranges=None), epochs=3))
    epochs = [order[:10], order[10:20], order[20:]]
    other = numbers(take(training(store, ranges=None, seed=1)))
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in [*epochs, other]}) == 4


def test_epochs_are_reproducible(store):
    assert_equal_batches(
        take(training(store, seed=3), epochs=2), take(training(store, seed=3), epochs=2)
    )


@pytest.mark.parametrize("first_epoch", [1, 3])
def test_resuming_gives_what_an_uninterrupted_run_would(store, first_epoch):
    whole = take(training(store, seed=3), epochs=first_epoch + 2)
    resumed = take(training(store, seed=3, first_epoch=first_epoch), epochs=2)
    assert_equal_batches(whole[first_epoch * STEPS :], resumed)


def test_augmentation_differs_between_epochs_and_seeds(store):
    one = ImageStore(store.samples[:1], store.images[:1], store.masks[:1], store.signatures, "")
    first, second = itertools.islice(training(one, seed=0), 2)
    (other,) = itertools.islice(training(one, seed=1), 1)
    assert not np.array_equal(first[0], second[0])
    assert not np.array_equal(first[0], other[0])


def test_augmented_batches_have_binary_masks_and_inputs_in_range(store):
    for images, masks in take(training(store), epochs=2):
        assert images.shape[1:] == (32, 40, 3)
        assert masks.shape[1:] == (32, 40, 1)
        assert images.dtype == masks.dtype == np.float32
        assert set(np.unique(masks)) == {0, 1}
        assert images.min() >= -1
        assert images.max() <= 1


def test_grey_images_take_a_short_cut_to_the_same_result(store):
    grey = training(store, seed=2)
    coloured = dataclasses.replace(store, images=store.images.copy())
    coloured.images[3, 0, 0, 1] ^= 1  # One pixel of one image is not grey.
    assert store.grey
    assert not coloured.grey
    for (first, _), (second, _) in zip(take(grey), take(training(coloured, seed=2)), strict=True):
        np.testing.assert_allclose(first, second, atol=1.5 * PREPROCESSING.scale)
