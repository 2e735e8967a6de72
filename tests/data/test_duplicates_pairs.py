"""Correlations and groups against NumPy and SciPy, on pictures that are not alike in any way."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tinyseg.data import duplicates


def smooth(seed, height=64, width=64):
    noise = np.random.default_rng(seed).integers(0, 256, (9, 9), np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def signatures(*pictures):
    return np.stack([duplicates.signature(picture) for picture in pictures])


def reference(grey):
    """Zero mean and unit length, row by row."""
    values = np.asarray(grey, float) - np.mean(grey)
    return (values / np.sqrt((values**2).sum())).ravel()


def test_signature_is_the_centred_picture_row_by_row():
    picture = smooth(0)
    signature = duplicates.signature(picture)
    np.testing.assert_allclose(signature, reference(picture), atol=1e-6)
    assert (signature.shape, signature.dtype) == ((4096,), np.float32)


def test_signature_averages_areas():
    """Blocks of 3 x 2 pixels become one each."""
    picture = np.random.default_rng(1).integers(0, 256, (192, 128), np.uint8)
    blocks = picture.reshape(64, 3, 64, 2).mean((1, 3))
    # Each mean is rounded to a grey level.
    expected = reference(np.round(blocks))
    assert np.abs(duplicates.signature(picture) - expected).max() < 0.55 / np.std(blocks) / 64


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_signature_of_several_channels(channels):
    """Three are red, green and blue, with the weights of BT.601; others count alike."""
    picture = np.stack([smooth(10 + channel) for channel in range(channels)], -1)
    weights = [0.299, 0.587, 0.114] if channels == 3 else np.full(channels, 1 / channels)
    expected = reference(picture @ weights)
    found = duplicates.signature(picture)
    assert found @ expected == pytest.approx(1, abs=1e-3)
    # None of them counts for nothing, nor for another.
    wrong = reference(picture @ np.roll(weights, 1)) if channels == 3 else None
    assert wrong is None or found @ wrong < 0.99
    if channels == 1:
        np.testing.assert_array_equal(found, duplicates.signature(picture[..., 0]))


@pytest.mark.parametrize("shape", [(70, 50), (70, 50, 3), (70, 50, 4), (64, 64), (1, 1)])
def test_uniform_pictures_are_all_zero(shape):
    signature = duplicates.signature(np.full(shape, 201, np.uint8))
    assert (signature.shape, signature.dtype) == ((4096,), np.float32)
    assert not signature.any()


def test_a_picture_that_is_nearly_uniform_still_counts():
    picture = np.full((64, 64), 80, np.uint8)
    picture[5, 9] = 81
    assert np.linalg.norm(duplicates.signature(picture)) == pytest.approx(1, abs=1e-5)


def expected_pairs(values, threshold):
    """Each pair's Pearson correlation, or that with the mirror image if it is higher."""
    pairs = []
    for i in range(len(values)):
        for j in range(i + 1, len(values)):
            mirrored = values[j].reshape(64, 64)[:, ::-1].ravel()
            best = max(stats.pearsonr(values[i], each)[0] for each in (values[j], mirrored))
            if best > threshold:
                pairs.append((best, i, j))
    return sorted(pairs, reverse=True)


@pytest.mark.parametrize("threshold", [-0.2, 0.1, 0.5])
@pytest.mark.parametrize("block", [1, 4, 2048])
def test_pairs_are_those_of_scipy(monkeypatch, threshold, block):
    """Mixtures of two pictures and their mirror images, no two correlations equal."""
    monkeypatch.setattr(duplicates, "_BLOCK", block)
    rng = np.random.default_rng(3)
    parts = np.stack([smooth(1), smooth(2), smooth(1)[:, ::-1]]).astype(float)
    mixed = [np.tensordot(rng.dirichlet((1, 1, 1)), parts, 1) for _ in range(9)]
    values = signatures(*(np.round(each).astype(np.uint8) for each in mixed))
    found = duplicates.near_duplicates(values, threshold)
    expected = expected_pairs(values, threshold)
    assert len(expected) > 0
    assert [pair[1:] for pair in found] == [pair[1:] for pair in expected]
    np.testing.assert_allclose([p[0] for p in found], [p[0] for p in expected], atol=1e-5)
    assert all(type(i) is type(j) is int and type(value) is float for value, i, j in found)


