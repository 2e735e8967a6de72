"""Work in processes: results are kept, and failures are not."""

import json
import os

import pytest

from tinyseg.experiments.jobs import Jobs


def describe(number):
    """What a job is: here one that tells where it ran."""
    return {"square": number**2, "process": os.getpid(), "threads": os.environ["OMP_NUM_THREADS"]}


def fail():
    raise ValueError("no")


def test_results_are_kept(tmp_path):
    jobs = Jobs(tmp_path, 2)
    first = jobs.run({f"number {n}": (describe, (n,)) for n in range(3)})
    assert [result["square"] for result in first.values()] == [0, 1, 4]
    assert len({result["process"] for result in first.values()} | {os.getpid()}) == 4
    assert all(result["threads"] == "1" and result["seconds"] >= 0 for result in first.values())
    again = jobs.run({"number 1": (fail, ()), "number 5": (describe, (5,))})
    assert again["number 1"] == first["number 1"]
    assert again["number 5"]["square"] == 25
    assert json.loads((tmp_path / "number-5.json").read_text()) == again["number 5"]


def test_failure_is_told_and_not_kept(tmp_path):
    with pytest.raises(ValueError, match="no"):
        Jobs(tmp_path, 1).run({"bad": (fail, ())})
    assert not list(tmp_path.iterdir())
