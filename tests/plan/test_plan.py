"""Plans: read, check, override, store."""

import dataclasses
import json

import pytest

from tinyseg import plan as plans
from tinyseg.errors import InputError
from tinyseg.plan.limits import LIMITS


def test_yaml_fills_in_and_round_trips(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(
        "model: {name: attention_unet, arguments: {depth: 2}}\ntraining:\n  epochs: 7\n"
    )
    plan = plans.read(path)
    assert (plan.model.arguments, plan.training.epochs) == ({"depth": 2}, 7)
    assert plan.training.batch_size == plans.TrainingPlan().batch_size
    artefact = tmp_path / "weights.h5"
    artefact.write_bytes(b"weights")
    plans.write(plan, tmp_path, artefact)
    stored = plans.beside(artefact)
    assert dataclasses.replace(stored, provenance={}, files={}) == plan
    assert stored.provenance["tensorflow"]


def test_plan_beside_another_or_a_changed_file(tmp_path):
    artefact = tmp_path / "weights.h5"
    artefact.write_bytes(b"weights")
    assert plans.beside(artefact) is None
    plans.write(plans.Plan(), tmp_path, artefact)
    assert plans.beside(tmp_path / "other.h5") is None
    artefact.write_bytes(b"changed")
    with pytest.raises(InputError, match="differs from the file"):
        plans.beside(artefact)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training: {epoch: 3}", "unknown key 'epoch'"),
        ("training: {epochs: many}", "epochs"),
        ("- 1\n- 2", "a plan is a mapping"),
        ("a: [1", "not valid YAML"),
        ("model: 3", "model"),
    ],
)
def test_bad_plans_name_file_and_key(tmp_path, text, message):
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        plans.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_plan(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        plans.read(tmp_path / "none.yaml")


def test_override():
    plan = plans.override(
        plans.Plan(), {"training.epochs": 3, "model.arguments.depth": 2, "seed": None}
    )
    assert (plan.training.epochs, plan.model.arguments["depth"], plan.seed) == (3, 2, 0)
    with pytest.raises(InputError, match="nothing"):
        plans.override(plan, {"training.nothing": 1})
    with pytest.raises(InputError, match="no 'trainning'"):
        plans.override(plan, {"trainning.epochs": 1})


def test_plan_tells_what_to_build():
    model = plans.ModelPlan("unet", {"depth": 2})
    plan = plans.Plan(model=model, preprocessing=plans.PreprocessingPlan(48, 32, 1))
    assert plan.network == ("unet", {"depth": 2}, (48, 32, 1))


def test_plan_is_json(tmp_path):
    written = plans.write(plans.Plan(), tmp_path)
    assert json.loads(written.read_text())["data"]["source"] == "phantom"


@pytest.mark.parametrize(
    ("name", "value", "limit"),
    [
        ("training.batch_size", 0, "1 or more"),
        ("training.epochs", -1, "0 or more"),
        ("training.learning_rate", -1.0, "more than 0"),
        ("training.learning_rate", float("nan"), "more than 0"),
        ("training.learning_rate", float("inf"), "more than 0"),
        ("preprocessing.threshold", 7.0, "0 to 1"),
        ("preprocessing.height", 0, "1 or more"),
        ("quantization.weight_bits", 1, "2 to 8"),
        ("seed", -1, "0 to 4.29497e+09"),
    ],
)
def test_numbers_without_sense(name, value, limit):
    with pytest.raises(InputError) as caught:
        plans.override(plans.Plan(), {name: value})
    assert str(caught.value) == f"plan: {name} is {value:g}, it takes {limit}"


def test_every_limit_is_that_of_a_setting():
    values = plans.as_dict(plans.Plan())
    for name in LIMITS:
        place = values
        for key in name.split("."):
            place = place[key]
        assert isinstance(place, int | float), name


@pytest.mark.parametrize(
    ("wrong", "right"), [("training: {epoch: 3}", "epochs"), ("trainng: {}", "training")]
)
def test_misspelt_keys_are_guessed(tmp_path, wrong, right):
    path = tmp_path / "plan.yaml"
    path.write_text(wrong)
    with pytest.raises(InputError, match=f"did you mean '{right}'"):
        plans.read(path)
