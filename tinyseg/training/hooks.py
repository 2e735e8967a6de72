"""The one way for others to follow a training run: watchers, searches, loggers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

import tf_keras as keras

from tinyseg.data.store import ImageStore
from tinyseg.plan import Plan
from tinyseg.training.callbacks import Goal
from tinyseg.training.workers import ALONE, Workers


class TrainingRun(NamedTuple):
    """What a hook is told of a run that is about to begin, or to go on.

    Attributes:
        plan: the whole plan.
        network: the one whose weights are kept, not compiled.
        model: what is fitted, compiled: the network or a model that holds it.
        training: the images of an epoch, rare ones as often as it shows them.
        validation: images that choose the epoch; may be none.
        folder: of the results; a copy for workers other than the chief.
        goal: what the best epoch is best in.
        epochs_done: finished before.
        workers: that train together; all of them run all hooks.
    """

    plan: Plan
    network: keras.Model
    model: keras.Model
    training: ImageStore
    validation: ImageStore
    folder: Path
    goal: Goal
    epochs_done: int
    workers: Workers = ALONE


class Hook(Protocol):
    """Makes a Keras callback for a run; ``run_epochs`` and all that call it take a list of them.

    It is called when the folder is known to belong to the plan, its state is restored and an
    epoch is left to run. At the callback's ``on_epoch_end`` weights, history and state of the
    epoch are on disk, so that it may raise or end the process and nothing is lost;
    ``model.stop_training = True`` ends the run in good order. ``on_train_begin`` may come twice, as
    an epoch that was interrupted is finished in a fit of its own. A callback that writes files
    names them after what it does and does so whole or not at all, see ``tinyseg.files``.
    """

    def __call__(self, run: TrainingRun) -> keras.callbacks.Callback:
        """Return what follows the run."""


@dataclasses.dataclass(frozen=True)
class AfterEpoch:
    """Does something with the folder of a run after each epoch; a :class:`Hook`.

    Attributes:
        call: what to do.
    """

    call: Callable[[Path], object]

    def __call__(self, run: TrainingRun) -> keras.callbacks.Callback:
        """Return what does it."""
        return keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: self.call(run.folder)
        )
