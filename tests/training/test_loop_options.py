"""What a plan says of training is what happens: batches, learning rate, precision, maps."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tests.training.runs import parts_of, plan_of, small
from tinyseg.data.augmentation import MILD, WIDE
from tinyseg.data.pipeline import training_batches
from tinyseg.errors import InputError
from tinyseg.training.attention_maps import attention_maps, stored_maps
from tinyseg.training.loop import Learner, mask_losses, new_network, run_epochs, train_network


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYSEG_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
    keras.mixed_precision.set_global_policy("float32")


class Recorder(keras.Model):
    """A learner that takes down what it is shown, and learns nothing."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        shown = {"train": [], "test": []}
        self.note = lambda kind: lambda *batch: shown[kind].append([part.numpy() for part in batch])
        # Behind a call: Keras wraps the containers that it finds.
        self.shown = lambda: shown

    def train_step(self, batch):
        tf.py_function(self.note("train"), batch, [])
        return {"loss": tf.constant(0.0)}

    def test_step(self, batch):
        tf.py_function(self.note("test"), batch, [])
        return {"image_dice": tf.constant(0.0)}


def record(plan, folder, validation=None):
    model, (training, usual) = small(plan), parts_of(plan)
    learner, losses = Recorder(model), mask_losses(keras.losses.MeanSquaredError())
    learns = Learner(learner, losses, model)
    run_epochs(learns, plan, training, validation or usual, folder)
    return learner


def rate_by_numpy(step, steps, warmup, peak):
    """From the first part of the peak linearly to all of it, then half a cosine down to zero."""
    if step < warmup:
        first = peak / warmup
        return first + (peak - first) * step / warmup
    return peak * (1 + np.cos(np.pi * min((step - warmup) / (steps - warmup), 1))) / 2


@pytest.mark.parametrize(
    ("settings", "ranges", "seed", "warmup"),
    [
        ({"batch_size": 5, "epochs": 2}, MILD, 3, 3),
        ({"batch_size": 4, "epochs": 3, "augment": False, "warmup_epochs": 0}, None, 4, 0),
        ({"batch_size": 12, "epochs": 4, "augment_wide": True, "warmup_epochs": 1}, WIDE, 3, 1),
        (
            {
                "batch_size": 7,
                "epochs": 1,
                "augment": False,
                "augment_wide": True,
                "warmup_epochs": 0.6,
            },
            None,
            3,
            1,
        ),
    ],
    ids=["mild", "none", "wide", "wide but none"],
)
def test_batches_and_learning_rate_are_those_of_the_plan(settings, ranges, seed, warmup, tmp_path):
    plan = dataclasses.replace(plan_of(learning_rate=0.02, patience=9, **settings), seed=seed)
    learner = record(plan, tmp_path)
    training, validation = parts_of(plan)
    shown, size, epochs = learner.shown()["train"], settings["batch_size"], settings["epochs"]
    steps = int(np.ceil(12 / size))
    stream = training_batches(training, plan.preprocessing, size, seed=seed, ranges=ranges)
    assert len(shown) == epochs * steps
    for batch, expected in zip(shown, stream.take(len(shown)), strict=True):
        for mine, yours in zip(batch, expected, strict=True):
            np.testing.assert_array_equal(mine, yours)
    # Unchanged and in order, once an epoch.
    judged = [np.concatenate(parts) for parts in zip(*learner.shown()["test"], strict=True)]
    inputs = validation.inputs(plan.preprocessing)
    np.testing.assert_array_equal(judged[0], np.concatenate([inputs] * epochs))
    np.testing.assert_array_equal(judged[1], np.concatenate([validation.masks] * epochs))
    assert len(learner.shown()["test"][0][0]) == min(size, 7)
    rate = keras.optimizers.schedules.deserialize(learner.optimizer.get_config()["learning_rate"])
    total = epochs * steps
    for step in range(total + 1):
        expected = rate_by_numpy(step, total, warmup, 0.02)
        assert float(rate(step)) == pytest.approx(expected, rel=1e-5, abs=1e-8), step


