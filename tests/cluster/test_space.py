"""What a search may try: drawn by seed and number alone, and refused where no plan takes it."""

import math

import numpy as np
import pytest

from tinyseg import plan as plans
from tinyseg.cluster.space import Axis, draw, read_space
from tinyseg.errors import InputError

PLAN = plans.Plan()
SPACE = """
training.learning_rate: {log: [1e-4, 1e-2]}
training.batch_size: [4, 8]
training.dice_weight: {uniform: [0, 2]}
training.patience: {integers: [2, 4]}
model.arguments.base_width: [8, 16]
preprocessing.scale: [[0.1, 0.2, 0.3], 1]
"""


def read(tmp_path, text):
    path = tmp_path / "space.yaml"
    path.write_text(text)
    return read_space(path, PLAN)


def test_values_lie_in_the_space_and_fill_it(tmp_path):
    axes = read(tmp_path, SPACE)
    drawn = [draw(axes, 3, trial) for trial in range(200)]
    columns = {name: [values[name] for values in drawn] for name in drawn[0]}
    rates = np.log10(columns["training.learning_rate"])
    assert rates.min() >= -4
    assert rates.max() <= -2
    # As many in each decade.
    assert 70 < (rates < -3).sum() < 130
    assert set(columns["training.batch_size"]) == {4, 8}
    weights = columns["training.dice_weight"]
    assert 0 <= min(weights) < 0.1 < 1.9 < max(weights) <= 2
    assert set(columns["training.patience"]) == {2, 3, 4}
    assert set(columns["preprocessing.scale"]) == {(0.1, 0.2, 0.3), 1}
    for values in drawn[:9]:
        plan = plans.override(PLAN, values)
        assert plan.training.patience == values["training.patience"]
        assert plan.model.arguments == {"base_width": values["model.arguments.base_width"]}


def test_a_trial_is_the_same_in_every_search_of_its_seed(tmp_path):
    axes = read(tmp_path, SPACE)
    assert draw(axes, 0, 5) == draw(axes, 0, 5)
    assert draw(axes, 0, 5) != draw(axes, 1, 5)
    assert draw(axes, 0, 5) != draw(axes, 0, 6)


def test_ends_are_included():
    rng = np.random.default_rng(0)
    assert {Axis("x", "integers", (1, 2)).draw(rng) for _ in range(20)} == {1, 2}
    value = Axis("x", "log", (1.0, math.nextafter(1.0, 2))).draw(rng)
    assert value == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("training.learning_rat: [1]", "training.learning_rat 1: unknown key 'learning_rat'; did"),
        ("training.batch_size: [4, 0]", "training.batch_size 0"),
        ("training.epochs: [4, 8]", "training.epochs is the same in all trials"),
        ("data.source: [a, b]", "data.source is the same in all trials"),
        ("seed: [1, 2]", "seed is the same in all trials"),
        ("training.dice_weight: 3", "training.dice_weight takes a list of choices, or one of"),
        ("training.dice_weight: []", "takes a list of choices"),
        ("training.dice_weight: {log: [0, 1]}", "needs two ascending numbers above 0 in log"),
        ("training.dice_weight: {uniform: [2, 1]}", "needs two ascending numbers in uniform"),
        ("training.dice_weight: {uniform: [a, 1]}", "has no two numbers in uniform"),
        ("training.dice_weight: {normal: [0, 1]}", "takes a list of choices"),
        ("training.augment: {uniform: [0, 1]}", "training.augment"),
        ("", "a space is a mapping"),
        ("[1, 2]", "a space is a mapping"),
        ("{", "not valid YAML"),
    ],
)
def test_what_no_plan_takes_is_refused_in_a_line_with_the_file(tmp_path, text, words):
    with pytest.raises(InputError) as error:
        read(tmp_path, text)
    assert str(error.value).startswith(f"{tmp_path / 'space.yaml'}: ")
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.yaml: cannot be read"):
        read_space(tmp_path / "nowhere.yaml", PLAN)
