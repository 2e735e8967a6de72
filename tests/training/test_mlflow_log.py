"""Runs in a folder of MLflow's."""

import pytest

from tests.training.runs import parts_of, plan_of, small
from tinyseg.errors import InputError
from tinyseg.training.loop import train_network
from tinyseg.training.mlflow_log import MlflowLog


def test_a_run_and_its_scores(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow import MlflowClient

    uri, plan = (tmp_path / "runs").as_uri(), plan_of(epochs=2)
    train_network(small(plan), plan, *parts_of(plan), tmp_path / "run", [MlflowLog(uri)])
    client = MlflowClient(uri)
    (experiment,) = [e for e in client.search_experiments() if e.name.startswith("tinyseg")]
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.params["training.epochs"] == "2"
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [metric.step for metric in history] == [1, 2]
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == {
        "weights.h5", "history.csv"
    }  # fmt: skip
    assert run.info.status == "FINISHED"


def test_a_server_that_is_not_there(tmp_path):
    plan = plan_of(epochs=1)
    with pytest.raises(InputError, match="--mlflow nowhere://x: cannot log there"):
        train_network(
            small(plan), plan, *parts_of(plan), tmp_path / "run", [MlflowLog("nowhere://x")]
        )
