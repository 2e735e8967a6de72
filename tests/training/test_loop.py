"""Training on phantoms: it learns, keeps the best epoch, and refuses to mix runs."""

import dataclasses
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tf_keras as keras

from tests.training.runs import history, parts_of, plan_of, small, watch
from tinyseg import plan as plans
from tinyseg.data.pipeline import evaluation_batches
from tinyseg.errors import InputError
from tinyseg.scoring.metrics import Confusion
from tinyseg.steps.train import train
from tinyseg.training.callbacks import VALIDATION_LOSS
from tinyseg.training.loop import Learner, new_network, run_epochs, train_network
from tinyseg.zoo.weights import load_weights, save_weights

pytestmark = pytest.mark.usefixtures("own_cache")


def with_training(plan, **settings):
    return dataclasses.replace(plan, training=dataclasses.replace(plan.training, **settings))


def equal(some, others):
    return all(np.array_equal(one, other) for one, other in zip(some, others, strict=True))


@pytest.fixture(scope="module")
def run(own_cache, tmp_path_factory):
    """A plan, the folder of its run, the network after it, and the weights after each epoch."""
    plan, folder, seen = plan_of(), tmp_path_factory.mktemp("run") / "new", []
    model = small(plan)
    with pytest.MonkeyPatch.context() as patch:
        watch(patch, seen, model)
        train_network(model, plan, *parts_of(plan), folder)
    return plan, folder, model, seen


def test_run_writes_weights_history_logs_and_plan(run):
    plan, folder, *_ = run
    names = {"weights.h5", "history.csv", "plan.json", "checkpoint", "tensorboard"}
    assert {path.name for path in folder.iterdir()} == names
    assert list((folder / "tensorboard" / "train").glob("events*"))
    assert list((folder / "tensorboard" / "validation").glob("events*"))
    written = plans.beside(folder / "weights.h5")
    assert dataclasses.replace(written, provenance={}, files={}) == plan
    assert written.files == {
        name: plans.files.sha256(folder / name) for name in ("weights.h5", "history.csv")
    }
    rows = history(folder)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[-1]["loss"] < 0.5 * rows[0]["loss"]


def test_weights_are_those_of_the_best_epoch(run):
    plan, folder, model, seen = run
    scores = [row["val_image_dice"] for row in history(folder)]
    best = int(np.argmax(scores))
    # Neither the first nor the last, nor that of the least loss.
    assert 0 < best < len(scores) - 1
    assert best != np.argmin([row["val_loss"] for row in history(folder)])
    assert equal(model.get_weights(), seen[best])
    assert not equal(seen[best], seen[-1])
    reloaded = small(plan)
    load_weights(reloaded, folder / "weights.h5")
    assert equal(reloaded.get_weights(), seen[best])


def test_history_holds_the_scores_of_the_validation_images(run):
    """Against NumPy, on what the best epoch's network answers."""
    plan, folder, model, _ = run
    _, validation = parts_of(plan)
    answers = model.predict(validation.inputs(plan.preprocessing), verbose=0).astype(np.float64)
    truth = validation.masks
    entropy = -np.where(truth == 1, np.log(answers), np.log1p(-answers))
    overlap, total = (truth * answers).sum((1, 2, 3)), (truth + answers).sum((1, 2, 3))
    losses = entropy.mean((1, 2, 3)) + 0.25 * (1 - (2 * overlap + 1) / (total + 1))
    dice = Confusion.of(truth, answers > 0.5).scores()["dice"]
    rows = history(folder)
    row = max(rows, key=lambda row: row["val_image_dice"])
    assert row["val_image_dice"] == pytest.approx(dice.mean(), rel=2e-6)
    assert row["val_lesion_dice"] == pytest.approx(dice[truth.any((1, 2, 3))].mean(), rel=2e-6)
    marked, ill = (answers > 0.5).any((1, 2, 3)), truth.any((1, 2, 3))
    assert row["val_false_alarms"] == (marked & ~ill).sum()
    hit = ((answers > 0.5) & (truth == 1)).any((1, 2, 3))
    assert row["val_missed_lesions"] == (ill & ~hit).sum()
    # Keras keeps probabilities 1e-7 away from 0 and 1, and sums in float32.
    assert row["val_loss"] == pytest.approx(losses.mean(), rel=1e-4)


