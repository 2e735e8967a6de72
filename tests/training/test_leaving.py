"""Signals end a run whose state is saved; it goes on as if nothing had been."""

import os
import signal
import threading

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tests.training.runs import checkpoint, history, parts_of, plan_of, small
from tinyseg.training.callbacks import TrainingState
from tinyseg.training.leaving import Left, Signals
from tinyseg.training.loop import train_network

pytestmark = pytest.mark.usefixtures("own_cache")
STEPS = 3


def plan(**settings):
    return plan_of(epochs=4, warmup_epochs=1.5, **settings)


@pytest.fixture(scope="module")
def whole(own_cache, tmp_path_factory):
    """The folder and the final weights of a run that nothing ended."""
    folder, model = tmp_path_factory.mktemp("whole"), small(plan())
    train_network(model, plan(), *parts_of(plan()), folder)
    return folder, model.get_weights()


class Send(keras.callbacks.Callback):
    """Sends this process a signal after so many steps."""

    def __init__(self, number, after):
        super().__init__()
        self.number, self.left = number, after

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), self.number)


def run(folder, number=0, after=0):
    model = small(plan())
    hooks = [lambda run: Send(number, after)] if number else []
    train_network(model, plan(), *parts_of(plan()), folder, hooks)
    return model.get_weights()


def test_run_that_signals_ended_equals_one_that_none_did(whole, tmp_path):
    """After the first step, in the midst of an epoch, again in the same one, and at an end."""
    expected, weights = whole
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)]
    sent = [
        (signal.SIGTERM, 1, 143, "SIGTERM ended the training after step 1 of epoch 1;", 0),
        (signal.SIGUSR1, 1, 138, "SIGUSR1 ended the training after step 2 of epoch 1;", 0),
        (signal.SIGUSR1, 1 + STEPS, 138, "SIGUSR1 ended the training after epoch 2;", 2),
    ]
    for number, after, code, words, rows in sent:
        with pytest.raises(Left, match=words) as error:
            run(tmp_path, number, after)
        assert error.value.exit_code == code
        assert str(error.value).startswith(f"{tmp_path}: ")
        assert (tmp_path / "history.csv").exists() == (rows > 0)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)] == before
    for one, other in zip(run(tmp_path), weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert (tmp_path / "history.csv").read_text() == (expected / "history.csv").read_text()
    mine, theirs = checkpoint(tmp_path), checkpoint(expected)
    assert mine.keys() == theirs.keys()
    for name in mine.keys() - {"save_counter/.ATTRIBUTES/VARIABLE_VALUE"}:
        np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)


def test_signal_in_the_last_epoch_of_a_run_lets_it_end(tmp_path):
    run(tmp_path, signal.SIGTERM, 4 * STEPS)
    assert len(history(tmp_path)) == 4
    assert (tmp_path / "plan.json").is_file()


def test_checkpoint_without_parts_of_epochs_is_read(tmp_path):
    model = small(plan())
    model.compile(keras.optimizers.Adam(0.1), "mse")
    state = TrainingState(tmp_path, plan_goal(), 9, lambda: None)
    model.optimizer.build(model.trainable_variables)
    state.epochs_done.assign(2)
    old = tf.train.Checkpoint(
        model=model,
        optimizer=model.optimizer,
        epochs_done=state.epochs_done,
        best_epoch=state.best_epoch,
        best_value=state.best_value,
    )
    tf.train.CheckpointManager(old, str(tmp_path), max_to_keep=1).save(2)
    again = TrainingState(tmp_path, plan_goal(), 9, lambda: None)
    assert again.restore(model) == 2
    assert again.step == 0


def plan_goal():
    from tinyseg.training.callbacks import VALIDATION_DICE

    return VALIDATION_DICE


def test_in_another_thread_signals_are_left_alone():
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def inside():
        with Signals() as signals:
            seen.append((signal.getsignal(signal.SIGTERM), signals.came))

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert seen == [(before, 0)]
