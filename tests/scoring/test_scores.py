"""Decisions and scores, of masks and of classes."""

import subprocess
import sys

import numpy as np
import pytest

from tinyseg import data
from tinyseg.data.dataset import Sample
from tinyseg.data.store import ImageStore, open_store
from tinyseg.plan import PreprocessingPlan
from tinyseg.scoring.classification_metrics import summarise_classes
from tinyseg.scoring.metrics import Confusion, summarise_masks
from tinyseg.scoring.scores import (
    SCORES,
    allowed_drop,
    decide,
    false_alarms,
    lesions,
    score_background,
    score_each,
    score_outputs,
)

PREPROCESSING = PreprocessingPlan(height=32, width=32, channels=1)


@pytest.fixture(scope="module")
def segmented():
    return open_store(data.load("phantom:count=12,size=32"), PREPROCESSING)


@pytest.fixture(scope="module")
def classified():
    return open_store(data.load("phantom:count=12,size=32,task=classification"), PREPROCESSING)


def store_of(masks, regions):
    """A store of images that nobody looks at."""
    samples = tuple(Sample(f"image {n}") for n in range(len(masks)))
    images, signatures = np.zeros((*masks.shape[:3], 1), np.uint8), np.zeros((len(masks), 1))
    return ImageStore(samples, images, masks.astype(np.uint8), signatures, "", regions)


@pytest.fixture(scope="module")
def tumours():
    """Five images with two regions and no two alike, and a network's probabilities of them."""
    rng = np.random.default_rng(0)
    masks = rng.random((5, 4, 6, 2)) < [0.6, 0.2]
    masks[1] = False  # Nothing there.
    masks[2, ..., 0] = False  # One region of two.
    outputs = np.where(masks, 0.55, 0.25) + rng.choice([-0.25, 0, 0.1], masks.shape)
    outputs[3, ..., 1] = 0.1
    return store_of(masks, ("core", "rim")), outputs.astype(np.float32)


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [(0.5, [False, False, True]), (0.2, [False, True, True]), (0.7, [False, False, False])],
)
def test_masks_are_above_the_threshold(threshold, expected):
    outputs = np.array([0.2, 0.5, 0.7], np.float32).reshape(1, 1, 3, 1)
    assert decide(outputs, np.float32(threshold)).ravel().tolist() == expected


@pytest.mark.parametrize("threshold", [0.28, 0.32, 0.6])
def test_masks_of_regions_are_scored_at_the_threshold(tumours, threshold):
    images, outputs = tumours
    scores = score_outputs(images, outputs, threshold)
    masks, decisions = images.masks, outputs > threshold
    ill = [0, 2, 3, 4]
    of_ill = summarise_masks(masks[ill], decisions[ill], images.regions)
    assert scores.pop("with_lesion") == of_ill
    assert scores == summarise_masks(masks, decisions, images.regions)
    assert list(scores["regions"]) == ["core", "rim"]
    # Thresholds matter here, and so does the image without lesion.
    assert scores["dice"] != of_ill["dice"]
    assert scores["dice"] != summarise_masks(masks, outputs > 0.5, images.regions)["dice"]


def test_each_image_has_the_mean_dice_of_its_regions(tumours):
    images, outputs = tumours
    decisions = decide(outputs, 0.32)
    expected = []
    for truth, said in zip(images.masks == 1, decisions, strict=True):
        overlap, total = (truth & said).sum((0, 1)), truth.sum((0, 1)) + said.sum((0, 1))
        expected.append(np.mean(2 * overlap / total))
    got = score_each(images, decisions)
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    assert len(set(got)) == 5
    # Not the better one, nor the first, nor both as one.
    each = [Confusion.of(images.masks[..., n], decisions[..., n]).scores()["dice"] for n in (0, 1)]
    assert (each[0] != each[1]).sum() >= 3
    assert score_outputs(images, outputs, 0.32)["dice"] == pytest.approx(np.mean(got))


def test_scores_of_lesions_are_all_where_none_are_told_apart(tumours):
    images, outputs = tumours
    scores = score_outputs(images, outputs, 0.32)
    assert lesions(scores) is scores["with_lesion"]
    assert lesions(scores)["images"] == 4
    for rows in ([0, 2, 3, 4], [1]):
        alike = score_outputs(images.take(rows), outputs[rows], 0.32)
        assert "with_lesion" not in alike
        assert lesions(alike) is alike


def test_background_of_two_regions(tumours):
    images, _ = tumours
    nothing = score_background(images)
    # Right of both regions of one image, and of one of another.
    assert nothing["dice"] == pytest.approx((1 + 1 / 2) / 5)
    assert nothing["specificity"] == 1
    assert nothing["regions"]["rim"]["dice"] == pytest.approx(1 / 5)


