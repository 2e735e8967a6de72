"""Jobs in a real SLURM of one node: ended early, queued again, every epoch once."""

import csv
import json
import os
import sys
from pathlib import Path

import pytest

from tests.cluster import slurm_here as here
from tests.commands import tinyseg
from tests.training import worker_run
from tinyseg.cluster.slurm import Job, submit, write
from tinyseg.training.workers import ALONE

pytestmark = [pytest.mark.slow, pytest.mark.slurm]
ROOT = Path(__file__).parents[2]
TRAINING = ("unet", "--data", "phantom:count=12,size=32", "--size", "32", "--set",
            "model.arguments.base_width=2", "--set", "training.patience=999")  # fmt: skip


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
        patch.setenv("TINYSEG_CACHE", str(tmp_path_factory.mktemp("cache")))
        with here.slurm(tmp_path_factory.mktemp("slurm")) as folder:
            yield folder


def epochs(run):
    path = run / "history.csv"
    if not path.is_file():
        return []
    with path.open(newline="") as stream:
        return [int(row["epoch"]) for row in csv.DictReader(stream)]


def over(job):
    # None at all where the controller is too busy to answer.
    states = set(here.state(job).split())
    return bool(states) and states <= {"COMPLETED", "FAILED", "CANCELLED"}


def test_array_of_two_is_queued_again_until_every_epoch_is_done_once(slurm, tmp_path):
    job = Job("train", (*TRAINING, "--epochs", "60"), tmp_path, minutes=20, seeds=2)
    number = submit(write(job, tmp_path / "job.sh"))
    runs = [tmp_path / f"seed_{seed}" for seed in (0, 1)]
    here.wait_for(lambda: all(len(epochs(run)) >= 2 for run in runs), 600)
    here.output("scancel", "--signal=USR1", "--batch", number)
    here.wait_for(lambda: here.state(number).split() == ["PENDING"] * 2, 120)
    before = [epochs(run) for run in runs]
    assert all(0 < len(rows) < 60 for rows in before)
    for seed in (0, 1):
        here.output("scontrol", "update", f"jobid={number}_{seed}", "StartTime=now")
    here.wait_for(lambda: over(number), 900)
    assert [epochs(run) for run in runs] == [list(range(1, 61))] * 2
    logs = [path.read_text() for path in tmp_path.glob("slurm-*.out")]
    assert len(logs) == 2
    for log in logs:
        assert log.count("tinyseg: saved, queued again") == 1
        assert "SIGUSR1 ended the training after" in log
        assert "resuming after epoch" in log


def test_cancelled_job_leaves_a_state_that_goes_on(slurm, tmp_path):
    arguments = (*TRAINING, "--epochs", "400")
    number = submit(write(Job("train", arguments, tmp_path / "run"), tmp_path / "job.sh"))
    here.wait_for(lambda: len(epochs(tmp_path / "run")) >= 2, 600)
    here.output("scancel", number)
    here.wait_for(lambda: over(number), 120)
    (log,) = (tmp_path / "run").glob("slurm-*.out")
    assert "SIGTERM ended the training after" in log.read_text()
    assert "queued again" not in log.read_text()
    assert len(epochs(tmp_path / "run")) < 400
    again = tinyseg("train", *arguments, "-o", tmp_path / "run", "--dry-run", cwd=tmp_path)
    assert again.returncode == 0


def test_job_without_progress_is_not_queued_for_ever(slurm, tmp_path):
    """A verb that ends badly before anything is saved."""
    job = Job("train", ("unet", "--data", str(tmp_path / "nowhere")), tmp_path)
    number = submit(write(job, tmp_path / "job.sh"))
    here.wait_for(lambda: over(number), 600)
    (log,) = tmp_path.glob("slurm-*.out")
    assert "nowhere" in log.read_text()
    assert "queued again" not in log.read_text()


def test_tasks_of_a_step_learn_what_one_process_learns(slurm, tmp_path):
    worker_run.run(ALONE, tmp_path / "one")
    script, command = tmp_path / "job.sh", f"{sys.executable} -m tests.training.worker_run"
    script.write_text(f"#!/bin/bash\ncd {ROOT}\nsrun -n 2 {command} {tmp_path}/two 2\n")
    number = here.output(
        "sbatch", "--parsable", "--ntasks=2", f"--output={tmp_path}/log", str(script)
    ).strip()
    here.wait_for(lambda: over(number), 900)
    assert here.state(number) == "COMPLETED", (tmp_path / "log").read_text()
    for name, bound in worker_run.BOUNDS.items():
        worker_run.assert_same(tmp_path / "one", tmp_path / "two", name, bound)


def test_workers_are_queued_again_together(slurm, tmp_path):
    arguments = (*TRAINING, "--epochs", "40", "--workers", "2")
    run = tmp_path / "run"
    number = submit(write(Job("train", arguments, run, workers=2), tmp_path / "job.sh"))
    queue_again(number, lambda: len(epochs(run)) >= 2)
    here.wait_for(lambda: over(number), 900)
    (log,) = run.glob("slurm-*.out")
    assert epochs(run) == list(range(1, 41)), log.read_text()
    assert "SIGUSR1 ended the training after" in log.read_text()


def test_search_is_queued_again_and_ends(slurm, tmp_path):
    (tmp_path / "space.yaml").write_text("training.learning_rate: {log: [1.0e-3, 1.0e-2]}")
    options = ("--space", str(tmp_path / "space.yaml"), "--trials", "2", "--epochs", "12")
    run = tmp_path / "run"
    number = submit(write(Job("tune", (*TRAINING, *options), run), tmp_path / "job.sh"))
    queue_again(number, lambda: any(len(epochs(path)) >= 2 for path in run.glob("trials/*")))
    here.wait_for(lambda: over(number), 900)
    (log,) = run.glob("slurm-*.out")
    assert log.read_text().count("tinyseg: saved, queued again") == 1
    assert (run / "plan.json").is_file(), log.read_text()
    for trial in (0, 1):
        found = epochs(run / "trials" / f"{trial:03d}")
        assert found == list(range(1, len(found) + 1))
        assert json.loads((run / "trials" / f"{trial:03d}.json").read_text())["error"] == ""


def queue_again(number, begun):
    """Send a job the signal that its time is nearly up, and let it wait no longer than it must."""
    here.wait_for(begun, 900)
    here.output("scancel", "--signal=USR1", "--batch", number)
    here.wait_for(lambda: here.state(number) == "PENDING", 300)
    here.output("scontrol", "update", f"jobid={number}", "StartTime=now")
