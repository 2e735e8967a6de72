"""Keras callbacks: resume after a kill, keep the best weights, show progress."""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tf_keras as keras

from tinyseg import files, progress

# Keras complains of callbacks that take as long as a batch, which those of small networks do.
logging.getLogger("tensorflow").addFilter(
    lambda record: "is slow compared to" not in str(record.msg)
)


class Goal(NamedTuple):
    """What the best epoch is best in.

    Attributes:
        key: of the epoch's scores; empty for the number of the epoch itself.
        title: for people.
        sign: 1 if more is better, -1 if less is.
    """

    key: str
    title: str
    sign: int

    def value(self, epoch: int, scores: Mapping[str, float]) -> float:
        """Return what an epoch, counted from 0, has reached."""
        return float(scores[self.key]) if self.key else float(epoch + 1)


# Of all images: one without a lesion counts 1 if it is left blank, else 0.
VALIDATION_DICE = Goal("val_image_dice", "validation Dice", 1)
VALIDATION_ACCURACY = Goal("val_accuracy", "validation accuracy", 1)
VALIDATION_LOSS = Goal("val_loss", "validation loss", -1)
# What a checkpoint takes beside the values of the variables.
_OVERHEAD = 1 << 16
# Where there are no images to choose an epoch by.
LAST_EPOCH = Goal("", "epoch", 1)
# More steps than an epoch has, and more epochs than a run.
_PARTS = 10**9


class TrainingState(keras.callbacks.Callback):
    """Save everything that training needs to go on, once an epoch, and stop when it stalls.

    Kept in one checkpoint: weights, optimizer, the number of finished epochs, the best score with
    its epoch, and of an epoch that was interrupted the steps done and what its scores are made of.

    Args:
        folder: where the checkpoint lies.
        goal: what the best epoch is best in.
        patience: epochs without improvement after which training stops.
        save: called after an epoch that is the best so far, to keep its weights.

    Attributes:
        step: of the present epoch, counted from 1, that was the last one done; 0 before the first.
    """

    def __init__(self, folder: Path, goal: Goal, patience: int, save: Callable[[], object]) -> None:
        super().__init__()
        self._folder, self._goal, self._patience, self._save = folder, goal, patience, save
        self.epochs_done = tf.Variable(0, dtype=tf.int64)
        self.best_epoch = tf.Variable(0, dtype=tf.int64)
        self.best_value = tf.Variable(-goal.sign * np.inf, dtype=tf.float64)
        self.steps_done = tf.Variable(0, dtype=tf.int64)
        self._sums = tf.Variable(np.zeros(0), shape=[None], trainable=False)
        self.step, self._to_add = 0, np.zeros(0)

    def restore(self, model: keras.Model) -> int:
        """Load the latest checkpoint if there is one and return the number of finished epochs.

        Raises:
            InputError: the disk has no room for another.
        """
        # Slots must exist before they can be restored.
        with model.distribute_strategy.scope():
            model.optimizer.build(model.trainable_variables)
        whole = {
            "model": model,
            "optimizer": model.optimizer,
            "epochs_done": self.epochs_done,
            "best_epoch": self.best_epoch,
            "best_value": self.best_value,
        }
        checkpoint = tf.train.Checkpoint(**whole, steps_done=self.steps_done, sums=self._sums)
        self._manager = tf.train.CheckpointManager(checkpoint, str(self._folder), max_to_keep=1)
        if latest := self._manager.latest_checkpoint:
            names = [name for name, _ in tf.train.list_variables(latest)]
            # Those of tinyseg 0.1.0 have no parts of epochs.
            parted = any(name.startswith("steps_done/") for name in names)
            stored = checkpoint if parted else tf.train.Checkpoint(**whole)
            stored.restore(latest).assert_existing_objects_matched()
        self.step, self._to_add = int(self.steps_done), self._sums.numpy()
        # Old checkpoint and weights stay until the new ones are whole.
        sizes = [v.shape.num_elements() * v.dtype.size for v in model.variables]
        slots = [v.shape.num_elements() * v.dtype.size for v in model.optimizer.variables]
        self._bytes = 2 * sum(sizes) + sum(slots) + _OVERHEAD
        self._need_room()
        return int(self.epochs_done)

    def _need_room(self) -> None:
        """Raise an InputError unless a checkpoint and weights fit on the disk beside the old ones.

        Libraries that write them crash where they do not.
        """
        done = int(self.epochs_done)
        cure = f"run the same command again, it goes on after epoch {done}" if done else ""
        files.need_room(self._folder, self._bytes, cure)

    def save_part(self) -> None:
        """Write a checkpoint of what is done of the epoch."""
        self.steps_done.assign(self.step)
        values = [np.ravel(weight.numpy()) for weight in self._metric_weights()]
        self._sums.assign(np.concatenate([np.zeros(0), *values]))
        # Never the number of a whole epoch.
        self._manager.save(_PARTS * (int(self.epochs_done) + 1) + self.step)

    def _metric_weights(self) -> list[tf.Variable]:
        return [weight for metric in self.model.metrics for weight in metric.weights]

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Count the step; add to the epoch's scores what it had before it was interrupted."""
        self.step += 1
        if not len(self._to_add):
            return
        # All of them are sums and counts, made when the first batch has come.
        start = 0
        for weight in self._metric_weights():
            size = int(np.prod(weight.shape))
            part = self._to_add[start : start + size].reshape(weight.shape)
            weight.assign(weight + tf.cast(part, weight.dtype))
            start += size
        self._to_add = np.zeros(0)

    @property
    def stalled(self) -> bool:
        """Whether the best epoch lies further back than the patience allows."""
        return int(self.epochs_done - self.best_epoch) >= self._patience

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Keep the weights if they are the best, then write the checkpoint."""
        self._need_room()
        value = self._goal.value(epoch, logs or {})
        if self._goal.sign * (value - float(self.best_value)) > 0:
            self._save()
            self.best_value.assign(value)
            self.best_epoch.assign(epoch + 1)
        self.epochs_done.assign(epoch + 1)
        self.step = 0
        self.steps_done.assign(0)
        self._sums.assign(np.zeros(0))
        self._manager.save(epoch + 1)
        if self.stalled:
            self.model.stop_training = True


class History(keras.callbacks.Callback):
    """Write one CSV row an epoch; after a kill, rows past the checkpoint are dropped.

    Args:
        path: the CSV file.
        epochs_done: how many rows to keep of an existing file.
    """

    def __init__(self, path: Path, epochs_done: int) -> None:
        super().__init__()
        self._path = path
        self.rows: list[dict] = []
        if epochs_done and path.is_file():
            with path.open(newline="") as stream:
                self.rows = list(csv.DictReader(stream))[:epochs_done]

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Append the epoch and rewrite the file whole."""
        values = {name: f"{value:.6g}" for name, value in sorted((logs or {}).items())}
        self.rows.append({"epoch": epoch + 1, **values})
        with files.replacing(self._path) as temporary, temporary.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, self.rows[0].keys())
            writer.writeheader()
            writer.writerows(self.rows)


