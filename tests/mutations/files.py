"""Small files to damage, and the damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tf_keras as keras

from tests import fixtures, foreign_files
from tests.tflite.test_fuzz import damaged

SIDE = 16


def _segmentation() -> bytes:
    L = keras.layers
    image = L.Input((SIDE, SIDE, 1), batch_size=1)
    a = L.Conv2D(4, 3, padding="same", activation="relu")(image)
    b = L.Conv2D(4, 3, padding="same", activation="relu")(L.MaxPooling2D()(a))
    x = L.Concatenate()([a, L.Conv2DTranspose(4, 2, 2, "same")(b)])
    x = L.Conv2D(1, 1, activation="sigmoid")(L.DepthwiseConv2D(3, padding="same")(x))
    calibration = np.random.default_rng(0).random((4, SIDE, SIDE, 1), np.float32)
    return fixtures.convert(keras.Model(image, x), calibration)


MAKERS = (
    _segmentation,
    _segmentation,
    _segmentation,
    foreign_files.person_detect,
    foreign_files.svdf,
    foreign_files.lstm,
    foreign_files.group_normalization,
)


def mutated(seed: int, sound: Path | None = None) -> bytes:
    """Return the damaged file of a seed.

    Args:
        seed: any number.
        sound: folder that keeps the files to damage, for other processes; None for none.
    """
    make = MAKERS[seed % len(MAKERS)]
    if sound is None:
        return damaged(foreign_files.content_of(make), seed)
    path = sound / f"{make.__name__}.tflite"
    if not path.exists():
        sound.mkdir(exist_ok=True)
        path.write_bytes(foreign_files.content_of(make))
    return damaged(path.read_bytes(), seed)
