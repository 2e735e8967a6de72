"""Who may go on in a folder: the same plan; others are told what differs and what to do."""

import dataclasses

import pytest

from tests.training.runs import plan_of
from tinyseg import plan as plans
from tinyseg.errors import InputError
from tinyseg.training.claim import claim


def refused(folder, plan):
    with pytest.raises(InputError) as caught:
        claim(folder, plan)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_same_plan_may_go_on(tmp_path):
    for _ in range(2):
        claim(tmp_path, plan_of())
    claim(tmp_path, dataclasses.replace(plan_of(), provenance={"tinyseg": "9"}))


def test_settings_that_differ_are_named_with_both_values(tmp_path):
    claim(tmp_path, plan_of())
    changes = {"training.epochs": 9, "data.source": "phantom:count=21,size=32"}
    told = refused(tmp_path, plans.override(plan_of(), changes))
    assert told.startswith(f"{tmp_path}: holds a training run with other settings: ")
    assert "training.epochs is 6 there, 9 here" in told
    assert "data.source is 'phantom:count=20,size=32' there, " in told
    assert "'phantom:count=21,size=32' here" in told
    assert "learning_rate" not in told
    assert "-o" in told
    assert "remove" in told


def test_weights_that_are_there_can_be_started_from(tmp_path):
    claim(tmp_path, plan_of())
    other = plan_of(epochs=7)
    assert "--weights" not in refused(tmp_path, other)
    (tmp_path / "weights.h5").write_bytes(b"")
    assert f"--weights {tmp_path / 'weights.h5'}" in refused(tmp_path, other)


def test_arguments_of_the_network_count_one_by_one(tmp_path):
    claim(tmp_path, plan_of())
    told = refused(tmp_path, plans.override(plan_of(), {"model.arguments.dropout": 0.5}))
    assert "model.arguments.dropout is None there, 0.5 here;" in told
    assert "base_width" not in told


def test_of_many_differences_four_are_named(tmp_path):
    claim(tmp_path, plan_of())
    changes = {"seed": 9, "preprocessing.height": 32, "preprocessing.width": 32}
    changes |= {f"training.{key}": 3 for key in ("epochs", "batch_size", "patience")}
    told = refused(tmp_path, plans.override(plan_of(), changes))
    assert told.count(" there, ") == 4
    assert ", 2 more differ;" in told
