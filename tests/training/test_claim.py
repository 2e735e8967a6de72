"""Who may go on in a folder: the same plan; others are told what differs and what to do."""

import dataclasses
import os

import pytest

from tests.training.runs import plan_of
from tinyseg import plan as plans
from tinyseg.errors import InputError
from tinyseg.training.claim import alone, claim


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
    other = plan_of(epochs=5)
    assert "--weights" not in refused(tmp_path, other)
    (tmp_path / "weights.h5").write_bytes(b"")
    assert f"--weights {tmp_path / 'weights.h5'}" in refused(tmp_path, other)


def test_more_epochs_go_on(tmp_path):
    claim(tmp_path, plan_of())
    claim(tmp_path, plan_of(epochs=9))
    assert "training.epochs is 9 there, 6 here" in refused(tmp_path, plan_of())
    assert "learning_rate" in refused(tmp_path, plan_of(epochs=10, learning_rate=0.1))


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


def test_one_run_at_a_time(tmp_path):
    with alone(tmp_path):
        with pytest.raises(InputError) as caught, alone(tmp_path):
            pass
        assert f"process {os.getpid()} is training here" in str(caught.value)
        assert "-o" in str(caught.value)
    with alone(tmp_path):
        pass


def test_a_lock_dies_with_its_process(tmp_path):
    if not (child := os.fork()):
        alone(tmp_path).__enter__()
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    with alone(tmp_path):
        pass
