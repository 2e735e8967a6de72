"""Workers: processes, on one machine or several, that train one network together.

Each computes the gradients of its share of every batch; their sum is applied by all of them. So all
do the same, but only the chief's files are the run's.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from tinyseg.errors import InputError, LostWorker
from tinyseg.plan import TrainingPlan
from tinyseg.presets import HISTORY, WEIGHTS
from tinyseg.training.claim import STATE
from tinyseg.training.shared_norm import share

log = logging.getLogger(__name__)


class Workers:
    """This process among those that train a network.

    Args:
        strategy: TensorFlow's, of several workers; None for this process alone.
        index: of this worker.
        count: of all.
    """

    def __init__(self, strategy: tf.distribute.Strategy | None, index: int, count: int) -> None:
        self.index, self.count, self._strategy = index, count, strategy

    @property
    def chief(self) -> bool:
        """Whether this is the worker whose files are kept."""
        return self.index == 0

    @property
    def alone(self) -> bool:
        """Whether there are no others."""
        return self._strategy is None

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which variables are made that all workers share."""
        return contextlib.nullcontext() if self._strategy is None else self._strategy.scope()

    def learner(self, network: keras.Model) -> keras.Model:
        """Return what is fitted for a network: itself, or with its share of every batch weighed.

        The statistics of its batch normalization become those of the whole batch.
        """
        if self._strategy is None:
            return network
        share(network)
        with self.scope():
            return Sharing(network.input, network.output, name=network.name)

    def part_of(self, batches: tf.data.Dataset) -> Any:
        """Return this worker's rows of batches of images and targets."""
        if self._strategy is None:
            return batches
        # Made whole by all of them: what is drawn at random depends on no worker.
        first, count = self.index, self.count
        part = batches.map(lambda images, targets: (images[first::count], targets[first::count]))
        return self._strategy.distribute_datasets_from_function(lambda context: part)

    def everyones(self, value: int) -> list[int]:
        """Return a number that each worker has, in their order; all of them must ask."""
        if self._strategy is None:
            return [value]
        row = value * np.eye(self.count, dtype=np.int64)[self.index]
        return [int(one) for one in self._sum(tf.constant(row))]

    def most(self, value: int) -> int:
        """Return the greatest of a number that each worker has; all of them must ask."""
        return max(self.everyones(value))

    @tf.function
    def _sum(self, row: tf.Tensor) -> tf.Tensor:
        def add(row: tf.Tensor) -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            # An argument lies on no device, and TensorFlow asks for the one of this worker.
            return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(row))

        assert self._strategy is not None  # Nobody asks who is alone.
        return self._strategy.run(add, (row,))

    @contextlib.contextmanager
    def folder_of(self, folder: Path) -> Iterator[Path]:
        """Give the folder to write into: the run's for the chief, a copy of its state for others.

        Raises:
            LostWorker: another worker ended.
        """
        if self.chief:
            with self._watching(folder):
                yield folder
            return
        with tempfile.TemporaryDirectory(prefix="tinyseg-worker-") as scratch:
            own = Path(scratch, folder.name)
            own.mkdir()
            if (folder / STATE).is_dir():
                # But for what the chief is about to write.
                hidden = shutil.ignore_patterns(".*")
                shutil.copytree(folder / STATE, own / STATE, ignore=hidden)
            for name in (HISTORY, WEIGHTS):
                if (folder / name).is_file():
                    shutil.copy(folder / name, own / name)
            with self._watching(folder):
                yield own

    @contextlib.contextmanager
    def _watching(self, folder: Path) -> Iterator[None]:
        if self.alone:
            yield
            return
        try:
            yield
        except (
            tf.errors.UnavailableError,
            tf.errors.AbortedError,
            tf.errors.CancelledError,
            tf.errors.DeadlineExceededError,
            tf.errors.InternalError,
        ) as error:
            log.debug("%s", error.message)
            raise LostWorker(
                f"{folder}: another of the {self.count} workers ended or cannot be reached; the "
                "same command on all goes on after the last epoch that was saved"
            ) from None

    def need_same(self, done: int, folder: Path) -> None:
        """Refuse to begin where workers see different states of a run.

        Raises:
            InputError: they do.
        """
        if len(set(self.everyones(done))) > 1:
            raise InputError(
                f"{folder}: not all workers see the state of the run in it; choose a folder on "
                "storage that they share"
            )

    def judging_size(self, images: int, batch_size: int) -> int:
        """Return a size of batches, at least the given one, that leaves no worker without images.

        Scores of validation images do not depend on it, and an empty batch is no input for a
        network.

        Args:
            images: of the validation part, as many as there are workers or more.
            batch_size: of the plan.
        """
        size = batch_size
        while 0 < images % size < self.count:
            size += 1
        return size

    def need_fit(self, images: int, validation: int, settings: TrainingPlan) -> None:
        """Refuse plans that several workers cannot follow.

        Args:
            images: of an epoch.
            validation: images that choose the epoch.
            settings: of the plan.

        Raises:
            InputError: the last batch of an epoch or the validation part has fewer images than
                there are workers, or the weights are to be averaged.
        """
        if self.alone:
            return
        if settings.average:
            raise InputError("training.average: is for one worker; leave it out or --workers")
        if 0 < validation < self.count:
            raise InputError(
                f"data.fractions: {validation} validation images are fewer than the {self.count} "
                "workers; choose other fractions or fewer workers"
            )
        least = images % settings.batch_size or settings.batch_size
        if least < self.count:
            raise InputError(
                f"training.batch_size: {settings.batch_size} leaves {least} of the {images} "
                f"training images for the last batch, fewer than the {self.count} workers; choose "
                "another"
            )


ALONE = Workers(None, 0, 1)


class Sharing(keras.Model):
    """A network whose loss is weighed by this worker's share of the batch.

    Keras takes the mean of the workers' means, as if all had as many images.
    """

    def compute_loss(
        self,
        x: tf.Tensor | None = None,
        y: tf.Tensor | None = None,
        y_pred: tf.Tensor | None = None,
        sample_weight: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """See Keras."""
        loss = super().compute_loss(x, y, y_pred, sample_weight)
        context = tf.distribute.get_replica_context()
        rows = tf.cast(tf.shape(y)[0], loss.dtype)
        every = context.all_reduce(tf.distribute.ReduceOp.SUM, rows)
        return loss * rows * context.num_replicas_in_sync / every
