"""A run whose loss is no longer finite ends at that step, tells where, and is not resumed."""

import math

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from PIL import Image

from tests.in_process import tinyseg
from tests.training.runs import history, parts_of, plan_of, small
from tinyseg.errors import InputError
from tinyseg.training.divergence import (
    Diverged,
    Guard,
    SteadyAdam,
    first_layer_without_bounds,
)
from tinyseg.training.loop import Learner, run_epochs, train_network

pytestmark = pytest.mark.usefixtures("own_cache")


def lesions(folder, count=24, side=32):
    """Grey images with a bright disc each, and its mask."""
    y, x = np.mgrid[:side, :side]
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for number in range(count):
        rng = np.random.default_rng(number)
        disc = (y - rng.uniform(9, 22)) ** 2 + (x - rng.uniform(9, 22)) ** 2 < 36
        image = rng.normal(70, 18, (side, side)) + 85 * disc
        for kind, pixels in (("images", image.clip(0, 255)), ("masks", 255 * disc)):
            Image.fromarray(pixels.astype(np.uint8)).save(folder / kind / f"{number:02}.png")


def test_a_learning_rate_of_a_million_ends_at_once_and_is_not_resumed(tmp_path, caplog):
    lesions(tmp_path / "data")
    options = ["--epochs", "2", "--size", "32", "-o", str(tmp_path / "out")]
    for setting in ("model.arguments.base_width=4", "model.arguments.depth=2"):
        options += ["--set", setting]
    command = ["train", "lw_unet", "--data", str(tmp_path / "data"), *options]
    caplog.set_level("INFO")
    told = []
    for _ in range(2):
        result = tinyseg(*command, "--set", "training.learning_rate=1e6")
        assert result.returncode == 2
        told.append(result.stderr.splitlines()[-1])
    assert told[0] == told[1]
    assert told[0].startswith(f"tinyseg: {tmp_path / 'out'}: training diverged in epoch 1, step ")
    for words in ("loss nan, first in layer ", "training.learning_rate 1e+06; lower", "remove"):
        assert words in told[0]
    assert not {"weights.h5", "history.csv", "plan.json"} & {
        path.name for path in (tmp_path / "out").iterdir()
    }
    assert "resuming" not in caplog.text


def test_the_first_layer_that_overflows_is_named(tmp_path):
    plan = plan_of()
    model = small(plan)
    model.get_layer("first").set_weights([np.full((3, 3, 1, 3), 3e38), np.zeros(3)])
    with pytest.raises(Diverged, match=r"epoch 1, step 1: .*first in layer first, with") as caught:
        train_network(model, plan, *parts_of(plan), tmp_path)
    assert caught.value.found.learning_rate == 0.5


class Spoilt(keras.Model):
    """A learner whose loss is fine for so many steps, and then is not a number."""

    def __init__(self, network, good, key="loss"):
        super().__init__()
        self.network, self._good, self._key = network, good, key
        self.steps = tf.Variable(0, trainable=False)

    def _loss(self):
        return tf.where(
            self.steps > self._good, math.nan, 1.0 / (1 + tf.cast(self.steps, tf.float32))
        )

    def train_step(self, batch):
        self.steps.assign_add(1)
        return {"loss": self._loss() if self._key == "loss" else tf.constant(1.0)}

    def test_step(self, batch):
        return {
            "loss": self._loss() if self._key == "val_loss" else tf.constant(1.0),
            "image_dice": self._loss(),
        }


@pytest.mark.parametrize(
    ("key", "place"),
    [("loss", "epoch 2, step 2:"), ("val_loss", "epoch 2, on the validation images:")],
)
def test_the_best_epoch_before_it_is_kept(tmp_path, key, place):
    """Three steps an epoch."""
    plan = plan_of()
    model = small(plan)
    learner = Spoilt(model, 4, key)
    with pytest.raises(Diverged) as caught:
        run_epochs(Learner(learner, {}, model), plan, *parts_of(plan), tmp_path)
    assert place in str(caught.value)
    assert str(caught.value).endswith(
        f"; {tmp_path / 'weights.h5'} holds the best epoch before that"
    )
    assert [row["epoch"] for row in history(tmp_path)] == [1]
    again = small(plan)
    with pytest.raises(InputError) as refused:
        run_epochs(Learner(Spoilt(again, 99), {}, again), plan, *parts_of(plan), tmp_path)
    assert str(refused.value) == str(caught.value)


def test_another_setting_may_be_the_one_to_lower(tmp_path):
    plan = plan_of()
    model = small(plan)
    with pytest.raises(Diverged) as caught:
        run_epochs(Learner(Spoilt(model, 0), {}, model), plan, *parts_of(plan), tmp_path)
    told = str(caught.value.by("quantization.learning_rate"))
    assert "with quantization.learning_rate 0.5; lower quantization.learning_rate and" in told
    assert "training.learning_rate" not in told


def test_gradients_that_are_not_finite_change_nothing_and_name_the_last_weight():
    one, two = tf.Variable([1.0, 2.0], name="one/kernel"), tf.Variable([3.0], name="two/bias")
    steady, plain = SteadyAdam(0.1), keras.optimizers.Adam(0.1)
    ours, theirs = [one, two], [tf.Variable(one), tf.Variable(two)]
    for step in range(3):
        gradients = [tf.constant([0.5, -step]), tf.constant([float(step)])]
        steady.apply_gradients(zip(gradients, ours, strict=True))
        plain.apply_gradients(zip(gradients, theirs, strict=True))
    before = [variable.numpy() for variable in ours]
    assert steady.culprit == ""
    for value, expected in zip(before, theirs, strict=True):
        np.testing.assert_array_equal(value, expected)
    steady.apply_gradients([(tf.constant([0.0, np.inf]), one), (tf.constant([1.0]), two)])
    assert steady.culprit == "one/kernel:0"
    steady.apply_gradients([(tf.constant([np.nan, 0]), one), (tf.constant([np.nan]), two)])
    assert steady.culprit == "two/bias:0"
    for value, expected in zip(ours, before, strict=True):
        np.testing.assert_array_equal(value, expected)
    assert int(steady.iterations) == 3


def test_a_loss_that_is_finite_with_gradients_that_are_not_ends_the_run_too():
    optimizer, found = SteadyAdam(0.1), []
    weight = tf.Variable([1.0], name="conv/kernel")
    guard = Guard(optimizer, 0.1, lambda epoch, step: "", found.append)
    guard.on_epoch_begin(4)
    optimizer.apply_gradients([(tf.constant([1.0]), weight)])
    guard.on_train_batch_end(0, {"loss": 1.0})
    assert not found
    optimizer.apply_gradients([(tf.constant([np.nan]), weight)])
    guard.on_train_batch_end(1, {"loss": 1.0})
    (one,) = found
    assert (one.epoch, one.step, one.layer, one.loss) == (5, 2, "conv", "1")


def test_weights_that_are_not_finite_are_found_where_no_output_tells():
    inputs = keras.Input((2, 2, 1))
    hidden = keras.layers.Conv2D(1, 1, name="hidden", activation="sigmoid")(inputs)
    model = keras.Model(inputs, keras.layers.ReLU(name="end")(hidden))
    images = np.zeros((1, 2, 2, 1), np.float32)
    assert first_layer_without_bounds(model, images, training=True) == ""
    model.get_layer("hidden").set_weights([np.ones((1, 1, 1, 1)), np.array([np.inf])])
    assert first_layer_without_bounds(model, images, training=True) == "hidden"
