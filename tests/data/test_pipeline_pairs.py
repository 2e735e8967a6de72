"""What the batches hold: each image with its own mask or class, moved and scaled as it should be.

Planes of an image say where its pixels come from and which row it is, so that nothing of the code
under test is needed to know what belongs together.
"""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyseg.data.augmentation import MILD, WIDE, Ranges
from tinyseg.data.dataset import Sample
from tinyseg.data.pipeline import evaluation_batches, training_batches
from tinyseg.data.store import ImageStore
from tinyseg.plan import PreprocessingPlan

COUNT, HEIGHT, WIDTH = 7, 24, 40
# Input and pixel values differ in scale and offset, neither of which is a usual one.
PREPROCESSING = PreprocessingPlan(HEIGHT, WIDTH, 3, scale=1 / 64, offset=-0.75)
STILL = Ranges(0, 0, (1, 1), (1, 1), 0)
# Everything that moves pixels, nothing that changes their values.
MOVING = dataclasses.replace(WIDE, contrast=(1, 1), brightness=0, gamma=0)


@pytest.fixture(scope="module")
def store():
    """Images of columns, rows and their own number; masks of columns and rows."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.uint8)
    places = np.stack([x, y], -1)
    images = np.stack([np.dstack([places, np.full_like(x, 10 * n)]) for n in range(COUNT)])
    # Each mask is its own image's: the row number is added there too.
    masks = np.stack([places + np.uint8(10 * n) for n in range(COUNT)])
    samples = tuple(Sample(f"image {number}") for number in range(COUNT))
    signatures = np.zeros((COUNT, 4096), np.float32)
    return ImageStore(samples, images, masks, signatures, "", ("columns", "rows"))


@pytest.fixture(scope="module")
def classified(store):
    """The same images, of three classes that do not come in their order."""
    labels = ["b", "c", "a", "c", "c", "b", "a"]
    return dataclasses.replace(
        store,
        samples=tuple(Sample(f"image {n}", label) for n, label in enumerate(labels)),
        masks=store.masks[..., :0],
        regions=(),
        classes=("a", "b", "c"),
    )


def pixels(images):
    """Undo the normalisation."""
    return (images + 0.75) * 64


def take(dataset, batches):
    return [(i.numpy(), t.numpy()) for i, t in itertools.islice(dataset, batches)]


def joined(batches):
    return tuple(np.concatenate(arrays) for arrays in zip(*batches, strict=True))


def rows_of(images):
    """Row numbers, from the plane that holds nothing else."""
    plane = pixels(images)[..., 2] / 10
    rows = np.round(plane[:, 0, 0]).astype(int)
    np.testing.assert_allclose(plane, np.broadcast_to(rows[:, None, None], plane.shape), atol=0.01)
    return rows


def one_epoch(store, batch_size=3, **options):
    dataset = training_batches(store, PREPROCESSING, batch_size, **options)
    images, targets = joined(take(dataset, -(-len(store) // batch_size)))
    return rows_of(images), images, targets


def assert_pairs(rows, images, masks):
    """Each mask is that of its image, from the same places: half a pixel apart and rounded."""
    shift = 10 * rows[:, None, None, None]
    difference = pixels(images)[..., :2] + shift - masks
    assert np.abs(difference).max() <= 1.01


@settings(max_examples=12)
@given(
    st.integers(0, 2**31 - 1),
    st.integers(0, 50),
    st.integers(1, 9),
    st.sampled_from([MOVING, dataclasses.replace(MOVING, bend=0), STILL]),
)
def test_masks_move_with_their_images(store, seed, epoch, batch_size, ranges):
    rows, images, masks = one_epoch(store, batch_size, seed=seed, first_epoch=epoch, ranges=ranges)
    assert sorted(rows) == list(range(COUNT))
    assert_pairs(rows, images, masks)


def test_images_and_masks_are_moved_at_all(store):
    """Or else moving together would be no wonder."""
    rows, images, masks = one_epoch(store, ranges=MOVING)
    for row, image, mask in zip(rows, pixels(images), masks, strict=True):
        assert np.abs(image[..., :2] - store.images[row][..., :2]).mean() > 0.5
        assert np.abs(mask - store.masks[row]).mean() > 0.5
    assert len({(mask - 10 * row).tobytes() for row, mask in zip(rows, masks, strict=True)}) == 7


def test_ranges_are_obeyed_one_by_one(store):
    """Without any, flips are left: sideways, about half of them."""
    flips = 0
    for epoch in range(6):
        rows, images, masks = one_epoch(store, ranges=STILL, first_epoch=epoch)
        for row, image, mask in zip(rows, pixels(images), masks, strict=True):
            flipped = image[0, 0, 0] > 20
            flips += flipped
            direction = -1 if flipped else 1
            np.testing.assert_allclose(image, store.images[row][:, ::direction], atol=1e-4)
            np.testing.assert_array_equal(mask, store.masks[row][:, ::direction])
    assert 10 < flips < 32


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("grey", [True, False])
def test_new_grey_levels_come_before_the_normalisation(channels, grey):
    """Twice the contrast and a tenth brighter, clipped, then scaled and shifted."""
    values = np.uint8([30, 90, 100, 140, 250])
    images = np.broadcast_to(values[:, None, None, None], (5, 8, 12, channels)).copy()
    if channels > 1 and not grey:
        images[..., 1] += 5
    store = ImageStore(
        tuple(Sample(str(value)) for value in values),
        images, np.zeros((5, 8, 12, 1), np.uint8), np.zeros((5, 4096), np.float32), "",
    )  # fmt: skip
    ranges = dataclasses.replace(STILL, contrast=(2, 2))
    ((found, _),) = take(training_batches(store, PREPROCESSING, 5, ranges=ranges), 1)
    assert found.shape == (5, 8, 12, channels)
    expected = ((images.astype(float) - 127.5) * 2 + 127.5).clip(0, 255) / 64 - 0.75
    order = np.argsort(found[:, 0, 0, 0], kind="stable")
    np.testing.assert_allclose(found[order], expected, atol=1e-5)


def test_what_is_not_said_is_mild_augmentation_of_seed_0_from_epoch_0(store):
    named = training_batches(store, PREPROCESSING, 3, seed=0, first_epoch=0, ranges=MILD)
    for one, other in zip(
        take(training_batches(store, PREPROCESSING, 3), 3), take(named, 3), strict=True
    ):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


@pytest.mark.parametrize("batch_size", [1, 3, 7, 20])
def test_batches_are_full_but_the_last_of_each_epoch(store, batch_size):
    per_epoch = -(-COUNT // batch_size)
    batches = take(training_batches(store, PREPROCESSING, batch_size, ranges=None), 2 * per_epoch)
    sizes = [min(batch_size, COUNT - start) for start in range(0, COUNT, batch_size)]
    assert [len(images) for images, _ in batches] == 2 * sizes
    assert [len(masks) for _, masks in batches] == 2 * sizes
    for epoch in (batches[:per_epoch], batches[per_epoch:]):
        rows = rows_of(joined(epoch)[0])
        assert sorted(rows) == list(range(COUNT))


@pytest.mark.parametrize("seed", [0, 5])
def test_neither_order_nor_augmentation_depends_on_the_batch_size(store, seed):
    (images, masks), *others = (
        joined(take(training_batches(store, PREPROCESSING, size, seed=seed), -(-COUNT // size)))
        for size in (7, 1, 4)
    )
    for other_images, other_masks in others:
        np.testing.assert_array_equal(images, other_images)
        np.testing.assert_array_equal(masks, other_masks)


def test_an_image_is_augmented_alike_wherever_it_stands_in_the_order(store):
    """What moves a row depends on seed, epoch and row alone, not on the rows before it."""
    rows, images, _ = one_epoch(store, ranges=MOVING, seed=4)
    # The same epoch of a store that lacks the last rows comes in another order.
    fewer = store.take(range(4))
    other_rows, other_images, _ = one_epoch(fewer, ranges=MOVING, seed=4)
    assert [row for row in rows if row < 4] != list(other_rows)
    for row, image in zip(other_rows, other_images, strict=True):
        np.testing.assert_array_equal(image, images[list(rows).index(row)])


def test_seed_and_epoch_are_not_added_up(store):
    """Seed 0 in epoch 1 and seed 1 in epoch 0 are different in order and augmentation."""
    (rows, images, _), (other_rows, other_images, _) = (
        one_epoch(store, ranges=MOVING, seed=seed, first_epoch=1 - seed) for seed in (0, 1)
    )
    assert list(rows) != list(other_rows)
    for row in range(COUNT):
        one, other = images[list(rows).index(row)], other_images[list(other_rows).index(row)]
        assert not np.array_equal(one, other)


@pytest.mark.parametrize("first_epoch", [1, 4])
@pytest.mark.parametrize("ranges", [None, MILD, WIDE])
def test_a_stream_that_begins_later_goes_on_to_the_last_digit(classified, first_epoch, ranges):
    options = {"seed": 9, "ranges": ranges}
    whole = take(training_batches(classified, PREPROCESSING, 4, **options), 2 * (first_epoch + 2))
    later = training_batches(classified, PREPROCESSING, 4, first_epoch=first_epoch, **options)
    for (images, targets), (other, others) in zip(
        whole[2 * first_epoch :], take(later, 4), strict=True
    ):
        np.testing.assert_array_equal(images, other)
        np.testing.assert_array_equal(targets, others)


@pytest.mark.parametrize("ranges", [None, MOVING])
def test_each_image_comes_with_its_own_class(classified, ranges):
    rows, images, targets = one_epoch(classified, ranges=ranges)
    assert sorted(rows) == list(range(COUNT))
    assert targets.dtype == np.float32
    expected = np.eye(3)[[1, 2, 0, 2, 2, 1, 0]]
    np.testing.assert_array_equal(targets, expected[rows])
    if ranges:
        assert np.abs(pixels(images)[..., 0] - np.arange(WIDTH)).mean() > 0.5


def test_without_ranges_nothing_is_changed(store):
    rows, images, masks = one_epoch(store, ranges=None)
    np.testing.assert_allclose(pixels(images), store.images[rows], atol=1e-4)
    np.testing.assert_array_equal(masks, store.masks[rows])


@pytest.mark.parametrize("batch_size", [1, 3, 20])
def test_evaluation_pairs_images_with_masks_and_classes_in_order(store, classified, batch_size):
    images, masks = joined(evaluation_batches(store, PREPROCESSING, batch_size).as_numpy_iterator())
    np.testing.assert_allclose(pixels(images), store.images, atol=1e-4)
    np.testing.assert_array_equal(masks, store.masks)
    batches = list(evaluation_batches(classified, PREPROCESSING, batch_size).as_numpy_iterator())
    assert max(len(images) for images, _ in batches) == min(batch_size, COUNT)
    images, targets = joined(batches)
    np.testing.assert_allclose(pixels(images), store.images, atol=1e-4)
    np.testing.assert_array_equal(targets, np.eye(3)[[1, 2, 0, 2, 2, 1, 0]])


@pytest.mark.parametrize("make", [training_batches, evaluation_batches])
def test_shapes_are_known_before_any_batch_is_made(store, classified, make):
    for each, target in ((store, (None, HEIGHT, WIDTH, 2)), (classified, (None, 3))):
        image_spec, target_spec = make(
            store=each, preprocessing=PREPROCESSING, batch_size=3
        ).element_spec
        assert tuple(image_spec.shape) == (None, HEIGHT, WIDTH, 3)
        assert tuple(target_spec.shape) == target
