"""Masks at an operating point: by hand, and against exact fractions and SciPy's labels."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from tinyseg.decision import decide, keep_parts, peaks, units, whole
from tinyseg.operating_point import OperatingPoint

TOUCHING = np.ones((3, 3), int)


def kept_by_scipy(mask, smallest, largest_only):
    """The parts of a mask that are kept, in SciPy's words."""
    labels, count = ndimage.label(mask, TOUCHING)
    parts = [np.flatnonzero(labels == number) for number in range(1, count + 1)]
    parts = [part for part in parts if len(part) >= smallest]
    if largest_only and parts:
        parts = [min(parts, key=lambda part: (-len(part), part[0]))]
    kept = np.zeros(mask.size, bool)
    for part in parts:
        kept[part] = True
    return kept.reshape(mask.shape)


def halves_up(value):
    return int((value + Fraction(1, 2)) // 1)


def by_fractions(probabilities, point):
    """The mask of one map, from exact numbers and sorted ones."""
    exact = [halves_up(65535 * Fraction(float(p))) for p in probabilities.ravel()]
    count = max(1, halves_up(Fraction(point.share) * probabilities.size))
    top = sum(sorted(exact, reverse=True)[:count])
    blank = Fraction(top, count) < halves_up(65535 * Fraction(point.blank_below))
    share = Fraction(halves_up(65536 * Fraction(point.relative)), 65536)
    mask = np.zeros(probabilities.shape, bool)
    for place, p in enumerate(probabilities.ravel()):
        above = float(p) > point.threshold
        if share:
            above |= exact[place] > share * Fraction(top, count)
        mask.flat[place] = above and not blank
    return kept_by_scipy(mask, max(point.smallest, 1), point.largest_only)


# Whole numbers of the grid of an int8 file, and of no grid at all.
MAPS = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    elements=st.one_of(
        st.integers(0, 255).map(lambda stored: stored / 256),
        st.floats(0, 1, width=32),
        st.sampled_from([0.0, 0.5, 1.0]),
    ),
)
# Shares of 1/64 are exact in binary, as are their products with few pixels.
SHARES = st.integers(0, 64).map(lambda share: share / 64)
POINTS = st.builds(
    OperatingPoint,
    threshold=SHARES.filter(lambda t: t < 1),
    blank_below=SHARES,
    share=st.integers(1, 64).map(lambda share: share / 64),
    relative=SHARES,
    smallest=st.integers(0, 6),
    largest_only=st.booleans(),
)


@settings(max_examples=150, deadline=None)
@given(MAPS, POINTS)
def test_masks_are_those_of_exact_fractions(probabilities, point):
    found = decide(probabilities[None, ..., None], point)
    assert found.dtype == bool
    np.testing.assert_array_equal(found[0, ..., 0], by_fractions(probabilities, point))


@settings(max_examples=100, deadline=None)
@given(
    arrays.arrays(bool, st.tuples(st.integers(1, 20), st.integers(1, 20))),
    st.integers(0, 9),
    st.booleans(),
)
def test_parts_are_those_of_scipy(mask, smallest, largest_only):
    expected = kept_by_scipy(mask, smallest, largest_only)
    np.testing.assert_array_equal(keep_parts(mask, smallest, largest_only), expected)


def picture(*rows):
    return np.array([[pixel != "." for pixel in row] for row in rows])


@pytest.mark.parametrize(
    ("smallest", "largest_only", "expected"),
    [
        (0, False, ("#..##", ".#...", "..#.#", "....#")),
        (3, False, ("#....", ".#...", "..#..", ".....")),
        (2, False, ("#..##", ".#...", "..#.#", "....#")),
        (0, True, ("#....", ".#...", "..#..", ".....")),
        (4, True, (".....", ".....", ".....", ".....")),
    ],
)
def test_parts_by_hand(smallest, largest_only, expected):
    """Corners join; a part of two pixels on the right and one above are parts of their own."""
    mask = picture("#..##", ".#...", "..#.#", "....#")
    np.testing.assert_array_equal(keep_parts(mask, smallest, largest_only), picture(*expected))


