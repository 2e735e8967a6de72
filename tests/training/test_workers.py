"""Two workers do what one does, and end in good order when one is lost."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.commands import command, variables
from tests.training import worker_run
from tests.training.runs import history
from tinyseg.errors import InputError
from tinyseg.plan import TrainingPlan
from tinyseg.training.workers import ALONE, Workers

ROOT = Path(__file__).parents[2]


def ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return found


def start(folder, cache):
    """Two processes that train as the workers of each other."""
    addresses = [f"127.0.0.1:{port}" for port in ports(2)]
    common = {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    common |= {"TINYSEG_CACHE": str(cache), "TF_NUM_INTRAOP_THREADS": "1"}
    return [
        subprocess.Popen(
            [sys.executable, "-m", "tests.training.worker_run", str(folder), "2"],
            env={**os.environ, **common, "TF_CONFIG": json.dumps(
                {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            )},
            stderr=subprocess.PIPE, text=True,
        )
        for index in (0, 1)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folders of what one worker and two have trained."""
    one, two, cache = (tmp_path_factory.mktemp(name) for name in ("one", "two", "cache"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYSEG_CACHE", str(cache))
        worker_run.run(ALONE, one)
    processes = start(two, cache)
    for process in processes:
        errors = process.communicate(timeout=900)[1]
        assert process.returncode == 0, errors[-2000:]
    return one, two


@pytest.mark.slow
@pytest.mark.parametrize("name", worker_run.BOUNDS)
def test_two_workers_learn_what_one_learns(runs, name):
    worker_run.assert_same(*runs, name, worker_run.BOUNDS[name])
    rows, others = (history(folder / name) for folder in runs)
    assert len(rows) == len(others) == worker_run.SETTINGS["epochs"]
    for row, other in zip(rows, others, strict=True):
        assert row == pytest.approx(other, rel=1e-4, abs=1e-5)


@pytest.mark.slow
def test_only_the_chief_writes_and_all_that_one_worker_does(runs):
    one, two = (
        {str(path.relative_to(folder)) for path in folder.rglob("*")
         if path.is_file() and "events" not in path.name}
        for folder in runs
    )  # fmt: skip
    assert one == two
    logs = [path.parent.name for path in runs[1].rglob("events*")]
    assert sorted(logs) == ["train", "train", "validation", "validation"]


@pytest.mark.slow
def test_lost_worker_ends_in_a_line_and_the_run_goes_on(tmp_path):
    words = ("train", "unet", "--data", "phantom:count=24,size=32", "--size", 32, "--workers", 2)
    words += ("--set", "model.arguments.base_width=2", "--set", "training.patience=99")
    folder = tmp_path / "run"
    process = subprocess.Popen(
        command(*words, "--epochs", 60, "-o", folder), cwd=tmp_path,
        env=variables(tmp_path, {}), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_for_rows(folder, 2, process)
    os.kill(worker_of(process.pid, 1), signal.SIGKILL)
    errors = process.communicate(timeout=300)[1]
    assert process.returncode == 75, errors
    lines = [line for line in errors.splitlines() if line.startswith("tinyseg: ")]
    assert len(lines) == 1
    assert "another of the 2 workers ended" in lines[0]
    assert "Traceback" not in errors
    done = len(history(folder))
    again = subprocess.Popen(
        command(*words, "--epochs", 60, "-o", folder), cwd=tmp_path,
        env=variables(tmp_path, {}), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_for_rows(folder, done + 1, again)
    again.send_signal(signal.SIGTERM)
    errors = again.communicate(timeout=300)[1]
    assert again.returncode == 143, errors
    epochs = [int(row["epoch"]) for row in history(folder)]
    assert epochs == list(range(1, len(epochs) + 1))
    assert f"resuming after epoch {done} of 60" in errors


def wait_for_rows(folder, count, process):
    end = time.monotonic() + 900
    while not (folder / "history.csv").is_file() or len(history(folder)) < count:
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.1)


def worker_of(parent, index):
    """The process of a worker, by its place in TF_CONFIG."""
    import psutil

    for child in psutil.Process(parent).children():
        if json.loads(child.environ()["TF_CONFIG"])["task"]["index"] == index:
            return child.pid
    raise AssertionError(parent)


def test_one_process_alone_is_a_worker_with_nothing_to_share():
    assert ALONE.chief
    assert ALONE.alone
    assert ALONE.everyones(7) == [7]
    ALONE.need_fit(1, 0, TrainingPlan(batch_size=8, average=0.9))
    assert ALONE.judging_size(9, 4) == 4


@pytest.mark.parametrize(
    ("images", "settings", "words"),
    [
        (9, {"batch_size": 4}, "training.batch_size: 4 leaves 1 of the 9 training images"),
        (8, {"batch_size": 1}, "training.batch_size: 1 leaves 1 of the 8 training images"),
        (8, {"batch_size": 4, "average": 0.9}, "training.average: is for one worker"),
    ],
)
def test_plans_that_several_workers_cannot_follow_are_refused(images, settings, words):
    import tensorflow as tf

    two = Workers(tf.distribute.get_strategy(), 0, 2)
    with pytest.raises(InputError, match=words):
        two.need_fit(images, 7, TrainingPlan(**settings))
    with pytest.raises(InputError, match=r"data.fractions: 1 validation images are fewer"):
        two.need_fit(10, 1, TrainingPlan(batch_size=4))
    two.need_fit(10, 0, TrainingPlan(batch_size=4))


@pytest.mark.parametrize(("images", "batch", "size"), [(8, 4, 4), (6, 5, 6), (9, 4, 5), (3, 8, 8)])
def test_batches_to_judge_by_have_images_for_all(images, batch, size):
    assert Workers(None, 0, 2).judging_size(images, batch) == size
