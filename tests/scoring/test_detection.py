"""Curves over all thresholds, by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyseg.scoring.detection import THRESHOLDS, free_response, presence


def test_presence_by_hand():
    """Of six pairs of ill and healthy, four are right and one is a tie."""
    found = presence(np.array([0.9, 0.4, 0.8, 0.4, 0.1]), np.array([1, 1, 0, 0, 0], bool))
    assert found.area == pytest.approx(4.5 / 6)
    assert found.false_alarms == (0, 0, 1 / 3, 2 / 3, 1)
    assert found.found == (0, 0.5, 0.5, 1, 1)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30))
def test_area_is_the_share_of_pairs_in_order(rows):
    scores, ill = np.array([row[0] for row in rows], float), np.array([row[1] for row in rows])
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[ill] for b in scores[~ill]]
    expected = pytest.approx(np.mean(pairs)) if pairs else None
    assert presence(scores, ill).area == expected


def test_free_response_by_hand():
    """Two lesions in one image, of which one is found low; one part beside, one in the other."""
    masks = np.zeros((2, 8, 10, 1), np.uint8)
    masks[0, 1:3, 1:3] = masks[0, 5:7, 5:7] = 1
    maps = np.zeros(masks.shape, np.float32)
    maps[0, 2:4, 2:4] = 0.9
    maps[0, 6, 6] = 0.25
    maps[0, 0, 9] = 0.65
    maps[1, 4, 4] = 0.45
    found = free_response(maps, masks)
    at = {bound: row for row, bound in enumerate(THRESHOLDS)}
    expected = {0.2: (1.0, 1.0), 0.3: (1.0, 0.5), 0.5: (0.5, 0.5), 0.7: (0.0, 0.5), 0.92: (0, 0)}
    for bound, (false_parts, share) in expected.items():
        row = at[bound]
        assert (found.false_parts[row], found.found[row]) == (false_parts, share)


def test_a_part_over_two_lesions_finds_both():
    masks = np.zeros((1, 6, 9, 1), np.uint8)
    masks[0, 2, 1] = masks[0, 2, 7] = 1
    maps = np.zeros(masks.shape, np.float32)
    maps[0, 2] = 0.99
    found = free_response(maps, masks)
    assert set(found.found) == {1.0}
    assert set(found.false_parts) == {0.0}


def test_without_lesions_none_can_be_found():
    maps = np.full((1, 4, 4, 2), 0.5, np.float32)
    found = free_response(maps, np.zeros(maps.shape, np.uint8))
    assert found.found == ()
    assert found.false_parts[0] == 2
