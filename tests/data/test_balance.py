import collections

import numpy as np
import pytest

from tests.data.makers import make_uneven
from tinyseg.data import load
from tinyseg.data.balance import balanced_rows, imbalance
from tinyseg.data.pipeline import training_batches
from tinyseg.data.store import open_store
from tinyseg.plan import PreprocessingPlan

SIZE = PreprocessingPlan(20, 24, 1)


@pytest.mark.parametrize(
    ("labels", "rows"),
    [
        ("aab", [0, 1, 2, 2]),
        ("abbbcc", [0, 1, 2, 3, 4, 5, 0, 0, 4]),
        ("abab", [0, 1, 2, 3]),
        ("aaa", [0, 1, 2]),
        # Each label anew from its own first row, labels in their order.
        ("cbaaaab", [0, 1, 2, 3, 4, 5, 6, 1, 6, 0, 0, 0]),
        ("", []),
    ],
)
def test_rare_labels_come_again_in_turn(labels, rows):
    found = balanced_rows(list(labels))
    assert found.tolist() == rows
    assert found.dtype == int


@pytest.mark.parametrize("seed", range(5))
def test_balanced_labels_are_equally_frequent(seed):
    labels = np.random.default_rng(seed).choice(list("abcd"), 60, p=(0.6, 0.25, 0.1, 0.05)).tolist()
    rows = balanced_rows(labels)
    assert rows[:60].tolist() == list(range(60))
    counts = collections.Counter(labels[row] for row in rows)
    assert set(counts.values()) == {max(collections.Counter(labels).values())}
    times = collections.Counter(rows.tolist())
    for label in set(labels):
        own = [times[row] for row in range(60) if labels[row] == label]
        assert max(own) - min(own) <= 1


def test_imbalance():
    assert imbalance({"a": 12, "b": 3}) == 4
    assert imbalance({"b": 2, "a": 3, "c": 7}) == 3.5
    assert imbalance({"a": 5}) == 1
    assert imbalance({}) is None


def test_balanced_store_augments_each_occurrence_in_its_own_way(tmp_path):
    make_uneven(tmp_path / "uneven")
    store = open_store(load(tmp_path / "uneven"), SIZE).balanced()
    assert collections.Counter(store.labels) == {"many": 9, "some": 9, "few": 9}
    rows = [row for row, name in enumerate(store.names) if name == "few/13"]
    assert len(rows) == 5
    few = store.take(rows)
    ((images, masks),) = training_batches(few, SIZE, 5).take(1)
    assert len({image.numpy().tobytes() for image in images}) == 5
    assert len({mask.numpy().tobytes() for mask in masks}) == 5
    ((plain, _),) = training_batches(few, SIZE, 5, ranges=None).take(1)
    np.testing.assert_allclose(plain, few.images / 255, atol=1e-6)
