"""A search on this machine, in which a trial is killed."""

import contextlib
import csv
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from tests.commands import assert_bad_input, command, printed, tinyseg, variables
from tests.in_process import tinyseg as in_process
from tinyseg import plan as plans

SPACE = "training.learning_rate: {log: [1.0e-3, 1.0e-2]}\ntraining.augment: [true, false]\n"


def search(folder, trials=2, parallel=2):
    (folder / "space.yaml").write_text(SPACE)
    settings = ["--set", "model.arguments.base_width=2", "--set", "model.arguments.depth=1"]
    return (
        "tune", "unet", "--space", folder / "space.yaml", "--trials", trials,
        "--parallel", parallel, "--epochs", 3, "--data", "phantom:count=24,size=64",
        "--size", 64, *settings, "-o", folder / "out", "--json",
    )  # fmt: skip


def trial_processes(driver):
    """Those in which Ray runs a trial, by their titles."""
    found = psutil.Process(driver).children(recursive=True)
    return [one for one in found if _title(one).startswith("ray::ImplicitFunc")]


def _title(process):
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def first_epoch_of_any(run, process):
    end = time.monotonic() + 900
    while True:
        assert time.monotonic() < end
        assert process.poll() is None, process.stderr.read()
        if list(run.glob("trials/*/checkpoint/checkpoint")):
            return
        time.sleep(0.05)


def test_search_with_a_killed_trial_ends_right_and_is_not_run_again(tmp_path):
    process = subprocess.Popen(
        command(*search(tmp_path)), cwd=tmp_path, env=variables(tmp_path, {}),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    run = tmp_path / "out"
    first_epoch_of_any(run, process)
    trial_processes(process.pid)[0].kill()
    out, errors = process.communicate(timeout=1200)
    assert process.returncode == 0, errors
    found = json.loads(out)
    assert [trial["trial"] for trial in found["trials"]] == [0, 1]
    assert all(trial["state"] in ("finished", "stopped") for trial in found["trials"])
    for trial in found["trials"]:
        with (run / "trials" / f"{trial['trial']:03d}" / "history.csv").open(newline="") as stream:
            epochs = [int(row["epoch"]) for row in csv.DictReader(stream)]
        assert epochs == list(range(1, trial["epochs"] + 1))
    best = max(found["trials"], key=lambda trial: trial["score"])
    plan = plans.read(run / "plan.json")
    assert plan.training.learning_rate == best["values"]["training.learning_rate"]
    assert plan.training.augment == best["values"]["training.augment"]
    with (run / "trials.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["trial"] for row in rows] == ["0", "1"]
    assert (run / "trials.png").read_bytes().startswith(b"\x89PNG")
    again = tinyseg(*search(tmp_path), cwd=tmp_path)
    assert printed(again) == found


def test_spaces_and_folders_that_cannot_be_searched(tmp_path):
    words = [*search(tmp_path)]
    (tmp_path / "space.yaml").write_text("training.epochs: [1, 2]")
    assert_bad_input(in_process(*words), "space.yaml: training.epochs is the same in all trials")
    (tmp_path / "space.yaml").write_text(SPACE)
    none = in_process(*words, "--set", "data.fractions=[0.8, 0, 0.2]")
    assert_bad_input(none, "no images to compare trials by")
    assert not (tmp_path / "out").exists()


def test_without_ray_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray.tune", None)
    assert_bad_input(in_process(*search(tmp_path)), "tune: needs Ray; pip install 'tinyseg[")


@pytest.mark.slow
def test_ctrl_c_and_the_same_command_go_on(tmp_path):
    process = subprocess.Popen(
        command(*search(tmp_path, trials=3, parallel=1)), cwd=tmp_path,
        env=variables(tmp_path, {}), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    first_epoch_of_any(tmp_path / "out", process)
    process.send_signal(2)
    errors = process.communicate(timeout=300)[1]
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    found = printed(tinyseg(*search(tmp_path, trials=3, parallel=1), cwd=tmp_path))
    assert len(found["trials"]) == 3
    assert all(trial["state"] in ("finished", "stopped") for trial in found["trials"])


@contextlib.contextmanager
def ray_head(port):
    """A cluster of this machine, as 'ray start --head' makes it."""
    scratch = tempfile.mkdtemp(prefix="ts", dir="/tmp")  # Short, as sockets lie in it.
    command = [
        Path(sys.executable).with_name("ray"), "start", "--head", "--block", f"--port={port}",
        "--node-ip-address=127.0.0.1", "--num-cpus=2", "--include-dashboard=false",
        "--disable-usage-stats", f"--temp-dir={scratch}", "--object-store-memory=100000000",
    ]  # fmt: skip
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    for _ in range(3):  # On a busy machine it gives up.
        environment = {**os.environ, "RAY_worker_niceness": "0"}
        with subprocess.Popen(command, **quiet, env=environment) as head:
            try:
                if answers(port, head):
                    yield head
                    return
            finally:
                head.terminate()
                head.wait(60)
                shutil.rmtree(scratch, ignore_errors=True)
    pytest.fail("ray start --head")


def answers(port, head):
    """Whether the head comes up."""
    ray = Path(sys.executable).with_name("ray")
    while head.poll() is None:
        status = [ray, "status", f"--address=127.0.0.1:{port}"]
        if not subprocess.run(status, capture_output=True, check=False).returncode:
            return True
        time.sleep(1)
    return False


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.mark.slow
def test_search_on_a_cluster_that_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYSEG_CACHE", str(tmp_path / "cache"))
    # 'ray start' asks for the token of this user's home if there is one, 'ray status' does not.
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    port = free_port()
    with ray_head(port) as head:
        arguments = (*search(tmp_path), "--address", f"127.0.0.1:{port}")
        found = printed(tinyseg(*arguments, cwd=tmp_path))
        assert head.poll() is None
    assert [trial["state"] in ("finished", "stopped") for trial in found["trials"]] == [True] * 2
    assert not list((tmp_path / "out").glob("ts*"))


def test_address_where_nobody_answers(tmp_path):
    address = f"127.0.0.1:{free_port()}"
    result = in_process(*search(tmp_path), "--address", address)
    assert_bad_input(result, f"--address {address}: nobody answers", "ray start --head")
