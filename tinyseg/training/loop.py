"""The training loop: a plan and images in, weights and history out."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf
import tf_keras as keras

from tinyseg import plan as plans
from tinyseg.data.store import ImageStore
from tinyseg.errors import InputError
from tinyseg.plan import Plan, TrainingPlan
from tinyseg.presets import HISTORY, WEIGHTS
from tinyseg.training.attention_maps import FOLDER, AttentionMaps
from tinyseg.training.averaging import averaged
from tinyseg.training.callbacks import (
    LAST_EPOCH,
    VALIDATION_ACCURACY,
    VALIDATION_DICE,
    Goal,
    TrainingState,
)
from tinyseg.training.claim import STATE, alone, claim
from tinyseg.training.divergence import SteadyAdam
from tinyseg.training.epochs import mixing_of, run_left, steps_of
from tinyseg.training.hooks import Hook, TrainingRun
from tinyseg.training.keras_metrics import FalseAlarms, LesionDice, MissedLesions, image_dice
from tinyseg.training.losses import mask_loss
from tinyseg.training.stages import settle
from tinyseg.training.workers import ALONE, Workers
from tinyseg.zoo import build, network
from tinyseg.zoo.weights import load_weights, save_weights

log = logging.getLogger(__name__)


def new_network(plan: Plan) -> keras.Model:
    """Build a plan's network with seeded random weights, or the initial weights it names.

    Raises:
        InputError: unknown network, argument or precision, or unusable initial weights.
    """
    keras.utils.set_random_seed(plan.seed)
    keras.mixed_precision.set_global_policy(_policy(plan.training.precision))
    model = build(*plan.network)
    if plan.training.initial_weights:
        load_weights(model, plan.training.initial_weights)
    elif network(plan.model.name).transfers:
        log.warning(
            "%s: starts from random weights; for transfer learning give --weights FILE, such as "
            "those of Keras Applications without top, or --weights pretrained for an encoder",
            plan.model.name,
        )
    return model


def train_network(
    model: keras.Model,
    plan: Plan,
    training: ImageStore,
    validation: ImageStore,
    folder: str | Path,
    hooks: Sequence[Hook] = (),
    workers: Workers = ALONE,
) -> None:
    """Train a network, or go on where an interrupted run of the same plan stopped.

    Ends with the best epoch's weights in the network.

    Writes ``weights.h5`` (best validation Dice of all images, or accuracy), ``history.csv``,
    ``tensorboard/``, ``checkpoint/`` and, at the end, ``plan.json`` into ``folder``.

    Args:
        model: from :func:`new_network`.
        plan: the whole plan.
        training: images to learn from, each once; see :func:`rows_to_learn`.
        validation: images that choose the epoch; without any it is the last one.
        folder: where the results go.
        hooks: follow the run.
        workers: this process among those that train together, in whose scope the network was made.

    Raises:
        InputError: the folder holds a run of another plan, or one that diverged.
        Diverged: the loss or the weights are no longer finite.
        Left: SIGTERM or SIGUSR1 came; the state is saved.
        LostWorker: another worker ended.
    """
    if training.classes and model.output_shape[-1] == 1:
        raise InputError(
            f"{model.name}: one output stands for two classes; training wants one for each, "
            "quantize it with recipe static_wi8_ai8"
        )
    goal = VALIDATION_ACCURACY if training.classes else VALIDATION_DICE
    with workers.scope():
        losses = _class_losses() if training.classes else mask_losses(mask_loss(plan.training))
    learner = Learner(workers.learner(model), losses, model, workers)
    with workers.folder_of(Path(folder)) as own:
        run_epochs(learner, plan, training, validation, own, goal, hooks)


def _check(training: ImageStore, plan: Plan) -> None:
    """Refuse images from which only "nothing" can be learned, and unknown ways to mix them.

    Raises:
        InputError: no training image has foreground, or there is no such way.
    """
    source, _ = plan.data.source, mixing_of(plan.training)
    if training.classes:
        return
    if not training.masks.any():
        raise InputError(
            f"{source}: none of the {len(training)} training images has foreground, so a network "
            "would learn to predict nothing; check the masks with 'tinyseg data check'"
        )
    for number, region in enumerate(training.regions):
        if not training.masks[..., number].any():
            log.warning("%s: no training image has %s; it cannot be learned", source, region)


def mask_losses(loss: keras.losses.Loss) -> dict[str, Any]:
    """Return what a learner of masks is compiled with, the Dice that chooses the epoch included."""
    metrics = [image_dice, LesionDice(), FalseAlarms(), MissedLesions()]
    return {"loss": loss, "metrics": metrics}


def _class_losses() -> dict[str, Any]:
    accuracy = keras.metrics.CategoricalAccuracy(name="accuracy")
    return {"loss": keras.losses.CategoricalCrossentropy(), "metrics": [accuracy]}


def rows_to_learn(training: ImageStore, settings: TrainingPlan) -> ImageStore:
    """Return what an epoch shows: each image once, or those of rare labels more often.

    Args:
        training: the images of the training part, each once.
        settings: ``balance`` asks for the latter.
    """
    return training.balanced() if settings.balance else training


class Learner(NamedTuple):
    """What an epoch trains.

    Attributes:
        model: the network itself, or a model that holds it.
        losses: loss and metrics that it is compiled with.
        network: the one whose weights are kept.
        workers: this process among those that train it.
    """

    model: keras.Model
    losses: Mapping[str, Any]
    network: keras.Model
    workers: Workers = ALONE


def run_epochs(
    learner: Learner,
    plan: Plan,
    training: ImageStore,
    validation: ImageStore,
    folder: str | Path,
    goal: Goal = VALIDATION_DICE,
    hooks: Sequence[Hook] = (),
) -> None:
    """Run the epochs of :func:`train_network`, which describes the files, with any learner.

    Args:
        learner: what is trained.
        plan: the whole plan.
        training: images to learn from, each once; see :func:`rows_to_learn`.
        validation: images that choose the epoch; without any it is the last one.
        folder: where the results go.
        goal: what the best epoch is best in.
        hooks: follow the run.

    Raises:
        InputError: the folder holds a run of another plan, one that diverged or one that is going
            on, or the disk is full.
        Diverged: the loss or the weights are no longer finite.
        Left: SIGTERM or SIGUSR1 came; the state is saved.
    """
    folder, settings = Path(folder), plan.training
    model = learner.network
    goal = goal if len(validation) else LAST_EPOCH
    kept = _kept_epoch(settings, goal)
    _check(training, plan)
    # Before the folder is taken.
    watchers, slower = _watchers(model, plan, validation, folder), settle(model, settings)
    with alone(folder):
        claim(folder, plan)
        # Here, where every learner passes, so that none can forget it.
        training = rows_to_learn(training, settings)
        workers = learner.workers
        workers.need_fit(len(training), len(validation), settings)
        schedule = _schedule(settings, steps_of(training, settings))
        with workers.scope():
            optimizer = SteadyAdam(schedule, name="Adam", rates=slower)
            learner.model.compile(optimizer=optimizer, **learner.losses)
        save = functools.partial(save_weights, model, folder / WEIGHTS)
        averaging, keep_best = averaged(optimizer, model, settings.average, save)
        state = TrainingState(folder / STATE, kept, settings.patience, keep_best)
        done = state.restore(learner.model)
        workers.need_same(state.step + done * steps_of(training, settings), folder)
        if done or state.step:
            log.info("resuming after epoch %d of %d", done, settings.epochs)
        if done < settings.epochs and not state.stalled:
            run = TrainingRun(
                plan, model, learner.model, training, validation, folder, goal, done, workers
            )
            run_left(run, state, averaging + watchers, [hook(run) for hook in hooks])
        if kept.key:
            log.info("best %s %.4f in epoch %d", goal.title, state.best_value, state.best_epoch)
        load_weights(model, folder / WEIGHTS)
        plans.write(plan, folder, folder / WEIGHTS, folder / HISTORY)


def _kept_epoch(settings: TrainingPlan, goal: Goal) -> Goal:
    """Return what decides whose epoch's weights are kept.

    Raises:
        InputError: an unknown way.
    """
    if settings.keep not in ("best", "last"):
        raise InputError(f"training.keep: '{settings.keep}' is not best or last")
    return LAST_EPOCH if settings.keep == "last" else goal


def _watchers(
    model: keras.Model, plan: Plan, validation: ImageStore, folder: Path
) -> list[keras.callbacks.Callback]:
    """Return what follows the training of a network on the first validation image."""
    if not plan.training.attention_maps:
        return []
    if not len(validation):
        raise InputError(
            "training.attention_maps: shows a validation image, and there is none; "
            "give data.fractions a share for validation"
        )
    image = validation.take([0]).inputs(plan.preprocessing)
    return [AttentionMaps(model, image, folder / FOLDER)]


def _schedule(
    settings: TrainingPlan, steps: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    warmup = round(settings.warmup_epochs * steps)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=settings.learning_rate / max(warmup, 1),
        decay_steps=max(settings.epochs * steps - warmup, 1),
        warmup_target=settings.learning_rate,
        warmup_steps=warmup,
    )


def _policy(precision: str) -> str:
    """Choose the Keras policy; half precision only helps where the hardware computes in it."""
    if precision not in ("auto", "float32", "mixed"):
        raise InputError(f"training.precision: '{precision}' is not auto, float32 or mixed")
    gpu = bool(tf.config.list_physical_devices("GPU"))
    if precision == "float32" or (precision == "auto" and not gpu):
        return "float32"
    return "mixed_float16" if gpu else "mixed_bfloat16"