def test_one_validation_image_is_enough_to_judge_by(tmp_path):
    plan = plan_of(epochs=1)
    _, validation = parts_of(plan)
    learner = record(plan, tmp_path, validation.take([4]))
    ((image, mask),) = learner.shown()["test"]
    np.testing.assert_array_equal(image, validation.take([4]).inputs(plan.preprocessing))
    np.testing.assert_array_equal(mask, validation.masks[[4]])


def gated(plan):
    """A network whose gate's coefficients depend on image and weights."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((16, 24, 1))
    gate = keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="gate_psi")(inputs)
    mask = keras.layers.Conv2D(1, 1, activation="sigmoid", name="mask")(inputs * gate)
    return keras.Model(inputs, mask)


def test_attention_maps_are_of_the_first_validation_image_after_each_epoch(tmp_path):
    plan = plan_of(epochs=1, attention_maps=True)
    training, validation = parts_of(plan)
    model = gated(plan)
    train_network(model, plan, training, validation, tmp_path)
    ((epoch, stored),) = stored_maps(tmp_path / "attention")
    assert epoch == 1
    first, second = (validation.take([row]).inputs(plan.preprocessing) for row in (0, 1))
    np.testing.assert_array_equal(stored["gate"], attention_maps(model, first)["gate"])
    assert (stored["gate"] != attention_maps(model, second)["gate"]).any()


@pytest.mark.parametrize(
    ("network", "count", "message"),
    [(gated, 0, "attention_maps: shows a validation image"), (small, 7, "no attention gates")],
)
def test_attention_maps_that_cannot_be_had_leave_the_folder_alone(
    network, count, message, tmp_path
):
    plan = plan_of(attention_maps=True)
    training, validation = parts_of(plan)
    with pytest.raises(InputError, match=message):
        train_network(
            network(plan), plan, training, validation.take(range(count)), tmp_path / "run"
        )
    assert not (tmp_path / "run").exists()


def test_last_epoch_is_kept_where_it_is_asked_for(tmp_path):
    plan = plan_of(epochs=3, learning_rate=1e-3, patience=1, keep="last")
    model, parts = small(plan), parts_of(plan)
    last = []
    note = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: last.append(model.get_weights()))
    train_network(model, plan, *parts, tmp_path, [lambda _: note])
    assert len(last) == 3  # No patience.
    for kept, wanted in zip(model.get_weights(), last[-1], strict=True):
        np.testing.assert_array_equal(kept, wanted)
    assert "val_image_dice" in (tmp_path / "history.csv").read_text()


def test_unknown_way_to_keep_is_refused(tmp_path):
    plan = plan_of(keep="all")
    with pytest.raises(InputError, match=r"training\.keep: 'all' is not best or last"):
        train_network(small(plan), plan, *parts_of(plan), tmp_path)


@pytest.mark.parametrize(
    ("precision", "gpus", "policy"),
    [
        ("auto", 0, "float32"),
        ("auto", 1, "mixed_float16"),
        ("float32", 0, "float32"),
        ("float32", 1, "float32"),
        ("mixed", 0, "mixed_bfloat16"),
        ("mixed", 1, "mixed_float16"),
    ],
)
def test_precision_is_the_one_asked_for_where_there_is_hardware(
    precision, gpus, policy, monkeypatch
):
    # As from a file: a string of its own.
    plan = plan_of(precision="".join(precision))
    # Most machines have no GPU; one that is named is not used to build a network.
    devices = [tf.config.PhysicalDevice("/physical_device:GPU:0", "GPU")] * gpus
    monkeypatch.setattr(
        tf.config, "list_physical_devices", lambda kind=None: devices if kind == "GPU" else [1]
    )
    model = new_network(plan)
    assert keras.mixed_precision.global_policy().name == policy
    assert model.layers[1].compute_dtype == policy.removeprefix("mixed_")
    # Weights are never of half precision.
    assert {weight.dtype.name for weight in model.weights} == {"float32"}


def test_unknown_precision():
    with pytest.raises(InputError, match="'half' is not auto, float32 or mixed"):
        new_network(plan_of(precision="half"))
