"""Which operating point is chosen for a wish, on images whose best points are known."""

import dataclasses

import numpy as np
import pytest

from tinyseg.decision import decide
from tinyseg.operating_point import OperatingPoint
from tinyseg.scoring.calibration import (
    Candidate,
    Wish,
    candidates,
    score_point,
    simplest_kinds,
)
from tinyseg.scoring.metrics import summarise_masks

SIDE = 24


def images():
    """Ten images with a lesion, the last hardly seen; ten healthy ones in which less is seen."""
    rng = np.random.default_rng(0)
    masks = np.zeros((20, SIDE, SIDE, 1), np.uint8)
    maps = 0.1 * rng.random(masks.shape, np.float32)
    for number in range(10):
        masks[number, 4:14, 6:18] = 1
        maps[number, 4:14, 6:18] = 0.95 if number < 9 else 0.62
        # A speck beside each.
        maps[number, 20:22, 20:22] = 0.7
    for number in range(10, 20):
        maps[number, 8:10, 8:11] = 0.6 if number < 19 else 0.93
    return maps, masks


@pytest.fixture(scope="module")
def made():
    return candidates(*images(), OperatingPoint())


def test_scores_are_those_of_the_masks(made):
    """Blank images are counted without deciding again; the figures are those of doing so."""
    maps, masks = images()
    for one in made[:: len(made) // 60]:
        decisions = decide(maps, one.point)
        scores = summarise_masks(masks, decisions)
        ill = masks.any((1, 2, 3))
        assert one.dice == pytest.approx(scores["dice"])
        assert one.lesion_dice == pytest.approx(summarise_masks(masks[ill], decisions[ill])["dice"])
        assert one.missed_lesions == scores["missed_lesions"]
        assert one.false_alarms == scores["false_alarms"]
        assert one == score_point(maps, masks, one.point)


def test_most_dice_leaves_the_healthy_blank(made):
    chosen = Wish().best(made)
    before = score_point(*images(), OperatingPoint())
    assert before.false_alarms_per_100 == 100
    assert chosen.false_alarms <= 1
    assert chosen.dice > before.dice + 0.4
    assert chosen.lesion_dice >= before.lesion_dice


def test_at_most_so_many_false_alarms(made):
    for most, alarms in ((100, 10), (10, 1), (0, 0)):
        chosen = Wish(most_false_alarms=most).best(made)
        assert chosen.false_alarms <= alarms
    # Without any, the lesion that is seen less than that is missed.
    assert chosen.missed_lesions == 1


def test_a_limit_looks_after_the_healthy_and_the_rest_is_for_the_lesions():
    careful = Candidate(OperatingPoint(blank_below=0.9), 0.60, 0.66, 4, 0, 10)
    bold = Candidate(OperatingPoint(blank_below=0.7), 0.63, 0.65, 2, 2, 10)
    rash = Candidate(OperatingPoint(), 0.64, 0.55, 0, 5, 10)
    made = [careful, bold, rash]
    assert Wish().best(made) is careful
    assert Wish(most_false_alarms=20).best(made) is bold
    assert Wish(most_false_alarms=100).best(made) is rash
    # Of points that serve the lesions as well, the one with fewer false alarms.
    quiet = dataclasses.replace(bold, lesion_dice=0.6295, false_alarms=1)
    assert Wish(most_false_alarms=20).best([*made, quiet]) is quiet


def test_no_missed_lesion_comes_before_false_alarms(made):
    chosen = Wish(no_missed_lesion=True).best(made)
    assert (chosen.missed_lesions, chosen.false_alarms) == (0, 1)


def test_a_wish_that_nothing_serves():
    one = Candidate(OperatingPoint(), 0.5, 0.5, 0, 3, 10)
    assert Wish(most_false_alarms=29).best([one]) is None
    assert Wish(most_false_alarms=29, no_missed_lesion=True).best([one]) is None
    assert Wish(most_false_alarms=30).best([one]) is one


def test_the_simpler_of_equal_points_is_chosen():
    plain = Candidate(OperatingPoint(), 0.5, 0.7, 0, 3, 10)
    parts = dataclasses.replace(plain, point=OperatingPoint(largest_only=True), dice=0.7009)
    better = dataclasses.replace(parts, dice=0.702)
    other = dataclasses.replace(plain, point=OperatingPoint(threshold=0.4), dice=0.7005)
    assert Wish().best([parts, other, plain]) is plain
    assert Wish().best([parts, other]) is other
    assert Wish().best([plain, better]) is better


def test_without_healthy_images_there_are_no_false_alarms():
    maps, masks = images()
    one = score_point(maps[:10], masks[:10], OperatingPoint())
    assert one.false_alarms_per_100 is None
    assert one.dice == one.lesion_dice
    assert Wish(most_false_alarms=0).allows(one)


def test_best_of_each_kind(made):
    kinds = simplest_kinds(made, Wish())
    words = [one.point.described() for one in kinds]
    assert len(set(words)) == len(words) > 8
    assert max(one.dice for one in kinds) == max(one.dice for one in made)
