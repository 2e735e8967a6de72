"""The moving average of weights: against NumPy, judged and kept in a run, and resumed."""

import contextlib

import numpy as np
import pytest
import tf_keras as keras

from tests.training.runs import checkpoint, history, parts_of, plan_of, small, watch
from tinyseg.training.averaging import WeightAverage
from tinyseg.training.loop import train_network


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYSEG_CACHE", str(tmp_path / "cache"))


def tiny():
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(2, input_shape=(3,)), keras.layers.BatchNormalization()]
    return keras.Sequential(layers)


def test_average_equals_numpy():
    model, rng = tiny(), np.random.default_rng(0)
    average, expected = WeightAverage(model, 0.8), model.get_weights()
    for step in range(1, 12):
        model.set_weights([rng.random(weight.shape) for weight in model.get_weights()])
        average.update()
        decay = min(0.8, (1 + step) / (10 + step))
        expected = [
            decay * old + (1 - decay) * new
            for old, new in zip(expected, model.get_weights(), strict=True)
        ]
    before = model.get_weights()
    with average.in_place():
        for mine, yours in zip(model.get_weights(), expected, strict=True):
            np.testing.assert_allclose(mine, yours, rtol=1e-5)
    for mine, yours in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, yours)


def run(folder, stop=0, **training):
    plan = plan_of(epochs=3, patience=9, average=0.6, **training)
    training_part, validation = parts_of(plan)
    model, seen = small(plan), []
    with pytest.MonkeyPatch.context() as patch:
        watch(patch, seen, model, stop)
        with contextlib.suppress(KeyboardInterrupt):
            train_network(model, plan, training_part, validation, folder)
    return model, seen


def test_the_average_is_judged_and_kept_and_a_resumed_run_goes_on_with_it(tmp_path):
    model, seen = run(tmp_path / "whole")
    kept = model.get_weights()
    # What is kept is of none of the epochs: the average of their steps.
    for weights in seen:
        assert any(not np.allclose(a, b) for a, b in zip(kept, weights, strict=True))
    plan = plan_of()
    _, validation = parts_of(plan)
    marked = np.asarray(model(validation.inputs(plan.preprocessing))) > 0.5
    truth = validation.masks > 0
    both = 2 * (marked & truth).sum((1, 2, 3))
    with np.errstate(invalid="ignore"):
        dice = both / (marked.sum((1, 2, 3)) + truth.sum((1, 2, 3)))
    best = max(row["val_image_dice"] for row in history(tmp_path / "whole"))
    assert np.nan_to_num(dice, nan=1).mean() == pytest.approx(best, abs=1e-5)
    run(tmp_path / "parts", stop=1)
    resumed, _ = run(tmp_path / "parts")
    assert history(tmp_path / "parts") == history(tmp_path / "whole")
    for mine, yours in zip(resumed.get_weights(), kept, strict=True):
        np.testing.assert_allclose(mine, yours, rtol=1e-5, atol=1e-6)
    assert any("average" in name for name in checkpoint(tmp_path / "whole"))
