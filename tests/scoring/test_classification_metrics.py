"""Metrics of classes against hand counts and identities."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyseg.scoring.classification_metrics import summarise_classes

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


def test_all_figures_of_answers_no_two_of_which_are_alike():
    """Counts of four classes that are neither symmetric nor as many in rows as in columns."""
    confusion = np.array([[4, 2, 0, 1], [0, 3, 5, 0], [1, 0, 2, 0], [3, 0, 0, 0]])
    pairs = [(t, s) for t in range(4) for s in range(4) for _ in range(confusion[t, s])]
    truth, said = np.array(pairs)[np.random.default_rng(0).permutation(len(pairs))].T
    sure = np.linspace(0.4, 0.97, len(pairs))
    rest = ((1 - sure) / 3)[:, None]
    probabilities = np.where(np.eye(4)[said] == 1, sure[:, None], rest)
    scores = summarise_classes(truth, probabilities, "abcd")
    precision = [4 / 8, 3 / 5, 2 / 7, 0 / 1]
    recall = [4 / 7, 3 / 8, 2 / 3, 0 / 3]
    f1 = [8 / 15, 6 / 13, 4 / 10, 0 / 4]
    assert scores["confusion"] == confusion.tolist()
    for name, values in {"precision": precision, "recall": recall, "f1": f1}.items():
        assert scores[name] == pytest.approx(sum(values) / 4)
        each = [of_class[name] for of_class in scores["classes"].values()]
        assert each == pytest.approx(values)
    assert [of_class["images"] for of_class in scores["classes"].values()] == [7, 8, 3, 3]
    assert list(scores["classes"]) == ["a", "b", "c", "d"]
    assert scores["accuracy"] == pytest.approx(9 / 21)
    assert scores["baseline_accuracy"] == pytest.approx(8 / 21)
    assert scores["images"] == 21
    right = truth == said
    assert scores["confidence"] == pytest.approx(sure.mean())
    assert scores["confidence_correct"] == pytest.approx(sure[right].mean())
    assert scores["confidence_wrong"] == pytest.approx(sure[~right].mean())
    json.dumps(scores, allow_nan=False)


def test_no_right_answers():
    scores = summarise_classes(np.array([0, 0, 1]), answers(1, 1, 2), CLASSES)
    assert scores["confidence_correct"] is None
    assert scores["confidence_wrong"] == pytest.approx(0.8)
    # An owl was seen and nobody asked for one: it counts among the three.
    assert (scores["accuracy"], scores["precision"], scores["f1"]) == (0, 0, 0)
    assert scores["baseline_accuracy"] == pytest.approx(2 / 3)


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
    probabilities = np.full((*np.shape(truth), 3), 1 / 3)
    with pytest.raises(ValueError, match="truth must be flat and hold numbers from 0 to 2"):
        summarise_classes(np.array(truth), probabilities, CLASSES)


@pytest.mark.parametrize("shape", [(2, 3), (4, 3), (3, 2), (3, 4), (0, 3)])
def test_shapes_must_match(shape):
    truth = np.zeros(shape[0] and 3, int)
    with pytest.raises(ValueError, match="do not match"):
        summarise_classes(truth, np.zeros(shape), CLASSES)
