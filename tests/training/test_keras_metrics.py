"""Dice while training equals the reported one, of every image and of those with a lesion."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tinyseg.scoring.metrics import Confusion, summarise_masks
from tinyseg.training.keras_metrics import FalseAlarms, LesionDice, MissedLesions, image_dice

MASKS = arrays.arrays(bool, (3, 4, 5, 1))
# Round values make ties with the threshold likely.
PROBABILITIES = arrays.arrays(np.float32, (3, 4, 5, 1), elements=st.sampled_from([0, 0.25, 0.5, 1]))


def dice_of(truth, probabilities, threshold=0.5):
    return image_dice(
        tf.constant(truth, tf.float32), tf.constant(probabilities, tf.float32), threshold
    ).numpy()


@settings(max_examples=50)
@given(MASKS, PROBABILITIES)
def test_training_metric_equals_the_reported_one(truth, probabilities):
    expected = Confusion.of(truth, probabilities > 0.5).scores()["dice"]
    np.testing.assert_allclose(dice_of(truth, probabilities), expected, rtol=1e-6)
    metric = LesionDice()
    for one, other in zip(truth, probabilities, strict=True):
        metric.update_state(tf.constant(one[None], tf.float32), tf.constant(other[None]))
    marked = truth.any((1, 2, 3))
    of_lesions = expected[marked].mean() if marked.any() else 0
    assert float(metric.result()) == pytest.approx(of_lesions, rel=1e-6)


def test_threshold_is_the_one_that_is_given():
    truth = np.array([1, 1, 1, 0, 0]).reshape(1, 1, 5, 1)
    probabilities = np.array([0.9, 0.7, 0.3, 0.25, 0.2], np.float32).reshape(1, 1, 5, 1)
    # Two found; all three and one too many; 0.25 itself is not above 0.25.
    assert dice_of(truth, probabilities) == pytest.approx(4 / 5)
    assert dice_of(truth, probabilities, 0.22) == pytest.approx(6 / 7)
    assert dice_of(truth, probabilities, 0.25) == 1


def test_regions_count_alike_and_images_apart():
    truth, probabilities = np.zeros((2, 2, 2, 4, 2), np.float32)
    # In the first image one region is found by half and one is empty and left so.
    truth[0, 0, :2, 0] = probabilities[0, 0, 0, 0] = 1
    # In the second both are marked: one is found with two pixels too many, one is missed.
    truth[1, 0, 0, 0] = probabilities[1, 0, :3, 0] = truth[1, 1, 1, 1] = 1
    assert dice_of(truth, probabilities) == pytest.approx([(2 / 3 + 1) / 2, (2 / 4 + 0) / 2])


def test_an_image_counts_if_any_of_its_regions_is_marked():
    truth, probabilities = np.zeros((2, 3, 2, 3, 2), np.float32)
    truth[0, 1, 2, 1] = 1  # Missed; the other region is empty and left so.
    probabilities[1, 0, 0, 0] = 1  # Found where nothing is: not among those with a lesion.
    truth[2, 0, :2, 0] = probabilities[2, 0, :2, 0] = 1
    metric = LesionDice()
    metric.update_state(tf.constant(truth), tf.constant(probabilities))
    assert float(metric.result()) == pytest.approx(((0 + 1) / 2 + 1) / 2)
    assert metric.name == "lesion_dice"
    metric.reset_state()
    metric.update_state(tf.constant(truth[1:2]), tf.constant(probabilities[1:2]))
    assert float(metric.result()) == 0


@settings(max_examples=30)
@given(MASKS, PROBABILITIES)
def test_counts_are_the_reported_ones(truth, probabilities):
    truth[0] = False
    scores = summarise_masks(truth, probabilities > 0.5)
    for metric in (FalseAlarms(), MissedLesions()):
        for rows in (slice(0, 2), slice(2, 3)):
            batch = truth[rows], probabilities[rows]
            metric.update_state(*(tf.constant(part, tf.float32) for part in batch))
        assert float(metric.result()) == scores[metric.name]
        metric.reset_state()
        assert float(metric.result()) == 0
