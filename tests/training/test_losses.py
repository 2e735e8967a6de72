"""The loss of masks against NumPy and against figures counted by hand."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tinyseg.plan import TrainingPlan
from tinyseg.training.losses import TOP_SHARE, BceDiceLoss, mask_loss, presence_loss


def loss_by_numpy(truth, probabilities, dice_weight):
    """The loss of each image, region by region."""
    truth, probabilities = truth.astype(np.float64), probabilities.astype(np.float64)
    losses = []
    for t, p in zip(truth, probabilities, strict=True):
        entropy, missed = [], []
        for region in range(t.shape[-1]):
            one, two = t[..., region], p[..., region]
            entropy.append(-np.mean(one * np.log(two) + (1 - one) * np.log(1 - two)))
            missed.append(1 - (2 * np.sum(one * two) + 1) / (np.sum(one) + np.sum(two) + 1))
        losses.append(np.mean(entropy) + dice_weight * np.mean(missed))
    return np.array(losses)


@pytest.mark.parametrize("regions", [1, 3])
@pytest.mark.parametrize("dice_weight", [0, 0.5, 2])
def test_loss_equals_numpy(regions, dice_weight):
    rng = np.random.default_rng(regions)
    # Some regions are marked much more than others, and no two images alike.
    truth = (rng.random((3, 5, 6, regions)) < [[[[0.1]]], [[[0.4]]], [[[0.7]]]]).astype(np.float32)
    truth[..., 1:] *= rng.random(truth[..., 1:].shape) < 0.2
    probabilities = rng.uniform(0.05, 0.95, truth.shape).astype(np.float32)
    expected = loss_by_numpy(truth, probabilities, dice_weight)
    loss = BceDiceLoss(dice_weight)
    np.testing.assert_allclose(loss.call(truth, probabilities), expected, rtol=1e-5)
    assert float(loss(truth, probabilities)) == pytest.approx(expected.mean(), rel=1e-5)


def test_dice_of_regions_is_their_mean_as_counted_by_hand():
    truth, probabilities = np.zeros((2, 1, 2, 2, 2), np.float32)
    # One region of two pixels, found by half each and with half a pixel too many.
    truth[0, 0, :, 0] = 1
    probabilities[0, 0, :, 0] = probabilities[0, 1, 0, 0] = 0.5
    # One region of one pixel, missed altogether, found in two others.
    truth[0, 1, 1, 1] = probabilities[0, 0, :, 1] = 1
    with_dice = float(BceDiceLoss(1.0)(truth, probabilities))
    without = float(BceDiceLoss(0.0)(truth, probabilities))
    dice = ((2 * 1 + 1) / (2 + 1.5 + 1) + (2 * 0 + 1) / (1 + 2 + 1)) / 2
    assert with_dice - without == pytest.approx(1 - dice, abs=1e-5)


def test_weight_of_the_dice_is_one_if_not_told():
    rng = np.random.default_rng(0)
    truth = (rng.random((2, 3, 4, 1)) < 0.3).astype(np.float32)
    probabilities = rng.uniform(0.1, 0.9, truth.shape).astype(np.float32)
    expected = loss_by_numpy(truth, probabilities, 1).mean()
    assert float(BceDiceLoss()(truth, probabilities)) == pytest.approx(expected, rel=1e-5)


def test_whole_numbers_and_half_precision_are_taken_as_they_are():
    rng = np.random.default_rng(0)
    truth = (rng.random((2, 20, 20, 1)) < 0.3).astype(np.uint8)
    probabilities = rng.uniform(0.1, 0.9, truth.shape).astype(np.float16)
    expected = loss_by_numpy(truth, probabilities, 1)
    np.testing.assert_allclose(BceDiceLoss().call(truth, probabilities), expected, rtol=1e-5)


def test_loss_rewards_silence_where_nothing_is():
    truth = np.zeros((1, 4, 4, 1), np.float32)
    entropies, losses = (
        [float(BceDiceLoss(weight)(truth, np.full_like(truth, p))) for p in (0.01, 0.1, 0.5)]
        for weight in (0, 1)
    )
    dice = [loss - entropy for loss, entropy in zip(losses, entropies, strict=True)]
    assert dice == pytest.approx([1 - 1 / (16 * p + 1) for p in (0.01, 0.1, 0.5)], abs=1e-5)
    assert losses == sorted(losses)


def test_loss_can_be_rebuilt_from_its_settings():
    loss = BceDiceLoss(0.25, name="other", reduction="sum")
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert isinstance(again, BceDiceLoss)
    assert again.get_config() == loss.get_config()
    assert (again.dice_weight, again.name, again.reduction) == (0.25, "other", "sum")
    assert BceDiceLoss().name == "bce_dice"


def drawn(shape, share=0.3, seed=0):
    """Masks, and probabilities that know nothing of them."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(shape) < share).astype(np.float32)
    return truth, rng.uniform(0.05, 0.95, shape).astype(np.float32)


