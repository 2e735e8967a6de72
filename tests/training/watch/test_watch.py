"""Runs that are made to have a fault are told so; one that learns is not, and stays the same."""

import dataclasses
import json

import numpy as np
import pytest
import tf_keras as keras

from tests.commands import assert_bad_input, tinyseg
from tests.training.runs import parts_of, plan_of, small
from tinyseg.plan import Plan
from tinyseg.training.loop import train_network
from tinyseg.training.watch.thresholds import WATCH_RULES
from tinyseg.training.watch.watch import Stopped, Watch


def network(plan: Plan, scale=1.0, bias=0.0, activation="relu"):
    """Two convolutions and a sigmoid, with weights of another scale than they should have."""
    keras.utils.set_random_seed(plan.seed)
    layers, size = keras.layers, plan.preprocessing
    model = keras.Sequential(
        [
            layers.Input((size.height, size.width, size.channels)),
            layers.Conv2D(4, 3, padding="same", activation=activation, name="first"),
            layers.Conv2D(4, 3, padding="same", activation=activation, name="second"),
            layers.Conv2D(1, 1, activation="sigmoid", name="mask"),
        ],
        name="small",
    )
    first = model.get_layer("first")
    kernel, _ = first.get_weights()
    first.set_weights([kernel * scale, np.full(4, bias)])
    return model


def watched(folder, preset="calm", model=None, plan=None, **training):
    """What the rules found in a run."""
    plan = plan or plan_of(**{"epochs": 4, "learning_rate": 1e-2, "augment": False, **training})
    train_network(
        model or network(plan), plan, *parts_of(plan), folder, [Watch(preset, share=100.0)]
    )
    return json.loads((folder / "rules.json").read_text())


def names(report):
    return {found["rule"] for found in report["found"]}


def test_a_run_that_learns_is_left_alone_and_stays_the_same(tmp_path, caplog):
    plan = plan_of(epochs=4, learning_rate=1e-2)
    alone, seen = network(plan), network(plan)
    train_network(alone, plan, *parts_of(plan), tmp_path / "alone")
    report = watched(tmp_path / "seen", model=seen, plan=plan)
    for expected, found in zip(alone.get_weights(), seen.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert not report["found"]
    assert not caplog.text.count("warning:")
    assert report["looks"] == 5
    assert set(report["rules"]) == set(WATCH_RULES)
    assert report["rules"]["dead_relu"]["thresholds"] == {"active": 1e-4, "share": 0.9, "looks": 2}


FAULTS = {
    "dead_relu": {"bias": -1e3},
    "all_zero": {"bias": -1e3},
    "vanishing_gradient": {"bias": -1e3},
    "poor_initialisation": {"scale": 1e-4},
    "exploding_gradient": {"scale": 1e7},
    "saturated_activation": {"scale": 1e5, "activation": "tanh"},
}


@pytest.mark.parametrize("rule", FAULTS)
def test_a_network_with_a_fault(rule, tmp_path, caplog):
    plan = plan_of(epochs=3, learning_rate=1e-6, augment=False)
    report = watched(tmp_path, model=network(plan, **FAULTS[rule]), plan=plan)
    assert rule in names(report)
    assert any(f"warning: {rule} " in line for line in caplog.messages)
    (first, *_) = [found for found in report["found"] if found["rule"] == rule]
    assert first["layer"]


def test_steps_that_are_too_small_or_too_large(tmp_path):
    still = watched(tmp_path / "still", epochs=5, learning_rate=1e-14)
    assert {"unchanged_weights", "update_ratio"} <= names(still)
    wild = watched(tmp_path / "wild", epochs=12, learning_rate=30.0)
    assert "update_ratio" in names(wild)


def test_losses_that_stay_or_part(tmp_path):
    plan = plan_of(epochs=24, patience=24, learning_rate=1e-9, augment=False)
    report = watched(tmp_path / "stays", plan=plan)
    assert {"loss_not_decreasing", "overtraining"} <= names(report)
    # The validation images are marked elsewhere than those of the training.
    parts = watched(tmp_path / "parts", "sagemaker", epochs=12, learning_rate=3e-2)
    assert "overfit" in names(parts)


def test_a_rare_class_that_is_not_found(tmp_path):
    plan = plan_of(epochs=11, patience=11, learning_rate=1e-9, augment=False)
    training, validation = parts_of(plan)
    masks = np.zeros_like(training.masks)
    masks[:, :2, :2] = 1
    rare = dataclasses.replace(training, masks=masks)
    model = network(plan)
    model.get_layer("mask").set_weights([np.zeros((1, 1, 4, 1)), np.array([-5.0])])
    train_network(model, plan, rare, validation, tmp_path, [Watch(share=100.0)])
    report = json.loads((tmp_path / "rules.json").read_text())
    assert ("class_imbalance", "foreground") in {(f["rule"], f["layer"]) for f in report["found"]}


def test_images_that_come_late(tmp_path, monkeypatch):
    import time

    import tensorflow as tf

    from tinyseg.training import epochs

    made = epochs.learning_batches

    def late(*arguments):
        def wait(images, truth):
            time.sleep(0.15)
            return images, truth

        def slow(images, truth):
            outputs = tf.numpy_function(wait, [images, truth], [images.dtype, truth.dtype])
            for output, given in zip(outputs, (images, truth), strict=True):
                output.set_shape(given.shape)
            return tuple(outputs)

        return made(*arguments).map(slow)

    monkeypatch.setattr(epochs, "learning_batches", late)
    monkeypatch.setattr("tinyseg.training.watch.watch.learning_batches", late)
    # The first epoch also compiles: the second tells how long a step takes.
    assert "input_starvation" in names(watched(tmp_path, "sagemaker", epochs=3))


def test_a_rule_may_stop_a_run_which_goes_on_without_it(tmp_path):
    plan = plan_of(epochs=4, learning_rate=1e-6, augment=False)
    model = network(plan, bias=-1e3)
    with pytest.raises(Stopped, match="stopped by --stop-on: dead_relu after epoch 1") as stop:
        train_network(model, plan, *parts_of(plan), tmp_path, [Watch(stop_on=["dead_relu"])])
    assert stop.value.exit_code == 1
    assert "\n" not in str(stop.value)
    report = watched(tmp_path, model=network(plan, bias=-1e3), plan=plan)
    epochs = [found["epoch"] for found in report["found"] if found["rule"] == "dead_relu"]
    assert min(epochs) == 1
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 5


def test_looks_are_left_out_where_they_cost_too_much(tmp_path):
    plan = plan_of(epochs=6, learning_rate=1e-2)
    train_network(network(plan), plan, *parts_of(plan), tmp_path, [Watch(share=1e-9)])
    report = json.loads((tmp_path / "rules.json").read_text())
    assert (report["looks"], report["looks_left_out"]) == (2, 5)


def test_networks_with_frozen_layers_are_watched_too(tmp_path):
    plan = plan_of(epochs=2, learning_rate=1e-3)
    assert watched(tmp_path, model=small(plan), plan=plan)["looks"] == 3


def test_names_are_checked_before_anything_starts(tmp_path):
    result = tinyseg("train", "unet", "--stop-on", "dead_rellu", cwd=tmp_path)
    assert_bad_input(result, "no rule 'dead_rellu'", "dead_relu")
    assert not (tmp_path / "build").exists()
