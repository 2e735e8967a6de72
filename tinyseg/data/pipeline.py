"""Feed an image store to Keras as ``tf.data``, reproducibly and from any epoch."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import tensorflow as tf

from tinyseg.data.augmentation import MILD, Ranges, grey_levels, move
from tinyseg.data.mixing import Example, Mixing, mix
from tinyseg.data.store import ImageStore
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan
from tinyseg.preprocessing import normalise


def training_batches(
    store: ImageStore,
    preprocessing: PreprocessingPlan,
    batch_size: int,
    *,
    seed: int = 0,
    first_epoch: int = 0,
    ranges: Ranges | None = MILD,
    mixing: Mixing | None = None,
) -> tf.data.Dataset:
    """Return an endless stream of shuffled, augmented batches.

    Epoch ``e`` depends on ``seed`` and ``e`` alone, so a run resumed at ``first_epoch`` sees
    what an uninterrupted one would have seen.

    Args:
        store: training images.
        preprocessing: gives the normalisation.
        batch_size: images a batch; the last batch of an epoch may be smaller.
        seed: of order and augmentation.
        first_epoch: where the stream begins.
        ranges: how far images are changed at random; None for not at all.
        mixing: how many are made of two, each of them changed at random; None for none.

    Returns:
        Dataset of ``(float32 (b, h, w, c), float32 (b, h, w, regions))``, the second being
        ``(b, classes)`` where images are to be classified, ``ceil(len(store) / batch_size)``
        batches an epoch.

    Raises:
        InputError: lesions are to be pasted and there are no masks.
    """
    if mixing and mixing.paste and store.classes:
        raise InputError("training.paste: pastes what masks mark, and these images have none")

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        key = tf.stack([tf.constant(seed, tf.int64), epoch])
        order = tf.random.experimental.stateless_shuffle(tf.range(len(store)), key)
        rows = tf.data.Dataset.from_tensor_slices(order).batch(batch_size)
        return rows.map(lambda rows: (epoch, rows))

    def load(epoch: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if ranges is None and mixing is None:
            return _plain(store, rows, preprocessing)
        # A generator for each image and epoch: neither order nor batch size matters.
        examples = [
            _drawn(store, int(row), preprocessing, (ranges, mixing), (seed, int(epoch), int(row)))
            for row in rows
        ]
        images, targets = zip(*examples, strict=True)
        return np.stack(images), np.stack(targets)

    epochs = tf.data.Dataset.range(first_epoch, np.iinfo(np.int64).max)
    return _load(epochs.flat_map(one_epoch), load, store)


def evaluation_batches(
    store: ImageStore, preprocessing: PreprocessingPlan, batch_size: int
) -> tf.data.Dataset:
    """Return all images once, in order, in the shapes that :func:`training_batches` gives."""

    def load(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _plain(store, rows, preprocessing)

    return _load(tf.data.Dataset.range(len(store)).batch(batch_size), load, store)


def _load(
    keys: tf.data.Dataset,
    load: Callable[..., tuple[np.ndarray, np.ndarray]],
    store: ImageStore,
) -> tf.data.Dataset:
    """Turn a dataset of keys into one of batches, several at a time.

    OpenCV and NumPy do the work outside Python's lock, several times faster than TensorFlow's
    own image operators on a CPU.
    """

    def call(*key: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images, targets = tf.numpy_function(load, key, [tf.float32, tf.float32])
        return (
            tf.ensure_shape(images, [None, *store.images.shape[1:]]),
            tf.ensure_shape(targets, [None, *store.targets.shape[1:]]),
        )

    return keys.map(call, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def _plain(
    store: ImageStore, rows: np.ndarray, preprocessing: PreprocessingPlan
) -> tuple[np.ndarray, np.ndarray]:
    return normalise(store.images[rows], preprocessing), store.targets[rows].astype(np.float32)


def _drawn(
    store: ImageStore,
    row: int,
    preprocessing: PreprocessingPlan,
    changes: tuple[Ranges | None, Mixing | None],
    key: tuple[int, int, int],
) -> Example:
    """Return what a row shows in an epoch, which the key tells apart."""
    rng = np.random.default_rng(key)
    ranges, mixing = changes
    example = _augmented(store, row, preprocessing, ranges, rng)
    if mixing is None:
        return example
    other = _augmented(store, int(rng.integers(len(store))), preprocessing, ranges, rng)
    return mix(example, other, mixing, rng)


def _augmented(
    store: ImageStore,
    row: int,
    preprocessing: PreprocessingPlan,
    ranges: Ranges | None,
    rng: np.random.Generator,
) -> Example:
    if ranges is None:
        images, targets = _plain(store, np.array([row]), preprocessing)
        return Example(images[0], targets[0])
    image = store.images[row]
    channels = image.shape[-1]
    if store.grey:
        image = np.ascontiguousarray(image[..., :1])
    image, mask = move(image, store.masks[row], rng, ranges)
    # New grey levels and normalisation in one look-up.
    image = cv2.LUT(image, normalise(grey_levels(rng, ranges), preprocessing))
    if image.shape[-1:] != (channels,) or image.ndim < 3:
        image = cv2.merge([image] * channels).reshape(*mask.shape[:2], channels)
    return Example(image, (store.targets[row] if store.classes else mask).astype(np.float32))
