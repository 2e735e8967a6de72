"""What is kept after each epoch, when training stops, and what it tells meanwhile."""

import logging
import shutil
import time

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tinyseg import progress
from tinyseg.errors import InputError
from tinyseg.training.callbacks import (
    LAST_EPOCH,
    VALIDATION_ACCURACY,
    VALIDATION_DICE,
    VALIDATION_LOSS,
    History,
    ProgressBar,
    TrainingState,
)


def network(weight=0.0):
    model = keras.Sequential([keras.layers.Dense(1, input_shape=(2,), name="only")])
    model.compile(keras.optimizers.Adam(0.1), "mse")
    model.set_weights([np.full((2, 1), weight), np.full(1, 10 * weight)])
    return model


class Run:
    """Epochs of which only the scores are known."""

    def __init__(self, folder, goal=VALIDATION_DICE, patience=99, weight=0.0):
        self.model, self.kept, self.goal = network(weight), [], goal
        self.state = TrainingState(folder, goal, patience, lambda: self.kept.append(self.epoch))
        self.done = self.state.restore(self.model)
        self.state.set_model(self.model)
        self.epoch = self.done

    def epochs(self, *scores):
        for score in scores:
            self.epoch += 1
            self.state.on_epoch_end(self.epoch - 1, {"loss": 9.0, self.goal.key: score})
        return self

    @property
    def best(self):
        return int(self.state.best_epoch), float(self.state.best_value)

    @property
    def stopped(self):
        return self.model.stop_training


@pytest.mark.parametrize("goal", [VALIDATION_DICE, VALIDATION_ACCURACY])
def test_weights_are_kept_whenever_a_score_rises(tmp_path, goal):
    run = Run(tmp_path, goal).epochs(0.0, 0.3, 0.2, 0.3, 0.7, 0.7, 0.6)
    # The first counts, even if it is 0; one as good as the best does not.
    assert run.kept == [1, 2, 5]
    assert run.best == (5, 0.7)


def test_weights_are_kept_whenever_a_loss_falls(tmp_path):
    run = Run(tmp_path, VALIDATION_LOSS).epochs(3.0, 4.0, 3.0, 0.5, 0.7)
    assert run.kept == [1, 4]
    assert run.best == (4, 0.5)


def test_without_a_score_every_epoch_is_better_than_the_last(tmp_path):
    run = Run(tmp_path, LAST_EPOCH, patience=1).epochs(0.5, 0.1, 0.3)
    assert run.kept == [1, 2, 3]
    assert run.best == (3, 3)
    assert not run.stopped


def test_goals_are_scores_that_keras_knows():
    scores = {"loss": 1.0, "val_loss": 2.0, "val_image_dice": 3.0, "val_accuracy": 4.0}
    goals = [VALIDATION_LOSS, VALIDATION_DICE, VALIDATION_ACCURACY, LAST_EPOCH]
    assert [goal.value(6, scores) for goal in goals] == [2, 3, 4, 7]
    assert [goal.sign for goal in goals] == [-1, 1, 1, 1]


@pytest.mark.parametrize("patience", [1, 3])
def test_training_stops_after_so_many_epochs_without_a_better_one(tmp_path, patience):
    run = Run(tmp_path, patience=patience).epochs(0.1, 0.5, *[0.4] * (patience - 1))
    assert not run.stopped
    assert not run.state.stalled
    run.epochs(0.5)
    assert run.stopped
    assert run.state.stalled
    # Whoever starts it again finds that out before another epoch.
    again = Run(tmp_path, patience=patience)
    assert again.state.stalled
    assert not Run(tmp_path, patience=patience + 1).state.stalled


def test_a_new_run_starts_from_nothing(tmp_path):
    run = Run(tmp_path)
    assert run.done == 0
    assert run.best == (0, -np.inf)
    assert Run(tmp_path, VALIDATION_LOSS).best == (0, np.inf)
    assert not run.state.stalled


def test_a_run_goes_on_with_what_the_last_one_had(tmp_path):
    first = Run(tmp_path).epochs(0.1)
    inputs, targets = np.ones((4, 2), np.float32), np.ones((4, 1), np.float32)
    first.model.fit(inputs, targets, epochs=3, verbose=0)
    first.epochs(0.6, 0.5)
    then = Run(tmp_path, weight=7.0)
    assert then.done == 3
    assert then.best == (2, 0.6)
    for one, other in (
        (first.model.get_weights(), then.model.get_weights()),
        (first.model.optimizer.variables, then.model.optimizer.variables),
    ):
        assert len(one) == len(other)
        for mine, yours in zip(one, other, strict=True):
            np.testing.assert_array_equal(mine, yours)
    assert int(then.model.optimizer.iterations) == 3
    then.epochs(0.6, 0.55, 0.65)
    assert then.kept == [6]
    assert then.best == (6, 0.65)
    assert int(then.state.epochs_done) == 6


def test_only_the_newest_checkpoint_is_left_and_bears_its_epoch(tmp_path):
    Run(tmp_path).epochs(0.3, 0.2)
    assert tf.train.latest_checkpoint(tmp_path) == str(tmp_path / "ckpt-2")
    assert [path.name for path in tmp_path.glob("*.index")] == ["ckpt-2.index"]


