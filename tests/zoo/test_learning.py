"""Every network for masks learns phantoms, at a reduced width, and no rule finds fault with it."""

import json
import os

import pytest

from tests.zoo.rows import ROWS
from tinyseg import plan as plans
from tinyseg.steps.evaluate import evaluate
from tinyseg.steps.session import Session
from tinyseg.steps.train import train, watching
from tinyseg.zoo import network

NAMES = [
    name for name, row in ROWS.items() if network(name).task == "segmentation" and not row.like
]
SIDE = 64


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_learns_phantoms(name, tmp_path):
    epochs, arguments = ROWS[name].learns
    os.environ["TINYSEG_CACHE"] = str(tmp_path / "cache")
    plan = plans.from_mapping(
        {
            "model": {"name": name, "arguments": dict(arguments)},
            "data": {"source": f"phantom:count=360,size={SIDE}"},
            "preprocessing": {"height": SIDE, "width": SIDE, "channels": 1},
            "training": {"epochs": epochs, "patience": epochs, "learning_rate": 2e-3},
        }
    )
    trained = train(plan, tmp_path / "run", hooks=[watching("calm")])
    assert evaluate(Session.open(trained.weights))["dice"] >= 0.8
    assert not json.loads((tmp_path / "run" / "rules.json").read_text())["found"]