class ProgressBar(keras.callbacks.Callback):
    """One bar for the whole run, with the latest scores beside it.

    Args:
        epochs: planned number of epochs.
        steps: batches an epoch.
        epochs_done: finished before this run.
        goal: score to show.
        log: called with one line an epoch, for runs without a terminal.
        steps_done: of the epoch that was interrupted.
    """

    def __init__(
        self,
        epochs: int,
        steps: int,
        epochs_done: int,
        goal: Goal,
        log: Callable[[str], None],
        steps_done: int = 0,
    ) -> None:
        super().__init__()
        self._epochs, self._goal, self._log = epochs, goal, log
        self._bar = progress.bar()
        completed = epochs_done * steps + steps_done
        self._task = self._bar.add_task(
            "training", total=epochs * steps, completed=completed, note=""
        )

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Show the bar."""
        self._bar.start()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Advance by one batch."""
        self._bar.advance(self._task)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Show or log the epoch's scores."""
        scores = logs or {}
        note = f"loss {scores['loss']:.4f}"
        if self._goal.key:
            note += f"  {self._goal.title} {scores[self._goal.key]:.4f}{_both_kinds(scores)}"
        self._bar.update(self._task, note=note)
        if self._bar.disable:
            self._log(f"epoch {epoch + 1}/{self._epochs}  {note}")

    def on_train_end(self, logs: dict | None = None) -> None:
        """Remove the bar."""
        self._bar.stop()


def _both_kinds(scores: Mapping[str, float]) -> str:
    """Return what an epoch makes of images with and without a lesion; nothing of classes."""
    if "val_false_alarms" not in scores:
        return ""
    return (
        f"  with lesion {scores['val_lesion_dice']:.4f}"
        f"  false alarms {scores['val_false_alarms']:.0f}"
        f"  missed {scores['val_missed_lesions']:.0f}"
    )
