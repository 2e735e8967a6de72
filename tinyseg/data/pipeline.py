"""Feed an image store to Keras as ``tf.data``, reproducibly and from any epoch."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tinyseg.data.augmentation import augment
from tinyseg.data.store import ImageStore
from tinyseg.plan import PreprocessingPlan


def training_batches(
    store: ImageStore,
    preprocessing: PreprocessingPlan,
    batch_size: int,
    *,
    seed: int = 0,
    first_epoch: int = 0,
    augmented: bool = True,
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
        augmented: whether images are changed at random.

    Returns:
        Dataset of ``(float32 (b, h, w, c), float32 (b, h, w, 1))``,
        ``ceil(len(store) / batch_size)`` batches an epoch.
    """
    steps = -(-len(store) // batch_size)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        key = tf.stack([tf.constant(seed, tf.int64), epoch])
        order = tf.random.experimental.stateless_shuffle(tf.range(len(store)), key)
        batches = tf.data.Dataset.from_tensor_slices(order).batch(batch_size)
        return batches.enumerate(epoch * steps)

    def load(step: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images, masks = _gather(store, rows)
        if augmented:
            images, masks = augment(images, masks, tf.stack([tf.constant(seed, tf.int64), step]))
        return _finish(images, masks, preprocessing)

    epochs = tf.data.Dataset.range(first_epoch, np.iinfo(np.int64).max)
    return (
        epochs.flat_map(one_epoch)
        .map(load, num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
    )


def evaluation_batches(
    store: ImageStore, preprocessing: PreprocessingPlan, batch_size: int
) -> tf.data.Dataset:
    """Return all images once, in order, as ``(float32 (b, h, w, c), float32 (b, h, w, 1))``."""

    def load(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return _finish(*_gather(store, rows), preprocessing)

    rows = tf.data.Dataset.range(len(store)).batch(batch_size)
    return rows.map(load, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def _gather(store: ImageStore, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Read rows of the memory-mapped arrays, which may be larger than memory."""
    images, masks = tf.numpy_function(
        lambda rows: (store.images[rows], store.masks[rows]), [rows], [tf.uint8, tf.uint8]
    )
    return (
        tf.ensure_shape(images, [None, *store.images.shape[1:]]),
        tf.ensure_shape(masks, [None, *store.masks.shape[1:]]),
    )


def _finish(
    images: tf.Tensor, masks: tf.Tensor, preprocessing: PreprocessingPlan
) -> tuple[tf.Tensor, tf.Tensor]:
    pixels = tf.cast(images, tf.float32) * preprocessing.scale + preprocessing.offset
    return pixels, tf.cast(masks, tf.float32)
