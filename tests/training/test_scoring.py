"""Decisions and scores, of masks and of classes."""

import numpy as np
import pytest

from tinyseg import data
from tinyseg.data.store import open_store
from tinyseg.plan import PreprocessingPlan
from tinyseg.training.scoring import (
    allowed_drop,
    decide,
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


def test_masks_are_above_the_threshold():
    outputs = np.array([0.2, 0.5, 0.7], np.float32).reshape(1, 1, 3, 1)
    assert decide(outputs, 0.5).ravel().tolist() == [False, False, True]


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


def test_nothing_is_scored_apart_where_all_images_have_lesions(segmented):
    ill = segmented.take(np.flatnonzero(segmented.masks.any((1, 2, 3))))
    assert "with_lesion" not in score_outputs(ill, ill.masks.astype(np.float32), 0.5)


def test_classes(classified):
    outputs = classified.targets.astype(np.float32)
    outputs[0] = np.roll(outputs[0], 1)
    scores = score_outputs(classified, outputs, 0.5)
    assert scores["accuracy"] == pytest.approx(11 / 12)
    assert list(scores["classes"]) == list(classified.classes)
    assert score_each(classified, decide(outputs, 0.5)).tolist() == [0] + [1] * 11


def test_one_image_more_may_be_wrong_where_images_are_few():
    assert allowed_drop("segmentation", 0.01, 8) == 0.01
    assert allowed_drop("classification", 0.01, 8) == 0.125
    assert allowed_drop("classification", 0.01, 1000) == 0.01
