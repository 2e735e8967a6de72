"""Epochs of a run: their batches, and what watches over them."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence

import tensorflow as tf
import tf_keras as keras

from tinyseg import files
from tinyseg.data.augmentation import MILD, WIDE, Ranges
from tinyseg.data.mixing import Mixing
from tinyseg.data.pipeline import evaluation_batches, training_batches
from tinyseg.data.store import ImageStore
from tinyseg.plan import Plan, TrainingPlan
from tinyseg.presets import HISTORY
from tinyseg.training.callbacks import History, ProgressBar, TrainingState
from tinyseg.training.claim import STATE
from tinyseg.training.divergence import (
    MARK,
    Diverged,
    Divergence,
    Guard,
    first_layer_without_bounds,
)
from tinyseg.training.hooks import TrainingRun
from tinyseg.training.leaving import Leave, Signals

log = logging.getLogger(__name__)


def steps_of(training: ImageStore, settings: TrainingPlan) -> int:
    """Return the batches of an epoch."""
    return -(-len(training) // settings.batch_size)


def run_left(
    run: TrainingRun,
    state: TrainingState,
    watchers: Sequence[keras.callbacks.Callback],
    followers: Sequence[keras.callbacks.Callback],
) -> None:
    """Run the epochs of a plan that are not done yet, and the rest of one that was interrupted.

    Args:
        run: what is run.
        state: restored.
        watchers: write files that belong to an epoch.
        followers: come when the epoch's state is saved.
    """
    settings, done = run.plan.training, run.epochs_done
    steps = steps_of(run.training, settings)
    bar = ProgressBar(settings.epochs, steps, done, run.goal, log.info, state.step)
    with Signals() as signals:
        callbacks = [
            # First, so that nothing is kept of an epoch that went wrong.
            _guard(run, state.step),
            keras.callbacks.TensorBoard(str(run.folder / "tensorboard"), write_graph=False),
            History(run.folder / HISTORY, done),
            bar,
            *watchers,
            # So that a checkpoint never runs ahead of the history.
            state,
            *followers,
            Leave(signals, state, run.folder, steps, run.workers.most),
        ]
        try:
            if state.step:
                _fit(run, callbacks, (done, done + 1), state.step)
                done += 1
            if done < settings.epochs and not state.stalled:
                _fit(run, callbacks, (done, settings.epochs))
        finally:
            bar.on_train_end()


def _fit(
    run: TrainingRun,
    callbacks: Sequence[keras.callbacks.Callback],
    span: tuple[int, int],
    skipped: int = 0,
) -> None:
    """Run a span of epochs, without the first steps of the first."""
    first, end = span
    workers, settings = run.workers, run.plan.training
    learning = learning_batches(run.training, run.plan, first).skip(skipped)
    judging, steps = None, None
    if len(run.validation):
        size = workers.judging_size(len(run.validation), settings.batch_size)
        judging = workers.part_of(judging_batches(run.validation, run.plan, size))
        # The parts of several workers do not know how many they are.
        steps = None if workers.alone else -(-len(run.validation) // size)
    run.model.fit(
        workers.part_of(learning),
        steps_per_epoch=steps_of(run.training, settings) - skipped,
        validation_data=judging,
        validation_steps=steps,
        initial_epoch=first,
        epochs=end,
        verbose=0,
        callbacks=callbacks,
    )


def _guard(run: TrainingRun, steps_done: int) -> Guard:
    """Return what ends a run that goes wrong, and marks it so that it is not resumed."""

    def layer_of(epoch: int, step: int | None) -> str:
        if step is None:
            batches = judging_batches(run.validation, run.plan)
        else:
            batches = learning_batches(run.training, run.plan, epoch).skip(step)
        images = next(iter(batches))[0]
        return first_layer_without_bounds(run.network, images, training=step is not None)

    def report(found: Divergence) -> None:
        files.write_json(run.folder / STATE / MARK, dataclasses.asdict(found))
        raise Diverged(run.folder, found)

    rate = run.plan.training.learning_rate
    return Guard(run.model.optimizer, rate, layer_of, report, steps_done)


def learning_batches(training: ImageStore, plan: Plan, first_epoch: int) -> tf.data.Dataset:
    """Return the batches of a plan's epochs, from one of them on."""
    return training_batches(
        training,
        plan.preprocessing,
        plan.training.batch_size,
        seed=plan.seed,
        first_epoch=first_epoch,
        ranges=_ranges(plan.training),
        mixing=mixing_of(plan.training),
    )


def judging_batches(
    validation: ImageStore, plan: Plan, batch_size: int | None = None
) -> tf.data.Dataset:
    """Return the batches that choose the epoch, of the plan's size unless another is given."""
    size = batch_size or plan.training.batch_size
    return evaluation_batches(validation, plan.preprocessing, size)


def mixing_of(settings: TrainingPlan) -> Mixing | None:
    """Return how images are made of two; None if none are.

    Raises:
        InputError: an unknown way.
    """
    mixing = Mixing(settings.mix, settings.mix_by, settings.paste)
    return mixing if mixing.share or mixing.paste else None


def _ranges(settings: TrainingPlan) -> Ranges | None:
    if not settings.augment:
        return None
    return WIDE if settings.augment_wide else MILD
