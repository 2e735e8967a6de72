"""Each rule on figures made to break it, and on some that do not."""

import numpy as np
import pytest

from tinyseg.errors import InputError
from tinyseg.training.watch.rules import CHECKS, Seen, findings
from tinyseg.training.watch.sight import Gradient, Output, Sight
from tinyseg.training.watch.thresholds import PRESETS, WATCH_RULES, known, thresholds

FINE = Gradient(1e-3, 1e-1, 1e-2)
NOTHING = np.empty(0, np.float32)


def kernel(scale=1.0):
    rng = np.random.default_rng(0)
    return rng.normal(0, scale * np.sqrt(2 / 27), (3, 3, 3, 8)).astype(np.float32)


def sight(epoch, gradient=FINE, output=None, weights=None, missed=None):
    layers = {} if output is None else {"layer": output}
    kernels = {"a": kernel()} if weights is None else weights
    return Sight(epoch, {"a": gradient}, layers, kernels, missed or {})


def looks(count, **facts):
    """The last so many looks of a run, whose weights move."""
    return [
        sight(epoch, **{"weights": {"a": kernel() * (1 + epoch / 100)}, **facts})
        for epoch in range(1, count + 1)
    ]


def relu(alive):
    activity = np.r_[np.full(8 - alive, 0.0), np.full(alive, 0.4)]
    return Output("relu", 0.5, activity, NOTHING)


def squashed(kind, values):
    return Output(kind, 0.0, NOTHING, np.asarray(values, np.float32))


def losses(*values, validation=None):
    rows = [{"loss": value} for value in values]
    for row, value in zip(rows, validation or (), strict=False):
        row["val_loss"] = value
    return rows


def falling(count):
    return [2.0 * 0.9**epoch for epoch in range(count)]


def seen(sights=(), history=(), epoch=None, **facts):
    last = sights[-1].epoch if sights else len(history)
    return Seen(last if epoch is None else epoch, list(history), sights, **facts)


BROKEN = {
    "vanishing_gradient": seen(looks(2, gradient=Gradient(1e-12, 1e-12, 1e-12))),
    "exploding_gradient": seen(looks(1, gradient=Gradient(1.0, float("inf"), float("inf")))),
    "poor_initialisation": seen([sight(0, weights={"a": kernel(), "b": kernel(1e-3)})]),
    "dead_relu": seen(looks(2, output=relu(0))),
    "saturated_activation": seen(looks(2, output=squashed("sigmoid", [0, 0, 1, 1]))),
    "loss_not_decreasing": seen(history=losses(*[0.7] * 12)),
    "overfit": seen(
        history=losses(*falling(12), validation=[2, 1, 1, 1, *[2.0] * 8]),
    ),
    "overtraining": seen(history=losses(*[0.1] * 22, validation=[0.5] * 22)),
    "unchanged_weights": seen([sight(epoch) for epoch in range(1, 5)]),
    "update_ratio": seen([sight(2, weights={"a": kernel(1e-3)}), sight(3)]),
    "class_imbalance": seen(
        looks(12, missed={"rare": 1.0, "often": 0.0}), counts={"rare": 3, "often": 60}
    ),
    "all_zero": seen(looks(2, weights={"a": 0 * kernel()})),
    "input_starvation": seen(history=losses(1.0), waiting=0.98),
}
HEALTHY = seen(
    looks(12, output=relu(7), missed={"rare": 0.1, "often": 0.0}),
    losses(*falling(12), validation=falling(12)),
    counts={"rare": 30, "often": 60},
    waiting=0.1,
)


def rules_that_fire(what, preset):
    return {rule for rule in WATCH_RULES if findings(what, rule, thresholds(rule, preset))}


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("rule", WATCH_RULES)
def test_a_rule_fires_on_its_fault(rule, preset):
    assert rule in rules_that_fire(BROKEN[rule], preset)


@pytest.mark.parametrize("preset", PRESETS)
def test_none_fires_on_health(preset):
    assert not rules_that_fire(HEALTHY, preset)


def test_every_rule_has_a_check():
    assert list(CHECKS) == list(WATCH_RULES) == list(BROKEN)


def test_a_finding_says_when_where_and_what():
    (found,) = findings(BROKEN["dead_relu"], "dead_relu", thresholds("dead_relu", "calm"))
    assert (found.epoch, found.layer, found.value) == (2, "layer", 1.0)
    assert "100%" in found.says


@pytest.mark.parametrize("preset", PRESETS)
def test_a_kernel_of_one_number_has_no_scale(preset):
    single = Sight(
        0,
        {"a": FINE, "one": Gradient(0.1, 0.1, 0.0)},
        {},
        {"a": kernel(), "one": np.full((1, 1, 1, 1), 0.3, np.float32)},
        {},
    )
    assert "poor_initialisation" not in rules_that_fire(seen([single]), preset)


def test_one_bad_look_is_no_rule_of_two():
    bounds = thresholds("dead_relu", "calm")
    once = [*looks(1, output=relu(7)), sight(2, output=relu(0))]
    assert not findings(seen(once), "dead_relu", bounds)
    assert findings(seen(once), "dead_relu", thresholds("dead_relu", "sagemaker"))


def test_looks_of_earlier_epochs_say_nothing_of_this_one():
    late = seen(looks(2, output=relu(0)), epoch=3)
    assert not findings(late, "dead_relu", thresholds("dead_relu", "calm"))


@pytest.mark.parametrize(
    ("kind", "values", "flat"),
    [
        ("sigmoid", [1e-11, 1.0], True),
        ("sigmoid", [1e-9, 0.9999], False),
        ("tanh", [-1.0, 1.0], True),
        ("tanh", [-0.999, 0.5], False),
    ],
)
def test_saturation_by_what_an_activation_gives(kind, values, flat):
    found = rules_that_fire(seen(looks(2, output=squashed(kind, values))), "calm")
    assert ("saturated_activation" in found) is flat


def test_a_loss_that_has_fallen_enough_may_rest():
    rested = seen(history=losses(2.0, *[0.2] * 12))
    assert not findings(rested, "loss_not_decreasing", thresholds("loss_not_decreasing", "calm"))


def test_runs_without_validation_have_no_overfit():
    assert not rules_that_fire(seen(history=losses(*falling(12))), "calm")


def test_names_that_there_are_not():
    with pytest.raises(InputError, match="did you mean 'dead_relu'"):
        known("dead_rellu")
    with pytest.raises(InputError, match="--watch: 'loud' is not off, calm or sagemaker"):
        thresholds("dead_relu", "loud")
