"""What the tests of training share: a network that trains in a second, images, files of a run."""

from __future__ import annotations

import csv
import dataclasses
import functools
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from tinyseg import data
from tinyseg import plan as plans
from tinyseg.data.store import ImageStore, open_store
from tinyseg.plan import Plan
from tinyseg.training.callbacks import TrainingState


def plan_of(source: str = "phantom:count=20,size=32", **training: Any) -> Plan:
    """A plan for images of 16 x 24 pixels, which are normalised to be around zero."""
    training = {"epochs": 6, "batch_size": 5, "learning_rate": 0.5, "dice_weight": 0.25, **training}
    size = {"height": 16, "width": 24, "channels": 1, "scale": 2 / 255, "offset": -1.0}
    return plans.from_mapping(
        {
            "model": {"name": "unet", "arguments": {"base_width": 2, "depth": 1}},
            "seed": 3,
            "data": {"source": source},
            "preprocessing": size,
            "training": training,
        }
    )


@functools.cache
def store_of(source: str) -> ImageStore:
    """All images of a source."""
    plan = plan_of(source)
    store = open_store(data.load(source), plan.preprocessing)
    return dataclasses.replace(store, images=np.array(store.images), masks=np.array(store.masks))


def parts_of(plan: Plan) -> tuple[ImageStore, ImageStore]:
    """Twelve images to learn from and seven to judge by.

    Nearly all pixels are to be marked in the former, and the left third in the latter.
    """
    store = store_of(plan.data.source)
    training, validation = store.take(range(12)), store.take(range(12, 19))
    if store.classes:
        return training, validation
    left = np.zeros_like(validation.masks)
    left[:, :, :8] = 1
    left[2] = 0
    return (
        dataclasses.replace(training, masks=1 - training.masks),
        dataclasses.replace(validation, masks=left),
    )


def small(plan: Plan) -> keras.Model:
    """A network that marks nothing at first and all pixels later, whatever the image.

    So its best epoch lies between the first and the last. Its first layers follow the images.
    """
    keras.utils.set_random_seed(plan.seed)
    layers, size = keras.layers, plan.preprocessing
    head = layers.Conv2D(1, 1, use_bias=False, trainable=False, name="weak")
    model = keras.Sequential(
        [
            layers.Input((size.height, size.width, size.channels)),
            layers.Conv2D(3, 3, padding="same", activation="relu", name="first"),
            layers.BatchNormalization(momentum=0.8, name="norm"),
            head,
            layers.DepthwiseConv2D(1, activation="sigmoid", name="mask", trainable=True),
        ],
        name="small",
    )
    head.set_weights([np.array([1e-3, -2e-3, 1e-3]).reshape(1, 1, 3, 1)])
    model.get_layer("mask").set_weights([np.ones((1, 1, 1, 1)), np.array([-3.0])])
    return model


def history(folder: Path) -> list[dict[str, float]]:
    """The rows of a run's history."""
    with (folder / "history.csv").open(newline="") as stream:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(stream)]


def checkpoint(folder: Path) -> dict[str, np.ndarray]:
    """All that the only checkpoint of a run holds."""
    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(folder / "checkpoint"))
    names = reader.get_variable_to_shape_map()
    return {n: reader.get_tensor(n) for n in names if "OBJECT_GRAPH" not in n}


def watch(patch: Any, seen: list[list[np.ndarray]], model: keras.Model, stop: int = 0) -> None:
    """Take a copy of the weights after each epoch, and let the epoch ``stop`` be the last one."""
    after = TrainingState.on_epoch_end

    def in_epoch(self: TrainingState, epoch: int, logs: dict | None = None) -> None:
        after(self, epoch, logs)
        seen.append(model.get_weights())
        if epoch + 1 == stop:
            raise KeyboardInterrupt

    patch.setattr(TrainingState, "on_epoch_end", in_epoch)
