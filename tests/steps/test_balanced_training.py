"""Labels are shown equally often wherever a plan asks for it, whoever trains."""

import dataclasses
from unittest import mock

import pytest

from tinyseg import plan as plans
from tinyseg.data.pipeline import training_batches
from tinyseg.plan import TrainingPlan
from tinyseg.steps.binarize import binarize
from tinyseg.steps.distill import distill
from tinyseg.steps.networks import successor
from tinyseg.steps.session import Session
from tinyseg.steps.train import train
from tinyseg.training import epochs
from tinyseg.training.loop import rows_to_learn

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def plan():
    return plans.from_mapping(
        {
            "model": {"name": "unet", "arguments": {"base_width": 2, "depth": 1}},
            "data": {"source": "phantom:count=20,size=32"},
            "preprocessing": {"height": 16, "width": 16, "channels": 1},
            "training": {"epochs": 1, "balance": True},
        }
    )


@pytest.fixture(scope="module")
def trained(plan, tmp_path_factory):
    """A network that was trained on images that are shown as often as they are there."""
    plain = dataclasses.replace(plan, training=TrainingPlan(epochs=1))
    return Session.open(train(plain, tmp_path_factory.mktemp("trained")).weights)


@pytest.fixture
def shown():
    """The labels of the rows of each training."""
    labels = []

    def note(store, *arguments, **options):
        labels.append(store.labels)
        return training_batches(store, *arguments, **options)

    with mock.patch.object(epochs, "training_batches", note):
        yield labels


def alike(labels):
    return len({labels.count(label) for label in set(labels)}) == 1 < len(set(labels))


def test_balanced_training_shows_all_labels_alike(plan):
    part = Session(plan).images.part("train")
    balanced = rows_to_learn(part, plan.training)
    labels = balanced.labels
    assert len({labels.count(label) for label in set(labels)}) == 1
    assert set(balanced.names) == set(part.names)
    assert rows_to_learn(part, TrainingPlan()).names == part.names


def test_train(plan, shown, tmp_path):
    train(plan, tmp_path / "balanced")
    plain = dataclasses.replace(plan, training=TrainingPlan(epochs=1))
    train(plain, tmp_path / "plain")
    assert [alike(labels) for labels in shown] == [True, False]


def test_distill_in_each_phase(trained, shown, tmp_path):
    changes = {
        "training.balance": True,
        "distillation.method": "hints_and_soft_masks",
        "distillation.teacher": str(trained.path),
        "distillation.encoder_epochs": 1,
        "distillation.decoder_epochs": 1,
    }
    distill(successor(trained.plan, "unet", changes), trained, tmp_path)
    assert [alike(labels) for labels in shown] == [True] * 3


def test_binarize(trained, shown, tmp_path):
    changes = {
        "training.balance": True,
        "model.arguments.separable": False,
        "binarization.source": str(trained.path),
    }
    binarize(successor(trained.plan, "blu_net", changes), trained, tmp_path)
    assert [alike(labels) for labels in shown] == [True]
