"""A network that gives every image the same answer passes nowhere."""

import numpy as np
import pytest

from tinyseg.data.dataset import Sample
from tinyseg.data.store import ImageStore
from tinyseg.scoring.scores import score_outputs
from tinyseg.verification.gates import Gate
from tinyseg.verification.trivial import missed_trivial

SHAPE = (4, 6, 5)


def store(masks, classes=(), labels=None, regions=("foreground",)):
    count = len(masks)
    labels = labels or [""] * count
    samples = tuple(Sample(f"image {n}", label=label) for n, label in enumerate(labels))
    return ImageStore(
        samples,
        np.zeros((count, *masks.shape[1:3], 1), np.uint8),
        masks.astype(np.uint8),
        np.zeros((count, 1), np.float32),
        "",
        regions,
        classes,
    )


@pytest.fixture
def marked():
    """Four images, the last without foreground."""
    masks = np.zeros((*SHAPE, 1), bool)
    masks[0, 1:3, 1:3] = masks[1, 4, 2] = masks[2, 0, 0] = True
    return store(masks)


def missed(images, answers, integer=None):
    scores = {"float": answers, "tflm": answers if integer is None else integer}
    scores = {
        key: None if value is None else score_outputs(images, value.astype(np.float32), 0.5)
        for key, value in scores.items()
    }
    found = missed_trivial("net.tflite", images, scores)
    assert [one.gate for one in found] == [Gate.TRIVIAL] * len(found)
    return [one.line for one in found]


def test_masks_that_find_something_pass(marked):
    assert missed(marked, marked.masks) == []
    poor = np.zeros_like(marked.masks)
    poor[0, 1, 1] = 1
    assert missed(marked, poor) == []


def test_nothing_predicted_is_no_better_than_the_bar(marked):
    (line,) = missed(marked, np.zeros_like(marked.masks))
    assert line.startswith("net.tflite: the float network finds nothing: Dice 0.0000 over the 3 ")
    assert "0.0000 if nothing is predicted; train" in line
    assert "\n" not in line


def test_foreground_that_never_meets_the_truth_is_no_better(marked):
    beside = np.zeros_like(marked.masks)
    beside[:, 5, 4] = 1
    (line,) = missed(marked, beside)
    assert "finds nothing" in line


def test_an_integer_file_that_lost_everything_is_told(marked):
    nothing = np.zeros_like(marked.masks)
    (line,) = missed(marked, marked.masks, nothing)
    assert line.startswith("net.tflite: it finds nothing")


def test_every_pixel_marked_is_no_answer_either(marked):
    everything = np.ones_like(marked.masks)
    (line,) = missed(marked, everything)
    assert "the float network marks every pixel of the 4 images" in line
    everything[3, 0, 0] = 0
    assert missed(marked, everything) == []


def test_masks_that_are_all_foreground_may_be_marked_so():
    full = store(np.ones((*SHAPE, 1)))
    assert missed(full, full.masks) == []


def test_images_without_any_foreground_tell_nothing():
    empty = store(np.zeros((*SHAPE, 1)))
    for answers in (np.zeros_like(empty.masks), np.ones_like(empty.masks)):
        (line,) = missed(empty, answers)
        assert line.startswith("net.tflite: none of the 4 images has foreground, so that ")


def test_several_regions_are_held_against_their_own_bar():
    """Where one region of two is empty everywhere, predicting nothing has half the points."""
    masks = np.zeros((*SHAPE, 2), bool)
    masks[:, 1:3, 1:3, 0] = True
    images = store(masks, regions=("organ", "tumour"))
    (line,) = missed(images, np.zeros_like(masks))
    assert "Dice 0.5000 over the 4 images with foreground, 0.5000 if nothing" in line
    wrong = masks.copy()
    wrong[:, 5, 4, 1] = True
    (line,) = missed(images, wrong)
    assert "Dice 0.5000" in line
    assert missed(images, masks) == []


def classified(labels):
    classes = tuple(sorted(set(labels)))
    return store(np.zeros((len(labels), 6, 5, 0)), classes, labels), np.eye(len(classes))


def test_the_same_class_for_every_image_is_no_answer():
    images, one = classified(["cat", "cat", "cat", "dog"])
    (line,) = missed(images, one[[0, 0, 0, 0]])
    assert "the float network says cat of all 4 images; train" in line
    assert missed(images, one[[0, 0, 1, 0]]) == []


def test_images_of_one_class_may_all_be_said_to_be_of_it():
    images, _ = classified(["cat", "cat"])
    assert missed(images, np.ones((2, 1))) == []


def test_networks_that_did_not_run_are_passed_over(marked):
    assert missed(marked, None, marked.masks) == []
    (line,) = missed(marked, None, np.zeros_like(marked.masks))
    assert line.startswith("net.tflite: it finds nothing")
    assert missed_trivial("net.tflite", marked, {"float": None, "tflm": None}) == []