def test_default_threshold_is_98_percent():
    """Two unit vectors at a known angle, and a third one that correlates with neither."""

    def at(correlation):
        first, second = np.zeros((2, 64, 64), np.float32)
        first[0, 0], second[0, 0] = 1, correlation
        second[5, 9] = np.sqrt(1 - correlation**2)
        return np.stack([first.ravel(), second.ravel()])

    ((value, *pair),) = duplicates.near_duplicates(at(0.981))
    assert pair == [0, 1]
    assert value == pytest.approx(0.981, abs=1e-6)
    assert duplicates.near_duplicates(at(0.979)) == []
    # Exclusive: a half is exact in floating point, so are its neighbours on either side.
    half = np.zeros((2, 4096), np.float32)
    half[0, 70], half[1, 70] = 1, 0.5
    assert duplicates.near_duplicates(half, 0.5) == []
    assert len(duplicates.near_duplicates(half, float(np.nextafter(np.float32(0.5), 0)))) == 1


def test_equal_correlations_come_in_the_order_of_the_images():
    """To the fifth decimal: what differs beyond it is noise."""
    vectors = np.zeros((6, 4096), np.float32)
    for row, (first, second) in enumerate([(0, 1), (2, 3), (0, 1), (2, 3), (4, 5), (4, 5)]):
        vectors[row, 70 * first], vectors[row, 70 * second] = 0.6, 0.8
    vectors[2] *= np.float32(0.9999985)
    vectors[5] *= np.float32(0.9998)
    found = duplicates.near_duplicates(vectors)
    assert [pair[1:] for pair in found] == [(0, 2), (1, 3), (4, 5)]
    assert found[0][0] < found[1][0]
    vectors[0] *= np.float32(0.99998)
    assert [p[1:] for p in duplicates.near_duplicates(vectors)] == [(1, 3), (0, 2), (4, 5)]


def test_images_in_different_blocks_are_compared(monkeypatch):
    """Also the last of a set that is no whole number of blocks, and with none before itself."""
    values = signatures(*(smooth(seed) for seed in range(7)), smooth(0), smooth(6)[:, ::-1])
    for block in (1, 2, 3, 5, 8, 9, 10):
        monkeypatch.setattr(duplicates, "_BLOCK", block)
        found = duplicates.near_duplicates(values)
        assert sorted(pair[1:] for pair in found) == [(0, 7), (6, 8)]
    assert duplicates.near_duplicates(values[:1]) == []
    assert duplicates.near_duplicates(values[:0]) == []


# Groups


def test_groups_by_hand():
    numbers = duplicates.groups(7, [(1.0, 1, 4), (0.99, 4, 6), (0.99, 0, 3)]).tolist()
    assert numbers[1] == numbers[4] == numbers[6]
    assert numbers[0] == numbers[3]
    assert len(set(numbers)) == 4
    assert len(numbers) == 7
    assert duplicates.groups(0, []).tolist() == []


@settings(max_examples=25)
@given(st.integers(1, 15), st.data())
def test_groups_are_what_merging_one_by_one_gives(count, data):
    """Whatever the correlations; the last image and the first have edges too."""
    places = st.integers(0, count - 1)
    edges = data.draw(st.lists(st.tuples(st.sampled_from([0.0, 0.98, 1.0]), places, places)))
    numbers = duplicates.groups(count, edges)
    merged = list(range(count))
    for _, i, j in edges:
        merged = [merged[i] if each == merged[j] else each for each in merged]
    assert numbers.shape == (count,)
    for i in range(count):
        for j in range(count):
            assert (numbers[i] == numbers[j]) == (merged[i] == merged[j])
