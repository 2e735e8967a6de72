"""Trials as they lie on disk, and what their scores say of the values that they tried."""

import dataclasses

import pytest

from tinyseg import plan as plans
from tinyseg.cluster.space import Axis
from tinyseg.cluster.trials import FINISHED, Epoch, Outcome, Search, epochs_of, importance
from tinyseg.errors import InputError

AXES = (
    Axis("training.learning_rate", "log", (1e-4, 1e-2)),
    Axis("training.augment", "choice", (True, False)),
)


HISTORY = """epoch,loss,val_lesion_dice,val_false_alarms,val_missed_lesions
1,3,0.25,4.0,3.0
2,2,0.75,2.0,1.0
3,1,0.5,3.0,2.0
"""


def search(folder):
    return Search(plans.Plan(), AXES, folder)


def test_a_trial_is_a_plan_in_a_folder_of_its_own(tmp_path):
    one = search(tmp_path)
    plan, values = one.plan_of(7), one.values(7)
    assert plan.training.learning_rate == values["training.learning_rate"]
    assert dataclasses.replace(plan, training=one.plan.training) == one.plan
    assert one.run_of(7) == tmp_path / "trials" / "007"


def test_outcome_is_what_is_on_disk(tmp_path):
    one = search(tmp_path)
    assert one.outcome(0) == Outcome(0, one.values(0), (), "", "")
    assert one.outcome(0).best is None
    run = one.run_of(0)
    run.mkdir(parents=True)
    (run / "history.csv").write_text(HISTORY)
    assert one.outcome(0).scores == (0.25, 0.75, 0.5)
    assert one.outcome(0).state == ""
    one.mark(0, FINISHED)
    assert one.outcome(0).as_dict() == {
        "trial": 0,
        "state": "finished",
        "epochs": 3,
        "score": 0.75,
        "missed_lesions": 1,
        "false_alarms": 2,
        "values": one.values(0),
        "error": "",
    }


def test_classifiers_are_compared_by_accuracy(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,val_accuracy\n1,0.5\n")
    assert epochs_of(tmp_path) == (Epoch(0.5),)
    (tmp_path / "history.csv").write_text("epoch,loss\n1,0.5\n")
    with pytest.raises(InputError, match="no scores of validation images"):
        epochs_of(tmp_path)


def test_folder_of_another_search_is_refused(tmp_path):
    search(tmp_path).claim()
    search(tmp_path).claim()
    for other in (
        dataclasses.replace(search(tmp_path), axes=AXES[:1]),
        dataclasses.replace(search(tmp_path), plan=plans.Plan(seed=1)),
        dataclasses.replace(search(tmp_path), split="/other.json"),
    ):
        with pytest.raises(InputError, match="another plan or space"):
            other.claim()


def outcomes(rows):
    return [
        Outcome(i, values, (Epoch(score),), FINISHED, "") for i, (values, score) in enumerate(rows)
    ]


def test_importance_follows_what_the_scores_follow():
    rows = [({"a": i, "b": "xy"[i % 2], "c": i % 2 == 0, "d": 5}, i**2 / 100) for i in range(10)]
    shares = importance(outcomes(rows))
    assert next(iter(shares)) == "a"
    assert shares["a"] == pytest.approx(1)
    assert shares["b"] == shares["c"] < 0.1
    assert shares["d"] == 0
    rows = [({"a": i, "b": "xy"[i % 2]}, float(i % 2)) for i in range(10)]
    assert importance(outcomes(rows))["b"] == pytest.approx(1)


def test_few_trials_or_equal_scores_say_nothing():
    rows = [({"a": i}, i / 10) for i in range(4)]
    assert importance(outcomes(rows)) == {}
    assert importance(outcomes([({"a": i}, 0.5) for i in range(9)])) == {"a": 0}
    missing = [Outcome(9, {"a": 1}, (), "failed", "x")]
    assert importance([*outcomes(rows), *missing]) == {}
