"""A training run in a store: interrupted here, gone on with from there."""

import uuid

import fsspec
import pytest

from tests.training.runs import plan_of
from tinyseg.errors import InputError
from tinyseg.steps.train import train
from tinyseg.training.hooks import AfterEpoch


def test_a_run_goes_on_from_its_store(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYSEG_CACHE", str(tmp_path / "cache"))
    url, plan = f"memory://{uuid.uuid4()}/run", plan_of(epochs=2, learning_rate=1e-3)
    system, path = fsspec.core.url_to_fs(url)

    def end(folder):
        raise InputError("the machine is taken away")

    with pytest.raises(InputError, match="taken away"):
        train(plan, url, hooks=[AfterEpoch(end)])
    assert [name.rpartition("/")[2] for name in system.find(path)] == ["state.tar"]
    # Another machine has another cache.
    monkeypatch.setenv("TINYSEG_CACHE", str(tmp_path / "other"))
    trained = train(plan, url)
    assert trained.as_dict()["weights"] == f"{url}/weights.h5"
    names = {name.removeprefix(f"{path}/") for name in system.find(path)}
    assert {"weights.h5", "plan.json", "history.csv", "split.json"} <= names
    assert not names & {"state.tar", "unfinished-upload"}
    rows = system.cat_file(f"{path}/history.csv").decode().splitlines()[1:]
    assert [row.partition(",")[0] for row in rows] == ["1", "2"]
