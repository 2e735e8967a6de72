"""Signals that ask a run to make room: it saves what it has done of the epoch, and ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import tf_keras as keras

from tinyseg.errors import TinysegError
from tinyseg.training.callbacks import TrainingState

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class Left(TinysegError):
    """A run that a signal ended after its state was saved.

    Args:
        folder: of the run.
        number: of the signal; the exit code is that of a program which the signal ended.
        epoch: counted from 1, that it was in, or that it had finished.
        step: of the epoch after which it ended; 0 if the epoch was finished.
    """

    def __init__(self, folder: Path, number: int, epoch: int, step: int) -> None:
        self.exit_code = 128 + number
        place = f"step {step} of epoch {epoch}" if step else f"epoch {epoch}"
        super().__init__(
            f"{folder}: {signal.Signals(number).name} ended the training after {place}; its state "
            "is saved, the same command goes on there"
        )


class Signals:
    """Note SIGTERM and SIGUSR1 instead of dying of them, while the block runs.

    In a thread beside the main one there is nothing to do: Python hands signals to the latter.

    Attributes:
        came: number of the last one; 0 for none.
    """

    def __init__(self) -> None:
        self.came = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.came = number

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


class Leave(keras.callbacks.Callback):
    """End a run that a signal came for, as soon as its state is saved.

    Args:
        signals: what has come.
        state: saves it.
        folder: of the run.
        steps: of an epoch.
        agree: makes the workers of a run of one mind about which signal has come.
    """

    def __init__(
        self,
        signals: Signals,
        state: TrainingState,
        folder: Path,
        steps: int,
        agree: Callable[[int], int] = int,
    ) -> None:
        super().__init__()
        self._signals, self._state, self._folder = signals, state, folder
        self._steps, self._agree = steps, agree

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Save what is done of the epoch, and end; after its last step the epoch saves itself."""
        if self._state.step == self._steps:
            return
        if number := self._agree(self._signals.came):
            self._state.save_part()
            epoch = int(self._state.epochs_done) + 1
            raise Left(self._folder, number, epoch, self._state.step)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """End; the state was saved just before. A run that ends anyway is left to do so."""
        number = self._agree(self._signals.came)
        if number and not self.model.stop_training and epoch + 1 < self.params["epochs"]:
            raise Left(self._folder, number, epoch + 1, 0)
