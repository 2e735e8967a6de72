"""Which worker a process is, by what starts it."""

import json

import pytest

from tinyseg.errors import InputError
from tinyseg.training.joining import find_place

WORKERS = ["a:1", "b:2", "c:3"]


def config(kind="worker", index=0, **cluster):
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})}


def place(environment, count, tmp_path):
    return find_place(count, environment, tmp_path / "resourceconfig.json")


def test_by_tensorflows_own_variable(tmp_path):
    assert place(config(index=2, worker=WORKERS), 3, tmp_path) == (tuple(WORKERS), 2)
    with_chief = {"chief": ["z:9"], "worker": WORKERS[:2]}
    assert place(config("chief", 0, **with_chief), 3, tmp_path) == (("z:9", "a:1", "b:2"), 0)
    assert place(config("worker", 1, **with_chief), 3, tmp_path).rank == 2


def test_by_sagemaker(tmp_path):
    hosts = {"SM_HOSTS": '["algo-2", "algo-1"]', "SM_CURRENT_HOST": "algo-2"}
    expected = (("algo-1:7777", "algo-2:7777"), 1)
    assert place(hosts, 2, tmp_path) == expected
    values = {"hosts": ["algo-1", "algo-2"], "current_host": "algo-2"}
    (tmp_path / "resourceconfig.json").write_text(json.dumps(values))
    assert place({}, 2, tmp_path) == expected


def test_host_that_sagemaker_does_not_name(tmp_path):
    hosts = {"SM_HOSTS": '["algo-1"]', "SM_CURRENT_HOST": "algo-3"}
    with pytest.raises(InputError, match="'algo-3' is not in hosts"):
        place(hosts, 2, tmp_path)


def test_by_slurm(tmp_path, monkeypatch):
    """On one node, whose name needs no look-up in SLURM's files."""
    scontrol = tmp_path / "scontrol"
    scontrol.write_text('#!/bin/sh\necho "node7"\n')
    scontrol.chmod(0o755)
    step = {
        "SLURM_JOB_ID": "1563",
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_STEP_TASKS_PER_NODE": "2",
        "SLURM_STEP_NODELIST": "node7",
        "SLURM_PROCID": "1",
        "SLURM_STEP_NUM_NODES": "1",
    }
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    for name, value in step.items():
        monkeypatch.setenv(name, value)
    port = 10_000 + 64 * (1563 % 780)
    assert place(step, 2, tmp_path) == ((f"node7:{port}", f"node7:{port + 1}"), 1)


def test_nobody_has_started_others(tmp_path):
    assert place({}, 2, tmp_path) is None
    assert place({"SLURM_STEP_NUM_TASKS": "1"}, 2, tmp_path) is None
    assert place({"SM_HOSTS": '["algo-1"]', "SM_CURRENT_HOST": "algo-1"}, 2, tmp_path) is None


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"cluster": {}, "task": {}}'])
def test_malformed_variable_is_refused_with_an_example(text, tmp_path):
    with pytest.raises(InputError, match=r'TF_CONFIG: is not \{"cluster"'):
        place({"TF_CONFIG": text}, 2, tmp_path)


def test_another_number_of_workers_is_refused(tmp_path):
    with pytest.raises(InputError, match="--workers 2: 3 were started"):
        place(config(worker=WORKERS), 2, tmp_path)
