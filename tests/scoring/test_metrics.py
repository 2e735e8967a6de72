"""Metrics against hand counts and identities, and the empty-mask convention."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as arrays
from scipy import ndimage
from scipy.spatial.distance import cdist

from tinyseg.scoring.metrics import Confusion, hausdorff95, summarise_masks

MASKS = arrays.arrays(bool, (3, 4, 5, 1))


def pixels(tp, fp, fn, tn):
    """A row of pixels with these counts, mixed up."""
    truth = np.array([1] * tp + [0] * fp + [1] * fn + [0] * tn)
    prediction = np.array([1] * (tp + fp) + [0] * (fn + tn))
    order = np.random.default_rng(0).permutation(len(truth))
    return truth[order], prediction[order]


NOTHING_AMISS = {"healthy_images": 0, "missed_lesions": 0, "false_alarms": 0}


def test_scores_of_a_hand_counted_pair():
    # All four counts differ: true positives 5, false 2, false negatives 3, true 10.
    truth, prediction = (row[None] for row in pixels(5, 2, 3, 10))
    scores = summarise_masks(truth, prediction)
    expected = {
        "dice": 10 / 15,
        "iou": 5 / 10,
        "precision": 5 / 7,
        "recall": 5 / 8,
        "specificity": 10 / 12,
        "pixel_accuracy": 15 / 20,
        "fpr": 2 / 12,
        "fnr": 3 / 8,
        "lesion_fpr": 2 / 8,
        "aer": 5 / 8,
    }
    assert scores.pop("pooled") == pytest.approx(expected, rel=1e-12)
    assert scores.pop("hd95") >= 1
    counts = {"images": 1, "lesion_images": 1, "hd95_images": 1, **NOTHING_AMISS}
    assert scores == pytest.approx({**expected, **counts}, rel=1e-12)


@given(*(arrays.arrays(bool, (2, 5, 7)) for _ in range(2)))
def test_scores_are_those_of_their_definitions(truth, prediction):
    """Pixel by pixel, each ratio as the literature writes it."""
    scores = Confusion.of(truth, prediction).scores()
    for image in range(2):
        pairs = list(zip(truth[image].ravel(), prediction[image].ravel(), strict=True))
        tp, fp, fn, tn = (
            pairs.count(pair) for pair in [(True, True), (False, True), (True, False), (False,) * 2]
        )
        ratios = {
            "dice": (2 * tp, 2 * tp + fp + fn),
            "iou": (tp, tp + fp + fn),
            "precision": (tp, tp + fp),
            "recall": (tp, tp + fn),
            "specificity": (tn, tn + fp),
            "pixel_accuracy": (tp + tn, 35),
        }
        for name, (part, whole) in ratios.items():
            assert scores[name][image] == (part / whole if whole else 1), name
        assert scores["fpr"][image] == pytest.approx(fp / (fp + tn) if fp + tn else 0, abs=1e-12)
        assert scores["fnr"][image] == pytest.approx(fn / (fn + tp) if fn + tp else 0, abs=1e-12)
        of_lesion = {"lesion_fpr": fp, "aer": fp + fn}
        for name, part in of_lesion.items():
            expected = part / (tp + fn) if tp + fn else np.nan
            np.testing.assert_array_equal(scores[name][image], expected, name)


def test_pooled_scores_are_of_all_pixels_of_all_images():
    first, second = pixels(5, 2, 3, 10), pixels(0, 4, 6, 10)
    truth, prediction = (np.stack(pair) for pair in zip(first, second, strict=True))
    scores = summarise_masks(truth, prediction)
    assert scores["pooled"] == pytest.approx(
        {
            "dice": 10 / 25,
            "iou": 5 / 20,
            "precision": 5 / 11,
            "recall": 5 / 14,
            "specificity": 20 / 26,
            "pixel_accuracy": 25 / 40,
            "fpr": 6 / 26,
            "fnr": 9 / 14,
            "lesion_fpr": 6 / 14,
            "aer": 15 / 14,
        },
        rel=1e-12,
    )
    assert scores["recall"] == pytest.approx((5 / 8 + 0) / 2)
    assert scores["aer"] == pytest.approx((5 / 8 + 10 / 6) / 2)


def test_mean_over_images_differs_from_pooled():
    truth = np.array([[1, 1, 1, 1], [1, 0, 0, 0]])
    prediction = np.array([[1, 1, 1, 1], [0, 0, 0, 1]])
    scores = summarise_masks(truth, prediction)
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
    scores = summarise_masks(np.array([truth]), np.array([prediction]))
    assert (scores["dice"], scores["iou"]) == (dice, dice)
    assert (scores["precision"], scores["recall"]) == (precision, recall)


@pytest.mark.parametrize("shapes", [((2, 3), (2, 4)), ((2, 4), (2, 3)), ((2, 6), (2, 2, 3))])
def test_shapes_must_agree(shapes):
    truth, prediction = map(np.zeros, shapes)
    with pytest.raises(ValueError, match=r"truth .* and prediction .* differ"):
        Confusion.of(truth, prediction)


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
    scores = summarise_masks(truth, prediction)
    assert scores["lesion_fpr"] == 2
    assert scores["aer"] == 3
    assert scores["lesion_images"] == 1
    nothing = summarise_masks(truth[1:], prediction[1:])
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


def test_distance_of_one_outline_from_another_counts_both_ways():
    # All of the dot lies on the bar, whose far end is nine pixels away.
    truth, prediction = np.zeros((2, 5, 12), bool)
    truth[2, 1] = prediction[2, 1:11] = True
    expected = np.percentile(np.arange(10), 95)
    assert hausdorff95(truth, prediction) == pytest.approx(expected, rel=1e-6)
    assert hausdorff95(prediction, truth) == pytest.approx(expected, rel=1e-6)


def test_mean_distance_leaves_out_images_that_have_none():
    truth, prediction = np.zeros((2, 6, 8, 10, 1), bool)
    # Found two pixels aside; missed; missed; found where nothing is; rightly empty, twice.
    truth[0, 2:4, 2:4] = prediction[0, 2:4, 4:6] = truth[1:3, 1, 1] = prediction[3, 5, 5] = True
    scores = summarise_masks(truth, prediction)
    assert scores["images"] == 6
    assert scores["lesion_images"] == 3
    assert scores["hd95_images"] == 3
    assert scores["hd95"] == pytest.approx((2 + 0 + 0) / 3)


def test_images_without_any_distance():
    truth, prediction = np.zeros((2, 2, 4, 4, 1), bool)
    truth[:, 1, 1] = True
    scores = summarise_masks(truth, prediction)
    assert scores["hd95"] is None
    assert (scores["hd95_images"], scores["lesion_images"]) == (0, 2)
    assert scores["aer"] == 1


@given(*(arrays.arrays(bool, (3, 4, 5, 2)) for _ in range(2)))
def test_regions_are_scored_apart(truth, prediction):
    scores = summarise_masks(truth, prediction, ("core", "rim"))
    each = [summarise_masks(truth[..., [n]], prediction[..., [n]]) for n in range(2)]
    assert list(scores["regions"].values()) == each
    assert scores["dice"] == pytest.approx(np.mean([one["dice"] for one in each]))
    assert summarise_masks(truth, prediction) == {k: v for k, v in scores.items() if k != "regions"}
    assert scores["images"] == 3
    json.dumps(scores, allow_nan=False)


def test_an_image_counts_once_however_many_regions_it_has():
    truth, prediction = np.zeros((2, 2, 8, 8, 2), bool)
    # The first image has one lesion, found one pixel aside; the second two, one missed by four.
    truth[0, 2:4, 2:4, 0] = prediction[0, 2:4, 3:5, 0] = True
    prediction[0, 7, 7, 1] = True
    truth[1, 2:4, 2:4, :] = prediction[1, 2:4, 2:4, 0] = prediction[1, 2:4, 6:8, 1] = True
    scores = summarise_masks(truth, prediction, ("core", "rim"))
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
    scores = summarise_masks(truth, prediction, ("core", "rim"))
    assert [one["hd95_images"] for one in scores["regions"].values()] == [1, 1]
    assert scores["hd95_images"] == scores["lesion_images"] == 2


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_must_match_regions(channels):
    masks = np.ones((2, 4, 4, channels), bool)
    with pytest.raises(ValueError, match="2 regions"):
        summarise_masks(masks, masks, ("core", "rim"))


def test_images_of_another_number_are_refused():
    with pytest.raises(ValueError, match="differ"):
        summarise_masks(np.ones((2, 4, 4, 1)), np.ones((3, 4, 4, 1)))


def test_one_region_is_no_extra():
    truth, prediction = np.zeros((2, 2, 4, 5, 1), bool)
    truth[0, 1, 1:4] = prediction[0, 1:3, 2] = True
    assert summarise_masks(truth, prediction, ("lesion",)) == summarise_masks(truth, prediction)


def test_false_alarms_and_missed_lesions_by_hand():
    """Found, missed beside it, missed altogether; marked and left blank without a lesion."""
    truth = np.zeros((5, 2, 3, 1), bool)
    prediction = truth.copy()
    truth[:3, 0, 0] = True
    prediction[0, 0, :2] = prediction[1, 1, 2] = prediction[3, 1] = True
    scores = summarise_masks(truth, prediction)
    counts = ("lesion_images", "healthy_images", "missed_lesions", "false_alarms")
    assert [scores[key] for key in counts] == [3, 2, 2, 1]
