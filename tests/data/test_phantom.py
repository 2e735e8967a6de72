import numpy as np
import pytest
from scipy import ndimage

from tinyseg.data import duplicates
from tinyseg.data.phantom import load_phantom

SHARES = {"benign": 437 / 780, "malignant": 210 / 780, "normal": 133 / 780}


@pytest.fixture(scope="module")
def sixty():
    """Sixty phantoms: their labels, images and masks."""
    dataset = load_phantom(60, size=96, seed=1)
    labels = [sample.label for sample in dataset.samples]
    return labels, *map(np.stack, zip(*map(dataset.read, dataset.samples), strict=True))


def test_shapes_and_types(sixty):
    _, images, masks = sixty
    assert images.shape == masks.shape == (60, 96, 96)
    assert images.dtype == masks.dtype == np.uint8
    assert set(np.unique(masks)) == {0, 1}


@pytest.mark.parametrize("size", [32, 75])
def test_any_size_from_32(size):
    dataset = load_phantom(3, size=size)
    for sample in dataset.samples:
        image, mask = dataset.read(sample)
        assert image.shape == mask.shape == (size, size)


@pytest.mark.parametrize("count", [1, 2, 7, 48, 360, 1001])
def test_labels_have_the_shares_of_busi(count):
    counts = load_phantom(count).label_counts
    assert sum(counts.values()) == count
    for label, share in SHARES.items():
        assert counts.get(label, 0) == pytest.approx(share * count, abs=1 + 0.005 * count)


def test_names_are_unique():
    assert len({sample.name for sample in load_phantom(1001).samples}) == 1001


def test_a_sample_is_the_same_whenever_it_is_read(sixty):
    _, images, masks = sixty
    dataset = load_phantom(60, size=96, seed=1)
    for index in (59, 0, 33, 0):
        image, mask = dataset.read(dataset.samples[index])
        np.testing.assert_array_equal(image, images[index])
        np.testing.assert_array_equal(mask, masks[index])


def test_another_seed_gives_other_images_of_equal_labels(sixty):
    labels, images, _ = sixty
    dataset = load_phantom(60, size=96, seed=2)
    assert [sample.label for sample in dataset.samples] == labels
    first = duplicates.signature(dataset.read(dataset.samples[0])[0])
    others = np.stack([duplicates.signature(image) for image in images])
    assert (others @ first).max() < 0.9


def test_no_two_are_near_duplicates(sixty):
    images = sixty[1]
    signatures = np.stack([duplicates.signature(image) for image in images])
    assert duplicates.near_duplicates(signatures, threshold=0.9) == []


def test_only_normal_ones_have_empty_masks(sixty):
    labels, _, masks = sixty
    for label, mask in zip(labels, masks, strict=True):
        assert mask.any() == (label != "normal")


def test_lesions_have_plausible_areas(sixty):
    labels, _, masks = sixty
    areas = masks.mean(axis=(1, 2))[[label != "normal" for label in labels]]
    assert areas.min() > 0.002
    assert areas.max() < 0.4
    # BUSI's lesions cover 9 % on average.
    assert 0.04 < areas.mean() < 0.14


def test_lesions_are_darker_than_their_surroundings(sixty):
    contrasts = []
    for _, image, mask in zip(*sixty, strict=True):
        if mask.any():
            ring = ndimage.binary_dilation(mask, iterations=8) & (mask == 0)
            contrasts.append(image[mask == 1].mean() - image[ring].mean())
    assert np.mean(contrasts) < -30
    assert np.mean(np.array(contrasts) < 0) > 0.95


def test_masks_fit_their_lesions(sixty):
    """The edge lies where the mask says: a mask moved by a tenth of the width fits worse."""
    worse = []
    for _, image, mask in zip(*sixty, strict=True):
        if mask.any():
            inside = [image[np.roll(mask, shift, axis=1) == 1].mean() for shift in (-10, 0, 10)]
            worse.append(inside[1] < min(inside[0], inside[2]))
    assert np.mean(worse) > 0.95


def test_images_use_the_grey_scale_and_are_speckled(sixty):
    images = sixty[1].astype(float)
    assert np.median(images.std(axis=(1, 2))) > 25
    assert np.mean((images == 0) | (images == 255)) < 0.15
    fine = images - ndimage.uniform_filter(images, (0, 5, 5))
    assert fine.std() > 5


def test_fingerprint_names_count_size_and_seed():
    prints = {
        load_phantom(*arguments).fingerprint()
        for arguments in [(5, 64, 0), (6, 64, 0), (5, 65, 0), (5, 64, 1), (5, 64, 0)]
    }
    assert len(prints) == 4


@pytest.mark.parametrize("arguments", [{"count": 0}, {"size": 31}, {"seed": -1}])
def test_arguments_out_of_range_are_refused(arguments):
    with pytest.raises(ValueError, match="phantom needs"):
        load_phantom(**arguments)
