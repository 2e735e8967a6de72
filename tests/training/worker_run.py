"""Trains two networks, one of them with batch normalization, as one of the workers of TF_CONFIG."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import h5py
import numpy as np
import tf_keras as keras

from tests.training.runs import plan_of
from tinyseg import data
from tinyseg.data.store import open_store
from tinyseg.plan import Plan
from tinyseg.training.joining import find_place, join
from tinyseg.training.loop import train_network
from tinyseg.training.workers import ALONE, Workers

# How far weights of two workers may be from those of one.
BOUNDS = {"plain": 1e-6, "normalized": 1e-5}
# The last batch of an epoch has two images, that of the validation part one.
IMAGES, VALIDATION = 12, 6
SETTINGS = {"epochs": 3, "learning_rate": 1e-3, "precision": "float32"}


def plan() -> Plan:
    return plan_of(**SETTINGS)


def network(normalized: bool) -> keras.Model:
    """Two convolutions; where they are normalized, without biases that learn nothing but noise."""
    keras.utils.set_random_seed(3)
    layers, size = keras.layers, plan().preprocessing
    inner = layers.Conv2D(4, 3, padding="same", use_bias=not normalized)
    return keras.Sequential(
        [
            layers.Input((size.height, size.width, size.channels)),
            inner,
            *([layers.BatchNormalization(momentum=0.8)] if normalized else []),
            layers.Activation("relu"),
            layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="mask"),
        ],
        name="normalized" if normalized else "plain",
    )


def run(workers: Workers, folder: Path) -> None:
    """Train both."""
    store = open_store(data.load(plan().data.source), plan().preprocessing)
    parts = store.take(range(IMAGES)), store.take(range(IMAGES, IMAGES + VALIDATION))
    for normalized in (False, True):
        with workers.scope():
            model = network(normalized)
        train_network(model, plan(), *parts, folder / model.name, workers=workers)


def assert_same(one: Path, other: Path, name: str, bound: float) -> None:
    """Compare what two of these runs have learned: weights, statistics of normalization."""
    assert_same_weights(*(folder / name / "weights.h5" for folder in (one, other)), bound)


def assert_same_weights(one: Path, other: Path, bound: float) -> None:
    """Compare two weights files of one network."""
    expected, found = map(_numbers, (one, other))
    assert expected.keys() == found.keys()
    for key in expected:
        np.testing.assert_allclose(found[key], expected[key], rtol=0, atol=bound, err_msg=key)


def _numbers(path: Path) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}

    def take(name: str, item: h5py.HLObject) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = np.array(item)

    with h5py.File(path) as file:
        file.visititems(take)
    return found


if __name__ == "__main__":
    count = int(sys.argv[2])
    place = find_place(count, os.environ)
    run(join(place) if place else ALONE, Path(sys.argv[1]))
