"""Hooks see a run as it is on disk, may end it, and are asked only if there is something left."""

import numpy as np
import pytest
import tf_keras as keras

from tests.training.runs import history, parts_of, plan_of, small
from tinyseg import plan as plans
from tinyseg.training.loop import train_network

pytestmark = pytest.mark.usefixtures("own_cache")


class Watcher(keras.callbacks.Callback):
    def __init__(self, run, end):
        super().__init__()
        self.run, self.end, self.seen = run, end, []

    def on_epoch_end(self, epoch, logs=None):
        folder = self.run.folder
        rows = history(folder)
        saved = (folder / "checkpoint" / f"ckpt-{epoch + 1}.index").is_file()
        self.seen.append((len(rows), saved, (folder / "weights.h5").is_file()))
        assert rows[-1]["val_loss"] == pytest.approx(logs["val_loss"], rel=1e-5)
        if epoch + 1 == self.end:
            self.model.stop_training = True


def test_hook_is_told_of_the_run_and_may_end_it(tmp_path):
    plan, made = plan_of(), []
    model, parts = small(plan), parts_of(plan)

    def hook(run):
        made.append(Watcher(run, end=2))
        return made[-1]

    train_network(model, plan, *parts, tmp_path, [hook])
    (watcher,) = made
    assert watcher.seen == [(1, True, True), (2, True, True)]
    run = watcher.run
    assert (run.plan, run.folder, run.epochs_done, run.goal.key) == (
        plan, tmp_path, 0, "val_image_dice",
    )  # fmt: skip
    assert run.network is model
    assert run.model is model
    assert np.array_equal(run.training.images, parts[0].images)
    assert run.validation is parts[1]
    assert plans.beside(tmp_path / "weights.h5") is not None
    train_network(small(plan), plan, *parts, tmp_path, [hook])
    assert made[1].run.epochs_done == 2
    assert len(history(tmp_path)) == 6
    train_network(small(plan), plan, *parts, tmp_path, [hook])
    assert len(made) == 2
