"""Training on phantoms: it learns, resumes after a kill, and refuses to mix runs."""

import csv
import dataclasses
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tinyseg import data
from tinyseg import plan as plans
from tinyseg.data.store import open_store
from tinyseg.errors import InputError
from tinyseg.steps.networks import load_trained
from tinyseg.steps.train import train
from tinyseg.training.fit import fit, new_network


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    os.environ["TINYSEG_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    return plans.from_mapping(
        {
            "model": {"name": "attention_unet_ds", "arguments": {"base_width": 4, "depth": 2}},
            "data": {"source": "phantom:count=24,size=32"},
            "preprocessing": {"height": 32, "width": 32},
            "training": {"epochs": 3, "batch_size": 8, "learning_rate": 3e-3},
        }
    )


@pytest.fixture(scope="module")
def parts(plan):
    store = open_store(data.load(plan.data.source), plan.preprocessing)
    return store.select(store.names[::2]), store.select(store.names[1::4])


def _train(plan, parts, folder):
    model = new_network(plan)
    fit(model, plan, *parts, folder)
    return model


def _history(folder):
    with (folder / "history.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def _without_clock(rows):
    return [{k: float(v) for k, v in row.items()} for row in rows]


def test_run_writes_weights_history_logs_and_plan(plan, parts, tmp_path):
    model = _train(plan, parts, tmp_path)
    assert {"weights.h5", "history.csv", "plan.json"} <= {p.name for p in tmp_path.iterdir()}
    assert list((tmp_path / "tensorboard").rglob("events*"))
    assert plans.beside(tmp_path / "weights.h5").training == plan.training
    rows = _history(tmp_path)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    reloaded = load_trained(plan, tmp_path / "weights.h5")
    np.testing.assert_array_equal(model.get_weights()[0], reloaded.get_weights()[0])


def test_interrupted_run_ends_as_an_uninterrupted_one(plan, parts, tmp_path):
    _train(plan, parts, tmp_path / "whole")
    # The same plan stopped after its first epoch, as by a kill: no callback may tidy up.
    code = f"""
import os, pickle, sys
from tinyseg.training import callbacks, fit
plan, parts = pickle.load(open({str(tmp_path / "job")!r}, "rb"))
after = callbacks.TrainingState.on_epoch_end
def die(self, epoch, logs=None):
    after(self, epoch, logs)
    os._exit(9)
callbacks.TrainingState.on_epoch_end = die
fit.fit(fit.new_network(plan), plan, *parts, {str(tmp_path / "killed")!r})
"""
    import pickle

    stores = [dataclasses.replace(s, images=np.array(s.images)) for s in parts]
    (tmp_path / "job").write_bytes(pickle.dumps((plan, stores)))
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert result.returncode == 9, result.stderr.decode()[-500:]
    assert len(_history(tmp_path / "killed")) == 1
    _train(plan, parts, tmp_path / "killed")
    whole, resumed = (_without_clock(_history(tmp_path / f)) for f in ("whole", "killed"))
    assert len(resumed) == 3
    for one, other in zip(whole, resumed, strict=True):
        # Multi-threaded sums differ in the last digits from run to run.
        assert other == pytest.approx(one, rel=2e-2, abs=2e-3)


def test_finished_run_is_not_trained_again(plan, parts, tmp_path):
    _train(plan, parts, tmp_path)
    before = (tmp_path / "history.csv").read_bytes()
    _train(plan, parts, tmp_path)
    assert (tmp_path / "history.csv").read_bytes() == before


def test_folder_of_another_plan_is_refused(plan, parts, tmp_path):
    _train(plan, parts, tmp_path)
    other = dataclasses.replace(plan, seed=5)
    with pytest.raises(InputError, match="other settings"):
        _train(other, parts, tmp_path)


def test_stalled_run_stops_early(plan, parts, tmp_path):
    settings = dataclasses.replace(plan.training, epochs=8, patience=1, learning_rate=1e-9)
    _train(dataclasses.replace(plan, training=settings), parts, tmp_path)
    assert len(_history(tmp_path)) < 8


def test_without_validation_images_the_last_epoch_is_kept(plan, parts, tmp_path):
    model = _train(plan, (parts[0], parts[1].take([])), tmp_path)
    rows = _history(tmp_path)
    assert len(rows) == plan.training.epochs
    assert not [name for name in rows[0] if name.startswith("val_")]
    assert plans.beside(tmp_path / "weights.h5") is not None
    # The first epoch's weights were the first that were kept.
    settings = dataclasses.replace(plan.training, epochs=1)
    other = new_network(plan)
    fit(other, dataclasses.replace(plan, training=settings), parts[0], parts[1], tmp_path / "one")
    assert not np.array_equal(model.get_weights()[0], other.get_weights()[0])


def test_attention_maps_ask_for_a_validation_image(plan, parts, tmp_path):
    settings = dataclasses.replace(plan.training, attention_maps=True)
    with pytest.raises(InputError, match="attention_maps"):
        _train(
            dataclasses.replace(plan, training=settings), (parts[0], parts[1].take([])), tmp_path
        )


def test_training_can_start_from_weights(plan, parts, tmp_path):
    _train(plan, parts, tmp_path / "first")
    weights = tmp_path / "first" / "weights.h5"
    settings = dataclasses.replace(plan.training, initial_weights=str(weights))
    started = new_network(dataclasses.replace(plan, training=settings, seed=9)).get_weights()
    trained = load_trained(plan, weights).get_weights()
    for one, other in zip(started, trained, strict=True):
        np.testing.assert_array_equal(one, other)


def test_unknown_precision(plan, parts, tmp_path):
    settings = dataclasses.replace(plan.training, precision="half")
    with pytest.raises(InputError, match="half"):
        _train(dataclasses.replace(plan, training=settings), parts, tmp_path)


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
def test_a_small_net_learns_phantoms(plan, tmp_path):
    """Against the trivial answer: all background scores Dice 0.18 here."""
    arguments = {"base_width": 8, "depth": 3}
    settings = dataclasses.replace(plan.training, epochs=40, batch_size=8, patience=40)
    bigger = dataclasses.replace(
        plan,
        model=plans.ModelPlan("attention_unet_ds", arguments),
        data=plans.DataPlan("phantom:count=200,size=64"),
        preprocessing=plans.PreprocessingPlan(height=64, width=64),
        training=settings,
    )
    result = train(bigger, tmp_path)
    assert result["validation"]["dice"] > 0.6


def test_random_weights_of_a_network_for_transfer_are_warned_of(caplog):
    values = {"model": {"name": "resnet50", "arguments": {"base_width": 2}}}
    size = {"height": 32, "width": 32}
    new_network(plans.from_mapping({**values, "preprocessing": size}))
    assert "resnet50: starts from random weights; for transfer learning give" in caplog.text
