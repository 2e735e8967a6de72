"""A trial as its process runs it: from the start, after a kill, and when it is over."""

import pytest

from tests.training.runs import history
from tinyseg import plan as plans
from tinyseg.cluster.space import Axis
from tinyseg.cluster.trials import FAILED, FINISHED, STOPPED, Search
from tinyseg.cluster.tune import run_trial

pytestmark = pytest.mark.usefixtures("own_cache")
PLAN = plans.from_mapping(
    {
        "model": {"name": "unet", "arguments": {"base_width": 2, "depth": 1}},
        "data": {"source": "phantom:count=24,size=32"},
        "preprocessing": {"height": 16, "width": 16},
        "training": {"epochs": 3, "precision": "float32"},
    }
)
AXES = (Axis("training.learning_rate", "log", (1e-3, 1e-2)),)


class Killed(BaseException):
    pass


def run(search, trial=0, die_after=0):
    """What the trial reports; its process dies at a report, as the scheduler may kill it there."""
    seen = []

    def report(values):
        seen.append((values["epoch"], values["score"]))
        if values["epoch"] == die_after:
            raise Killed

    if die_after:
        with pytest.raises(Killed):
            run_trial(search, trial, report)
    else:
        run_trial(search, trial, report)
    return seen


def test_trial_that_is_killed_goes_on_and_reports_all_of_it(tmp_path):
    search = Search(PLAN, AXES, tmp_path)
    first = run(search, die_after=1)
    assert search.outcome(0).state == ""
    assert [epoch for epoch, _ in first] == [1]
    run(search)
    outcome = search.outcome(0)
    assert outcome.state == FINISHED
    assert [row["epoch"] for row in history(search.run_of(0))] == [1, 2, 3]
    assert plans.read(search.run_of(0) / "plan.json").training == search.plan_of(0).training
    # Told again to a scheduler that knows nothing of it.
    best = [max(outcome.scores[:count]) for count in (1, 2, 3)]
    assert run(search) == [(1, best[0]), (2, best[1]), (3, best[2])]
    search.mark(0, STOPPED)
    assert len(run(search)) == 3


def test_trial_that_cannot_be_trained_says_why(tmp_path):
    axes = (Axis("model.arguments.depth", "choice", (40,)),)
    search = Search(PLAN, axes, tmp_path)
    assert run(search) == []
    outcome = search.outcome(0)
    assert outcome.state == FAILED
    assert outcome.error
    assert "\n" not in outcome.error