def test_finished_run_is_not_trained_again(run, caplog):
    plan, folder, model, _ = run
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    again = small(plan)
    caplog.set_level("INFO")
    train_network(again, plan, *parts_of(plan), folder)
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert after.keys() == before.keys()
    assert [path.name for path in after if after[path] != before[path]] in ([], ["plan.json"])
    assert equal(again.get_weights(), model.get_weights())
    scores = [row["val_image_dice"] for row in history(folder)]
    best = int(np.argmax(scores))
    assert "resuming after epoch 6 of 6" in caplog.text
    assert f"best validation Dice {scores[best]:.4f} in epoch {best + 1}" in caplog.text


@pytest.mark.parametrize("change", [{"seed": 5}, {"training": plan_of(epochs=5).training}])
def test_folder_of_another_plan_is_refused(run, change):
    plan, folder, *_ = run
    before = (folder / "weights.h5").read_bytes()
    with pytest.raises(InputError, match="other settings"):
        train_network(small(plan), dataclasses.replace(plan, **change), *parts_of(plan), folder)
    assert (folder / "weights.h5").read_bytes() == before


def test_where_a_plan_comes_from_makes_it_no_other(run):
    plan, folder, *_ = run
    same = dataclasses.replace(plan, provenance={"tinyseg": "9"}, files={"weights.h5": "0"})
    train_network(small(plan), same, *parts_of(plan), folder)


def test_stalled_run_stops_early_for_good(tmp_path, caplog, capsys):
    # Nothing is ever marked, which is right of one image in seven: no epoch beats the first.
    plan = plan_of(epochs=8, patience=2, learning_rate=1e-9)
    caplog.set_level("INFO")
    train_network(small(plan), plan, *parts_of(plan), tmp_path)
    rows = history(tmp_path)
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert f"epoch 3/8  loss {rows[2]['loss']:.4f}  validation Dice 0.1429" in caplog.text
    assert "with lesion 0.0000  false alarms 0  missed 6" in caplog.text
    assert "resuming" not in caplog.text
    # What is printed is for results.
    assert capsys.readouterr().out == ""
    before = (tmp_path / "history.csv").read_bytes()
    train_network(small(plan), plan, *parts_of(plan), tmp_path)
    assert (tmp_path / "history.csv").read_bytes() == before


def test_without_validation_images_the_last_epoch_is_kept(tmp_path, monkeypatch, caplog):
    plan, seen = plan_of(epochs=3, patience=1), []
    training, validation = parts_of(plan)
    model = small(plan)
    watch(monkeypatch, seen, model)
    caplog.set_level("INFO")
    train_network(model, plan, training, validation.take([]), tmp_path)
    rows = history(tmp_path)
    assert len(rows) == 3
    assert not [name for name in rows[0] if name.startswith("val_")]
    assert plans.beside(tmp_path / "weights.h5") is not None
    assert equal(model.get_weights(), seen[2])
    assert not equal(seen[1], seen[2])
    assert "best" not in caplog.text


