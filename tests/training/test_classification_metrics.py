"""Metrics of classes against hand counts and identities."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyseg.training.classification_metrics import summarise_classes

CLASSES = ("cat", "dog", "owl")


def answers(*said, sure=0.8):
    """Probabilities of a network that says these classes."""
    rest = (1 - sure) / (len(CLASSES) - 1)
    return np.where(np.eye(len(CLASSES))[list(said)] == 1, sure, rest)


def test_hand_counted_answers():
    truth = np.array([0, 0, 0, 1, 1, 2])
    scores = summarise_classes(truth, answers(0, 0, 1, 1, 1, 0), CLASSES)
    assert scores["confusion"] == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]
    assert scores["accuracy"] == pytest.approx(4 / 6)
    assert scores["baseline_accuracy"] == pytest.approx(3 / 6)
    cat, dog, owl = scores["classes"].values()
    assert cat == {
        "precision": pytest.approx(2 / 3),
        "recall": pytest.approx(2 / 3),
        "f1": pytest.approx(2 / 3),
        "images": 3,
    }
    assert (dog["precision"], dog["recall"]) == (pytest.approx(2 / 3), 1)
    assert dog["f1"] == pytest.approx(0.8)
    assert owl == {"precision": 0, "recall": 0, "f1": 0, "images": 1}
    assert scores["precision"] == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert scores["recall"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert scores["f1"] == pytest.approx((2 / 3 + 0.8 + 0) / 3)
    assert scores["images"] == 6


def test_confidence_of_right_and_wrong_answers():
    probabilities = np.concatenate([answers(0, sure=0.9), answers(1, sure=0.6)])
    scores = summarise_classes(np.array([0, 0]), probabilities, CLASSES)
    assert scores["confidence"] == pytest.approx(0.75)
    assert scores["confidence_correct"] == pytest.approx(0.9)
    assert scores["confidence_wrong"] == pytest.approx(0.6)


def test_no_wrong_answers():
    scores = summarise_classes(np.array([0, 1]), answers(0, 1), CLASSES)
    assert scores["confidence_wrong"] is None
    # Nobody asked for an owl, and nobody saw one.
    assert (scores["precision"], scores["recall"], scores["f1"]) == (1, 1, 1)
    assert json.loads(json.dumps(scores)) == scores


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1))
def test_identities(pairs):
    truth, said = np.array(pairs).T
    scores = summarise_classes(truth, answers(*said), CLASSES)
    confusion = np.array(scores["confusion"])
    assert confusion.sum() == len(pairs)
    assert scores["accuracy"] == pytest.approx(np.trace(confusion) / len(pairs))
    present = [v["recall"] * v["images"] for v in scores["classes"].values()]
    assert sum(present) / len(pairs) == pytest.approx(scores["accuracy"])
    for values in scores["classes"].values():
        total = values["precision"] + values["recall"]
        expected = 2 * values["precision"] * values["recall"] / total if total else 0
        assert values["f1"] == pytest.approx(expected)


def test_a_class_that_is_not_there_but_was_said_counts():
    scores = summarise_classes(np.array([0, 0]), answers(0, 1), CLASSES)
    assert scores["classes"]["dog"] == {"precision": 0, "recall": 0, "f1": 0, "images": 0}
    assert scores["precision"] == pytest.approx((1 + 0) / 2)
    assert scores["recall"] == pytest.approx((1 / 2 + 0) / 2)


@pytest.mark.parametrize("truth", [[[0], [1]], [0, -1], [0, 3]])
def test_truth_must_be_numbers_of_classes(truth):
    with pytest.raises(ValueError, match="truth"):
        summarise_classes(np.array(truth), answers(0, 1), CLASSES)


@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (0, 3)])
def test_shapes_must_match(shape):
    truth = np.zeros(shape[0] and 3, int)
    with pytest.raises(ValueError, match="do not match"):
        summarise_classes(truth, np.zeros(shape), CLASSES)