@pytest.mark.parametrize("focal", [1.0, 0.75, 2.0])
@pytest.mark.parametrize("misses", [0.5, 0.3, 0.8, 1.0])
def test_tversky_and_its_focal_form_equal_numpy(misses, focal):
    truth, found = drawn((3, 5, 6, 2))
    with_index = BceDiceLoss(2.0, misses, focal).call(truth, found)
    without = BceDiceLoss(0.0).call(truth, found)
    both, missed, wrong = (
        np.sum(product.astype(np.float64), (1, 2))
        for product in (truth * found, truth * (1 - found), (1 - truth) * found)
    )
    index = (2 * both + 1) / (2 * (both + misses * missed + (1 - misses) * wrong) + 1)
    expected = 2 * np.mean((1 - index) ** focal, -1)
    np.testing.assert_allclose(with_index - without, expected, rtol=1e-4)


def test_a_root_of_nothing_has_a_gradient():
    truth = np.zeros((1, 4, 4, 1), np.float32)
    found = tf.Variable(np.full_like(truth, 1e-12))
    with tf.GradientTape() as tape:
        loss = BceDiceLoss(1.0, 0.7, 0.75)(truth, found)
    assert np.isfinite(tape.gradient(loss, found)).all()


def test_presence_is_judged_by_the_top_logits():
    truth, found = drawn((4, 50, 40, 2), share=0.01)
    truth[0] = truth[1, ..., 1] = 0
    truth[2] *= 0.25  # Of a mixed image.
    count = round(TOP_SHARE * 50 * 40)
    logits = np.sort(np.log(found / (1 - found)).reshape(4, -1, 2).astype(np.float64), 1)
    top = logits[:, -count:].mean(1)
    present = truth.max((1, 2))
    expected = (np.logaddexp(0, top) - present * top).mean(-1)
    np.testing.assert_allclose(presence_loss(truth, found), expected, rtol=1e-4)
    together = BceDiceLoss(presence_weight=0.5).call(truth, found)
    np.testing.assert_allclose(
        together, BceDiceLoss().call(truth, found) + 0.5 * expected, rtol=1e-4
    )


def test_presence_has_a_gradient_where_an_empty_mask_has_almost_none():
    truth = np.zeros((1, 16, 16, 1), np.float32)
    found = np.full_like(truth, 0.01)
    found[0, :4, :4] = 0.6
    slopes = []
    for weight in (0.0, 1.0):
        image = tf.Variable(found)
        with tf.GradientTape() as tape:
            loss = BceDiceLoss(presence_weight=weight)(truth, image)
        slopes.append(float(tape.gradient(loss, image)[0, 0, 0, 0]))
    assert slopes[1] > 10 * slopes[0] > 0


def test_the_loss_is_that_of_the_plan():
    made = mask_loss(TrainingPlan(dice_weight=0.5, miss_weight=0.7, focal=0.75, presence_weight=2))
    config = made.get_config()
    names = ("dice_weight", "miss_weight", "focal", "presence_weight")
    assert [config[name] for name in names] == [0.5, 0.7, 0.75, 2]
