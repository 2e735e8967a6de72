"""Metrics against hand counts and identities, and the empty-mask convention."""

import itertools
import json

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage
from scipy.spatial.distance import cdist

from tinyseg.training.keras_metrics import LesionDice, image_dice
from tinyseg.training.losses import BceDiceLoss
from tinyseg.training.metrics import Confusion, hausdorff95, summarise

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
    assert scores["fpr"] == pytest.approx(1 / 5)
    assert scores["fnr"] == pytest.approx(1 / 3)
    assert scores["lesion_fpr"] == pytest.approx(1 / 3)
    assert scores["aer"] == pytest.approx(2 / 3)
    assert scores["images"] == scores["lesion_images"] == 1


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


@given(MASKS, MASKS)
def test_scores_are_consistent(truth, prediction):
    scores = Confusion.of(truth, prediction).scores()
    assert (scores["iou"] <= scores["recall"]).all()
    assert (scores["iou"] <= scores["dice"]).all()
    np.testing.assert_allclose(scores["fnr"], 1 - scores["recall"])
    np.testing.assert_allclose(scores["fpr"], 1 - scores["specificity"])
    lesion = truth.any((1, 2, 3))
    np.testing.assert_array_equal(np.isfinite(scores["aer"]), lesion)
    missed = scores["lesion_fpr"] + 1 - scores["recall"]
    np.testing.assert_allclose(scores["aer"][lesion], missed[lesion])


def test_area_errors_may_exceed_one_and_leave_out_images_without_lesion():
    truth = np.array([[1, 0, 0, 0], [0, 0, 0, 0]])
    prediction = np.array([[0, 1, 1, 0], [0, 0, 0, 1]])
    scores = summarise(truth, prediction)
    assert scores["lesion_fpr"] == 2
    assert scores["aer"] == 3
    assert scores["lesion_images"] == 1
    nothing = summarise(truth[1:], prediction[1:])
    assert nothing["aer"] is nothing["lesion_fpr"] is nothing["pooled"]["aer"] is None


def outline_of(mask):
    """The pixels that have a neighbour outside, by SciPy."""
    return mask & ~ndimage.binary_erosion(mask)


@given(*(arrays.arrays(bool, (9, 7)) for _ in range(2)))
def test_hausdorff_distance_against_all_pairs(truth, prediction):
    got = hausdorff95(truth, prediction)
    if truth.any() and prediction.any():
        pairs = cdist(np.argwhere(outline_of(truth)), np.argwhere(outline_of(prediction)))
        expected = max(np.percentile(pairs.min(axis), 95) for axis in (0, 1))
        assert got == pytest.approx(expected, rel=1e-5)
    elif truth.any() or prediction.any():
        assert np.isnan(got)
    else:
        assert got == 0


def test_hausdorff_distance_of_far_and_ragged_masks():
    noise = np.random.default_rng(0).standard_normal((4, 96, 128))
    masks = [ndimage.gaussian_filter(values, 5) > 0.03 for values in noise]
    for truth, prediction in itertools.combinations(masks, 2):
        ways = [(truth, prediction), (prediction, truth)]
        expected = max(np.percentile(distances_by_scipy(*way), 95) for way in ways)
        assert hausdorff95(truth, prediction) == pytest.approx(expected, rel=1e-5)


def distances_by_scipy(source, target):
    return ndimage.distance_transform_edt(~outline_of(target))[outline_of(source)]


def test_hausdorff_distance_of_a_shifted_square():
    truth, prediction = np.zeros((2, 20, 20), bool)
    truth[5:10, 5:10] = prediction[5:10, 8:13] = True
    assert hausdorff95(truth, prediction) == 3


def test_mean_distance_leaves_out_images_that_have_none():
    truth, prediction = np.zeros((2, 3, 8, 8, 1), bool)
    truth[0, 2:4, 2:4] = prediction[0, 2:4, 4:6] = truth[1, 1, 1] = True
    scores = summarise(truth, prediction)
    # Missed altogether, and rightly found to be empty.
    assert scores["hd95_images"] == 2
    assert scores["hd95"] == pytest.approx((2 + 0) / 2)


@given(*(arrays.arrays(bool, (3, 4, 5, 2)) for _ in range(2)))
def test_regions_are_scored_apart(truth, prediction):
    scores = summarise(truth, prediction, ("core", "rim"))
    each = [summarise(truth[..., [n]], prediction[..., [n]]) for n in range(2)]
    assert list(scores["regions"].values()) == each
    assert scores["dice"] == pytest.approx(np.mean([one["dice"] for one in each]))
    assert summarise(truth, prediction) == {k: v for k, v in scores.items() if k != "regions"}
    assert scores["images"] == 3
    json.dumps(scores, allow_nan=False)


def test_an_image_counts_once_however_many_regions_it_has():
    truth, prediction = np.zeros((2, 2, 8, 8, 2), bool)
    # The first image has one lesion, found one pixel aside; the second two, one missed by four.
    truth[0, 2:4, 2:4, 0] = prediction[0, 2:4, 3:5, 0] = True
    prediction[0, 7, 7, 1] = True
    truth[1, 2:4, 2:4, :] = prediction[1, 2:4, 2:4, 0] = prediction[1, 2:4, 6:8, 1] = True
    scores = summarise(truth, prediction, ("core", "rim"))
    assert scores["hd95"] == pytest.approx((1 + (0 + 4) / 2) / 2)
    assert scores["aer"] == pytest.approx((1 + (0 + 2) / 2) / 2)
    assert scores["regions"]["rim"]["hd95"] == 4
    assert scores["regions"]["rim"]["hd95_images"] == 1
    assert scores["hd95_images"] == scores["lesion_images"] == 2


def test_images_count_that_have_a_distance_in_any_region():
    truth, prediction = np.zeros((2, 2, 8, 8, 2), bool)
    for image in range(2):
        truth[image, 2, 2, image] = prediction[image, 2, 5, image] = True
        prediction[image, 2, 2, 1 - image] = True
    scores = summarise(truth, prediction, ("core", "rim"))
    assert [one["hd95_images"] for one in scores["regions"].values()] == [1, 1]
    assert scores["hd95_images"] == scores["lesion_images"] == 2


def test_channels_must_match_regions():
    masks = np.ones((2, 4, 4, 3), bool)
    with pytest.raises(ValueError, match="2 regions"):
        summarise(masks, masks, ("core", "rim"))


def test_one_region_is_no_extra():
    masks = np.ones((2, 4, 4, 1), bool)
    assert summarise(masks, masks, ("lesion",)) == summarise(masks, masks)


@given(MASKS, arrays.arrays(np.float32, (3, 4, 5, 1), elements=st.floats(0, 1, width=32)))
def test_training_metric_equals_the_reported_one(truth, probabilities):
    expected = Confusion.of(truth, probabilities > 0.5).scores()["dice"]
    got = image_dice(tf.constant(truth, tf.float32), tf.constant(probabilities))
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    metric = LesionDice()
    for one, other in zip(truth, probabilities, strict=True):
        metric.update_state(tf.constant(one[None], tf.float32), tf.constant(other[None]))
    marked = truth.any((1, 2, 3))
    of_lesions = expected[marked].mean() if marked.any() else 0
    assert float(metric.result()) == pytest.approx(of_lesions, rel=1e-6)


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