def test_first_score_decides():
    assert [score.key for score in SCORES["segmentation"]] == ["dice", "iou"]
    assert [score.key for score in SCORES["classification"]] == ["accuracy", "f1"]
    titles = [score.title for scores in SCORES.values() for score in scores]
    assert titles == ["Dice", "IoU", "accuracy", "macro F1"]


def test_scores_that_stand_for_a_task_are_there(segmented, classified):
    for images in (segmented, classified):
        scores = score_outputs(images, images.targets.astype(np.float32), 0.5)
        assert [scores[score.key] for score in SCORES[images.task]] == [1, 1]


def test_of_classes_only_the_likeliest_is_true():
    outputs = np.array([[0.2, 0.5, 0.3], [0.4, 0.3, 0.3]], np.float32)
    assert decide(outputs, 0.9).tolist() == [[False, True, False], [True, False, False]]


def test_perfect_masks(segmented):
    outputs = segmented.masks.astype(np.float32)
    assert score_outputs(segmented, outputs, 0.5)["dice"] == 1
    assert score_each(segmented, decide(outputs, 0.5)).tolist() == [1] * len(segmented)


def test_each_mask_has_its_dice(segmented):
    outputs = np.zeros(segmented.masks.shape, np.float32)
    empty = ~segmented.masks.any((1, 2, 3))
    assert score_each(segmented, decide(outputs, 0.5)).tolist() == empty.astype(float).tolist()


def test_images_with_lesions_are_scored_apart(segmented):
    marked = segmented.masks.any((1, 2, 3))
    assert 0 < marked.sum() < len(segmented)
    missed = score_background(segmented)
    assert missed["dice"] == pytest.approx(1 - marked.mean())
    assert missed["with_lesion"]["images"] == marked.sum()
    assert missed["with_lesion"]["dice"] == 0
    assert missed["pixel_accuracy"] == pytest.approx(1 - segmented.masks.mean())


def test_false_alarms_are_images_without_lesion_in_which_something_is_found(segmented):
    scores = score_outputs(segmented, np.ones(segmented.masks.shape, np.float32), 0.5)
    normal = int((~segmented.masks.any((1, 2, 3))).sum())
    assert normal
    assert false_alarms(scores) == (normal, normal)
    assert false_alarms(score_background(segmented)) == (0, normal)
    assert false_alarms({"dice": 0.5, "images": 3}) is None


def test_nothing_is_scored_apart_where_all_images_have_lesions(segmented):
    ill = segmented.take(np.flatnonzero(segmented.masks.any((1, 2, 3))))
    assert "with_lesion" not in score_outputs(ill, ill.masks.astype(np.float32), 0.5)


def test_classes(classified):
    outputs = classified.targets.astype(np.float32)
    outputs[0] = np.roll(outputs[0], 1)
    scores = score_outputs(classified, outputs, 0.5)
    assert scores["accuracy"] == pytest.approx(11 / 12)
    assert list(scores["classes"]) == list(classified.classes)
    assert scores == summarise_classes(classified.targets.argmax(1), outputs, classified.classes)
    assert score_each(classified, decide(outputs, 0.5)).tolist() == [0] + [1] * 11


def test_each_class_is_right_or_wrong_as_a_whole():
    """Of four classes a wrong answer still has two zeros where they should be."""
    truth, said = [3, 0, 1, 2, 2], [3, 1, 1, 0, 2]
    samples = tuple(Sample(f"image {n}", "abcd"[c]) for n, c in enumerate(truth))
    images, masks = np.zeros((5, 2, 3, 1), np.uint8), np.zeros((5, 2, 3, 0), np.uint8)
    store = ImageStore(samples, images, masks, np.zeros((len(masks), 1)), "", (), tuple("abcd"))
    outputs = np.eye(4, dtype=np.float32)[said] * 0.4 + 0.15
    each = score_each(store, decide(outputs, 0.9))
    assert each.dtype == float
    assert each.tolist() == [1, 0, 1, 0, 1]
    assert score_outputs(store, outputs, 0.9)["accuracy"] == pytest.approx(3 / 5)


def test_one_image_more_may_be_wrong_where_images_are_few():
    assert allowed_drop("segmentation", 0.01, 8) == 0.01
    assert allowed_drop("classification", 0.01, 8) == 0.125
    assert allowed_drop("classification", 0.01, 1000) == 0.01


def test_scoring_does_without_tensorflow():
    code = "import sys, tinyseg.scoring.scores; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