def test_of_equal_parts_the_first_is_kept():
    mask = picture(".....#", "##...#", "......")
    np.testing.assert_array_equal(keep_parts(mask, 0, True), picture(".....#", ".....#", "......"))


def test_a_threshold_alone_is_as_it_was():
    maps = np.random.default_rng(0).random((3, 8, 9, 2)).astype(np.float32)
    maps[0, 0, 0] = 0.3
    for threshold in (0.0, 0.3, 0.5, 1.0):
        expected = maps > threshold
        np.testing.assert_array_equal(decide(maps, threshold), expected)
        np.testing.assert_array_equal(decide(maps, OperatingPoint(threshold=threshold)), expected)
    assert decide(maps[:0], OperatingPoint(largest_only=True)).shape == (0, 8, 9, 2)


def test_each_image_and_region_has_its_own_peak_and_parts():
    rng = np.random.default_rng(1)
    maps = rng.random((4, 10, 7, 2)).astype(np.float32) * rng.random((4, 1, 1, 2), np.float32)
    point = OperatingPoint(blank_below=0.4, share=0.1, relative=0.75, largest_only=True)
    together = decide(maps, point)
    for image in range(4):
        for region in range(2):
            expected = by_fractions(maps[image, ..., region], point)
            np.testing.assert_array_equal(together[image, ..., region], expected)
    assert {bool(mask.any()) for mask in np.moveaxis(together, -1, 1).reshape(8, -1)} == {
        False,
        True,
    }


def test_the_peak_is_the_mean_of_the_highest_share():
    maps = np.array([0.25, 1.0, 0.75, 0.5], np.float32).reshape(1, 2, 2, 1)
    for share, peak in ((0.001, 1.0), (0.25, 1.0), (0.375, 0.875), (0.5, 0.875), (1.0, 0.625)):
        np.testing.assert_allclose(peaks(maps, share), [[peak]], atol=1 / 65535)


def test_at_the_edge_of_blank():
    """A peak that equals the bound is not below it; the next lower value is."""
    for stored, marked in ((128, True), (127, False)):
        maps = np.full((1, 4, 4, 1), stored / 256, np.float32)
        assert decide(maps, OperatingPoint(threshold=0.25, blank_below=0.5)).all() == marked


def test_at_the_edge_of_the_relative_threshold():
    """0.5 of a peak of 128/256 is 64/256, which is not above itself."""
    maps = np.array([128, 64, 65, 0], np.float32).reshape(1, 2, 2, 1) / 256
    point = OperatingPoint(relative=0.5)
    assert decide(maps, point).ravel().tolist() == [True, False, True, False]
    assert decide(maps, OperatingPoint(threshold=0.2, relative=0.5)).sum() == 3


def test_whole_numbers():
    assert units(np.float32([0, 0.5, 1, -1, 2])).tolist() == [0, 32768, 65535, 0, 65535]
    assert whole(OperatingPoint(share=0.004, blank_below=1, relative=1), 128 * 128) == (
        66,
        66 * 65535,
        65536,
    )
    assert whole(OperatingPoint(), 9).highest == 1


@pytest.mark.parametrize(
    ("point", "text"),
    [
        ({}, "p > 0.5"),
        ({"threshold": 0.3, "smallest": 1}, "p > 0.3"),
        (
            {"relative": 0.4, "blank_below": 0.7, "largest_only": True, "smallest": 9},
            "p > min(0.5, 0.4 of the peak), blank if the peak is below 0.7, largest part, "
            "parts of 9 pixels or more",
        ),
    ],
)
def test_a_point_in_words(point, text):
    made = OperatingPoint(**point)
    assert made.described() == text
    assert made.is_plain == ("," not in text)
