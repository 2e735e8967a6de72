"""What becomes of a training run that is published."""

import numpy as np
import pytest

from tinyseg import plan as plans
from tinyseg.errors import InputError
from tinyseg.steps.networks import load_trained
from tinyseg.steps.publish import publish
from tinyseg.steps.train import train
from tinyseg.tflite import TfliteModel

NAME = "unet"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    plan = plans.from_mapping(
        {
            "model": {"name": NAME, "arguments": {"base_width": 2, "depth": 1}},
            "data": {"source": "phantom:count=20,size=32"},
            # One epoch teaches little: a low threshold lets the network find something at all.
            "preprocessing": {"height": 32, "width": 32, "channels": 1, "threshold": 0.49},
            "training": {"epochs": 1},
            "quantization": {"recipe": "qat_wi8_ai8", "equalize": True},
        }
    )
    folder = tmp_path_factory.mktemp("run")
    train(plan, folder)
    return folder


@pytest.fixture(scope="module")
def target(run, tmp_path_factory):
    """Where the run was published."""
    models = tmp_path_factory.mktemp("models")
    changes = {"quantization.recipe": "static_wi8_ai8"}
    written = publish(run, models, 2, changes=changes)
    (folder,) = {path.parent for path in written}
    assert folder.relative_to(models).parts[0] == NAME
    assert {path.name for path in written} == {path.name for path in folder.iterdir()}
    return folder


def test_plan_is_the_published_one(run, target):
    plan = plans.beside(target / "weights.h5")
    assert plan.quantization.recipe == "static_wi8_ai8"
    assert plan.quantization.equalize
    assert plans.beside(run / "weights.h5").quantization.recipe == "qat_wi8_ai8"
    assert TfliteModel.read(target / f"{NAME}.tflite").operators
    assert "static_wi8_ai8" in (target / "README.md").read_text()


def test_weights_are_rounded_to_half_precision(run, target):
    stored = target / "weights.h5"
    plan = plans.beside(stored)
    ours, theirs = (
        load_trained(plan, weights).get_weights() for weights in (stored, run / "weights.h5")
    )
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b.astype(np.float16).astype(np.float32))


def test_only_the_quantization_may_change_after_training(run, tmp_path):
    with pytest.raises(InputError, match=r"training\.epochs"):
        publish(run, tmp_path, changes={"training.epochs": 3})
    assert not list(tmp_path.iterdir())


def test_unfinished_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="no finished training run"):
        publish(tmp_path, tmp_path / "models")