class Holder(keras.Model):
    """A learner that answers the opposite of the network in it."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, images, training=None):
        return 1 - self.inner(images, training=training)


def test_a_learner_is_trained_and_its_network_kept(tmp_path, monkeypatch, caplog):
    plan, seen = plan_of(epochs=3), []
    model = small(plan)
    model.get_layer("mask").bias.assign([3.0])
    watch(monkeypatch, seen, model)
    caplog.set_level("INFO")
    learner = Holder(model)
    learns = Learner(learner, {"loss": keras.losses.BinaryCrossentropy()}, model)
    run_epochs(learns, plan, *parts_of(plan), tmp_path, VALIDATION_LOSS)
    scores = [row["val_loss"] for row in history(tmp_path)]
    best = int(np.argmin(scores))
    assert set(history(tmp_path)[0]) == {"epoch", "loss", "val_loss"}
    # By its loss, which falls and then rises.
    assert equal(model.get_weights(), seen[best])
    assert best == 1
    assert f"best validation loss {scores[best]:.4f} in epoch {best + 1}" in caplog.text
    _, validation = parts_of(plan)
    batches = evaluation_batches(validation, plan.preprocessing, 5)
    assert learner.evaluate(batches, verbose=0) == pytest.approx(scores[best], rel=1e-5)


def test_classes_are_learnt_and_chosen_by_accuracy(tmp_path):
    plan = plan_of("phantom:count=20,size=32,task=classification", epochs=2, learning_rate=0.05)
    training, validation = parts_of(plan)
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((16, 24, 1)),
            layers.GlobalAveragePooling2D(),
            layers.Dense(len(training.classes), activation="softmax", name="head"),
        ]
    )
    train_network(model, plan, training, validation, tmp_path)
    rows = history(tmp_path)
    assert set(rows[0]) == {"epoch", "loss", "accuracy", "val_loss", "val_accuracy"}
    best = max(rows, key=lambda row: row["val_accuracy"])
    answers = model.predict(validation.inputs(plan.preprocessing), verbose=0)
    numbers = validation.targets.argmax(1)
    assert best["val_accuracy"] == pytest.approx((answers.argmax(1) == numbers).mean(), rel=2e-6)
    entropy = -np.log(answers[np.arange(len(numbers)), numbers])
    assert best["val_loss"] == pytest.approx(entropy.mean(), rel=1e-5)


def test_training_can_start_from_weights(tmp_path):
    plan = plan_of()
    trained = new_network(plan)
    trained.set_weights([weight + 0.25 for weight in trained.get_weights()])
    path = save_weights(trained, tmp_path / "weights.h5")
    other = dataclasses.replace(with_training(plan, initial_weights=str(path)), seed=9)
    started = new_network(other).get_weights()
    assert equal(started, trained.get_weights())


def test_weights_of_another_network_are_refused(tmp_path):
    plan = plan_of()
    path = save_weights(small(plan), tmp_path / "weights.h5")
    with pytest.raises(InputError, match=r"weights\.h5"):
        new_network(with_training(plan, initial_weights=str(path)))


def test_random_weights_follow_the_seed():
    plan = plan_of()
    first, again = new_network(plan).get_weights(), new_network(plan).get_weights()
    assert equal(first, again)
    other = new_network(dataclasses.replace(plan, seed=4)).get_weights()
    assert not np.array_equal(first[0], other[0])


@pytest.mark.slow
def test_ctrl_c_leaves_a_run_that_resumes(tmp_path):
    command = [
        sys.executable,
        "-m",
        "tinyseg",
        "train",
        "attention_unet_ds",
        "-o",
        tmp_path / "run",
    ]
    command += ["--data", "phantom:count=24,size=32", "--size", "32", "--epochs", "400"]
    command += ["--set", "training.patience=400", "--set", "model.arguments.base_width=4"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while "epoch 2/" not in process.stderr.readline():
        assert process.poll() is None
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert "Traceback" not in process.stderr.read()
    assert (tmp_path / "run" / "weights.h5").is_file()
    assert not list((tmp_path / "run").glob(".*"))


@pytest.mark.slow
def test_a_small_net_learns_phantoms(tmp_path):
    """Against the trivial answer: all background scores Dice 0.18 here."""
    plan = plans.from_mapping(
        {
            "model": {"name": "attention_unet_ds", "arguments": {"base_width": 8, "depth": 3}},
            "data": {"source": "phantom:count=200,size=64"},
            "preprocessing": {"height": 64, "width": 64},
            "training": {"epochs": 40, "batch_size": 8, "patience": 40, "learning_rate": 3e-3},
        }
    )
    result = train(plan, tmp_path)
    assert result.validation["dice"] > 0.6


def test_random_weights_of_a_network_for_transfer_are_warned_of(caplog):
    values = {"model": {"name": "resnet50", "arguments": {"base_width": 2}}}
    size = {"height": 32, "width": 32}
    new_network(plan_of())
    assert "random weights" not in caplog.text
    new_network(plans.from_mapping({**values, "preprocessing": size}))
    assert "resnet50: starts from random weights; for transfer learning give" in caplog.text