def test_a_full_disk_ends_a_run_that_can_go_on(tmp_path, monkeypatch):
    run = Run(tmp_path).epochs(0.1, 0.2)
    full = shutil.disk_usage(tmp_path)._replace(free=1000)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda place: full)
        with pytest.raises(InputError, match=r"disk is full, .* it goes on after epoch 2$"):
            run.epochs(0.3)
        with pytest.raises(InputError, match="disk is full"):
            Run(tmp_path)
    assert run.kept == [1, 2]
    assert Run(tmp_path).done == 2


def test_weights_are_kept_before_the_checkpoint_says_so(tmp_path):
    """Or a kill between the two would leave a best epoch whose weights nobody has."""

    def killed():
        raise KeyboardInterrupt

    state = TrainingState(tmp_path, VALIDATION_DICE, 9, killed)
    state.restore(network())
    with pytest.raises(KeyboardInterrupt):
        state.on_epoch_end(0, {"val_image_dice": 0.5})
    assert Run(tmp_path).done == 0


def test_checkpoint_of_another_network_is_refused(tmp_path):
    Run(tmp_path).epochs(0.3)
    other = keras.Sequential([keras.layers.Dense(1, input_shape=(2,)), keras.layers.Dense(2)])
    other.compile(keras.optimizers.Adam(0.1), "mse")
    state = TrainingState(tmp_path, VALIDATION_DICE, 9, lambda: None)
    with pytest.raises((AssertionError, ValueError)):
        state.restore(other)


def test_history_is_a_row_an_epoch(tmp_path):
    rows = History(tmp_path / "new" / "history.csv", 0)
    rows.on_epoch_end(0, {"val_loss": 0.25, "loss": 1 / 3})
    rows.on_epoch_end(1, {"val_loss": 1234567.0, "loss": 2e-7})
    text = (tmp_path / "new" / "history.csv").read_text()
    assert text == "epoch,loss,val_loss\n1,0.333333,0.25\n2,2e-07,1.23457e+06\n"


@pytest.mark.parametrize(("done", "kept"), [(2, 2), (1, 1), (0, 0)])
def test_history_goes_on_after_the_epochs_that_are_done(tmp_path, done, kept):
    path = tmp_path / "history.csv"
    path.write_text("epoch,loss\n1,0.5\n2,0.25\n3,0.125\n")
    rows = History(path, done)
    rows.on_epoch_end(done, {"loss": 0.75})
    old = ["1,0.5", "2,0.25"][:kept]
    assert path.read_text().split() == ["epoch,loss", *old, f"{done + 1},0.75"]


def test_history_that_was_lost_begins_anew(tmp_path):
    rows = History(tmp_path / "history.csv", 2)
    rows.on_epoch_end(2, {"loss": 0.75})
    assert (tmp_path / "history.csv").read_text() == "epoch,loss\n3,0.75\n"


@pytest.mark.parametrize(
    ("goal", "note"),
    [
        (VALIDATION_DICE, "loss 0.2500  validation Dice 0.1235"),
        (VALIDATION_ACCURACY, "loss 0.2500  validation accuracy 0.9000"),
        (VALIDATION_LOSS, "loss 0.2500  validation loss 3.0000"),
        (LAST_EPOCH, "loss 0.2500"),
    ],
)
def test_each_epoch_is_told_where_no_terminal_is(goal, note):
    scores = {"loss": 0.25, "val_loss": 3.0, "val_image_dice": 0.12345678, "val_accuracy": 0.9}
    told = []
    ProgressBar(9, 4, 2, goal, told.append).on_epoch_end(2, scores)
    assert told == [f"epoch 3/9  {note}"]


def test_bar_counts_batches_and_takes_the_place_of_lines(monkeypatch):
    bar = progress.bar()
    bar.disable = False
    monkeypatch.setattr(progress, "bar", lambda: bar)
    told = []
    shown = ProgressBar(9, 4, 2, VALIDATION_DICE, told.append)
    (task,) = bar.tasks
    assert (task.total, task.completed) == (36, 8)
    shown.on_train_begin()
    assert bar.live.is_started
    shown.on_train_batch_end(0)
    shown.on_train_batch_end(1)
    shown.on_epoch_end(2, {"loss": 1.0, "val_image_dice": 0.5})
    shown.on_train_end()
    assert not bar.live.is_started
    assert (task.completed, task.fields["note"]) == (
        10,
        "loss 1.0000  validation Dice 0.5000",
    )
    assert told == []


def test_keras_does_not_complain_of_short_batches(caplog):
    class Slow(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            time.sleep(0.1)

    network().fit(np.zeros((8, 2)), np.zeros((8, 1)), 1, verbose=0, callbacks=[Slow()])
    logging.getLogger("tensorflow").warning("heard")
    # It has other complaints where many networks were trained in one process.
    said = [record.getMessage() for record in caplog.records]
    assert said[-1] == "heard"
    assert not any("is slow compared" in message for message in said)
