"""Metrics against hand counts and identities, and the empty-mask convention."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tinyseg.training.losses import BceDiceLoss
from tinyseg.training.metrics import Confusion, image_dice, summarise

MASKS = arrays.arrays(bool, (3, 4, 5, 1))


def test_scores_of_a_hand_counted_pair():
    truth = np.array([[1, 1, 1, 0, 0, 0, 0, 0]])
    prediction = np.array([[1, 1, 0, 1, 0, 0, 0, 0]])
    scores = summarise(truth, prediction)
    assert scores["dice"] == pytest.approx(4 / 6)
    assert scores["iou"] == pytest.approx(2 / 4)
    assert scores["precision"] == pytest.approx(2 / 3)
    assert scores["recall"] == pytest.approx(2 / 3)
    assert scores["specificity"] == pytest.approx(4 / 5)
    assert scores["pixel_accuracy"] == pytest.approx(6 / 8)
    assert scores["images"] == 1


def test_mean_over_images_differs_from_pooled():
    truth = np.array([[1, 1, 1, 1], [1, 0, 0, 0]])
    prediction = np.array([[1, 1, 1, 1], [0, 0, 0, 1]])
    scores = summarise(truth, prediction)
    assert scores["dice"] == pytest.approx((1 + 0) / 2)
    assert scores["pooled"]["dice"] == pytest.approx(2 * 4 / (5 + 5))


@pytest.mark.parametrize(
    ("truth", "prediction", "dice", "precision", "recall"),
    [
        ([0, 0, 0], [0, 0, 0], 1, 1, 1),
        ([0, 0, 0], [0, 1, 0], 0, 0, 1),
        ([0, 1, 0], [0, 0, 0], 0, 1, 0),
    ],
)
def test_empty_mask_convention(truth, prediction, dice, precision, recall):
    scores = summarise(np.array([truth]), np.array([prediction]))
    assert (scores["dice"], scores["iou"]) == (dice, dice)
    assert (scores["precision"], scores["recall"]) == (precision, recall)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="differ"):
        Confusion.of(np.zeros((2, 3)), np.zeros((2, 4)))


@given(MASKS, MASKS)
def test_dice_and_iou_agree_with_their_identity(truth, prediction):
    scores = Confusion.of(truth, prediction).scores()
    np.testing.assert_allclose(scores["dice"], 2 * scores["iou"] / (1 + scores["iou"]))
    swapped = Confusion.of(prediction, truth).scores()
    np.testing.assert_array_equal(scores["dice"], swapped["dice"])
    np.testing.assert_array_equal(scores["precision"], swapped["recall"])


@given(MASKS, arrays.arrays(np.float32, (3, 4, 5, 1), elements=st.floats(0, 1, width=32)))
def test_training_metric_equals_the_reported_one(truth, probabilities):
    expected = Confusion.of(truth, probabilities > 0.5).scores()["dice"]
    got = image_dice(tf.constant(truth, tf.float32), tf.constant(probabilities))
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_loss_equals_numpy():
    rng = np.random.default_rng(0)
    truth = (rng.random((2, 5, 6, 1)) > 0.7).astype(np.float32)
    probabilities = rng.uniform(0.05, 0.95, truth.shape).astype(np.float32)
    entropy = -(truth * np.log(probabilities) + (1 - truth) * np.log(1 - probabilities))
    overlap, total = (truth * probabilities).sum((1, 2, 3)), (truth + probabilities).sum((1, 2, 3))
    expected = entropy.mean((1, 2, 3)) + 0.5 * (1 - (2 * overlap + 1) / (total + 1))
    assert float(BceDiceLoss(0.5)(truth, probabilities)) == pytest.approx(expected.mean(), rel=1e-4)


def test_loss_rewards_silence_where_nothing_is():
    truth = np.zeros((1, 4, 4, 1), np.float32)
    losses = [float(BceDiceLoss()(truth, np.full_like(truth, p))) for p in (0.01, 0.1, 0.5)]
    assert losses == sorted(losses)
