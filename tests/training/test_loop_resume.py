"""A run that was interrupted and resumed equals one that was not, to the last digit."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.training.runs import checkpoint, history, parts_of, plan_of, small, watch
from tinyseg.training.loop import train_network
from tinyseg.zoo.weights import load_weights


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The plan of a run, its folder, and its network's weights after each epoch and at the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYSEG_CACHE", str(tmp_path_factory.mktemp("cache")))
        plan, folder, seen = plan_of(warmup_epochs=1.5), tmp_path_factory.mktemp("whole"), []
        model = small(plan)
        watch(patch, seen, model)
        train_network(model, plan, *parts_of(plan), folder)
        # What a checkpoint or a stream that begins anew would lose must be there to be lost.
        scores = [row["val_image_dice"] for row in history(folder)]
        assert 1 < np.argmax(scores) + 1 < len(scores)
        yield plan, folder, [*seen, model.get_weights()]


def same(some, others):
    return all(np.array_equal(one, other) for one, other in zip(some, others, strict=True))


def assert_equals(whole, folder, model):
    plan, expected, seen = whole
    assert (folder / "history.csv").read_text() == (expected / "history.csv").read_text()
    assert same(model.get_weights(), seen[-1])
    stored = small(plan)
    load_weights(stored, folder / "weights.h5")
    assert same(stored.get_weights(), seen[-1])
    one, other = checkpoint(expected), checkpoint(folder)
    assert one.keys() == other.keys()
    for name, value in one.items():
        if "save_counter" not in name:
            np.testing.assert_array_equal(other[name], value, err_msg=name)


def test_interrupted_run_ends_as_an_uninterrupted_one(whole, tmp_path, monkeypatch, caplog):
    """Stopped twice: before the best epoch, and after it."""
    plan, expected, seen = whole
    stops = (1, 4)
    done = 0
    caplog.set_level("INFO")
    for stop in (*stops, 0):
        model, since = small(plan), []
        with monkeypatch.context() as patch:
            watch(patch, since, model, stop)
            if stop:
                with pytest.raises(KeyboardInterrupt):
                    train_network(model, plan, *parts_of(plan), tmp_path)
            else:
                train_network(model, plan, *parts_of(plan), tmp_path)
        # Each epoch, not only where they end.
        for number, weights in enumerate(since, done):
            assert same(weights, seen[number])
        assert (f"resuming after epoch {done} of 6" in caplog.text) == (done > 0)
        done = stop
        if stop:
            assert history(tmp_path) == history(expected)[:stop]
    assert len(since) == 6 - stops[-1]
    assert_equals(whole, tmp_path, model)


def test_epoch_whose_checkpoint_was_not_written_is_run_again(whole, tmp_path, monkeypatch):
    plan, *_ = whole
    save = tf.train.CheckpointManager.save

    def killed(self, checkpoint_number=None, **options):
        if checkpoint_number == 3:
            raise KeyboardInterrupt
        return save(self, checkpoint_number, **options)

    with monkeypatch.context() as patch:
        patch.setattr(tf.train.CheckpointManager, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            train_network(small(plan), plan, *parts_of(plan), tmp_path)
    # The history is ahead, and so may be the weights.
    assert len(history(tmp_path)) == 3
    model = small(plan)
    train_network(model, plan, *parts_of(plan), tmp_path)
    assert_equals(whole, tmp_path, model)


@pytest.mark.slow
def test_killed_run_ends_as_an_uninterrupted_one(whole, tmp_path):
    plan, *_ = whole
    # No callback may tidy up.
    code = """
import os, pickle, sys
from tests.training.runs import small
from tinyseg.training import callbacks, loop
plan, parts, folder = pickle.load(sys.stdin.buffer)
after = callbacks.TrainingState.on_epoch_end
def die(self, epoch, logs=None):
    after(self, epoch, logs)
    if epoch == 1:
        os._exit(9)
callbacks.TrainingState.on_epoch_end = die
loop.train_network(small(plan), plan, *parts, folder)
"""
    root = Path(__file__).parents[2]
    paths = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps((plan, parts_of(plan), tmp_path)),
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert result.returncode == 9, result.stderr.decode()[-500:]
    assert len(history(tmp_path)) == 2
    model = small(plan)
    train_network(model, plan, *parts_of(plan), tmp_path)
    assert_equals(whole, tmp_path, model)
