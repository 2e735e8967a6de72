"""Work in processes: results are kept, and failures are not."""

import json
import os

import pytest

from tinyseg.experiments.jobs import Jobs

# Other processes cannot import this module; what a job is here is text.
WHERE = (
    "{'square': %d**2, 'process': __import__('os').getpid(), 'all': dict(__import__('os').environ)}"
)


def test_results_are_kept(tmp_path):
    jobs = Jobs(tmp_path, 2)
    first = jobs.run({f"number {n}": (eval, (WHERE % n,)) for n in range(3)})
    assert [result["square"] for result in first.values()] == [0, 1, 4]
    assert len({result["process"] for result in first.values()} | {os.getpid()}) == 4
    assert all(result["all"]["TF_NUM_INTRAOP_THREADS"] == "1" for result in first.values())
    assert all(result["seconds"] >= 0 for result in first.values())
    again = jobs.run({"number 1": (int, ("no",)), "number 5": (eval, (WHERE % 5,))})
    assert again["number 1"] == first["number 1"]
    assert again["number 5"]["square"] == 25
    assert json.loads((tmp_path / "number-5.json").read_text()) == again["number 5"]


def test_first_failure_ends_the_work(tmp_path):
    later = {f"number {n}": (eval, (WHERE % n,)) for n in range(9)}
    with pytest.raises(ValueError, match="invalid literal"):
        Jobs(tmp_path, 1).run({"bad": (int, ("no",)), **later})
    assert not list(tmp_path.iterdir())
