"""How the stages hand things on."""

import dataclasses

import numpy as np
import pytest

from tests.data.makers import make_brats_h5
from tinyseg import data, presets
from tinyseg import plan as plans
from tinyseg.data.splits import Split
from tinyseg.errors import InputError
from tinyseg.steps.evaluate import evaluate
from tinyseg.steps.images import SPLIT, open_images
from tinyseg.steps.networks import default_plan
from tinyseg.steps.quantize import quantize
from tinyseg.steps.session import Session
from tinyseg.steps.train import train
from tinyseg.steps.verify import verify
from tinyseg.tflite import TfliteModel
from tinyseg.zoo import network


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYSEG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def plan():
    return plans.from_mapping(
        {
            "data": {"source": "phantom:count=20,size=32"},
            "preprocessing": {"height": 32, "width": 32},
        }
    )


def test_network_is_scored_on_the_division_it_was_trained_with(plan, tmp_path):
    opened, images = open_images(plan)
    names = images.store.names
    trained_with = Split(tuple(names[:4]), tuple(names[4:6]), tuple(names[6:]))
    trained_with.write(tmp_path / SPLIT)
    assert opened.data.fingerprint == images.store.fingerprint
    _, again = open_images(opened, home=tmp_path)
    assert again.split == trained_with
    # Other images than those it was trained on get a division of their own.
    other = dataclasses.replace(
        opened, data=dataclasses.replace(opened.data, source="phantom:count=20,size=32,seed=1")
    )
    assert open_images(other, home=tmp_path)[1].split == images.split
    # A division that the user names comes first.
    images.split.write(tmp_path / "mine.json")
    _, named = open_images(opened, tmp_path / "mine.json", home=tmp_path)
    assert named.split == images.split


def test_parts_do_not_overlap_and_all_is_everything(plan):
    _, images = open_images(plan)
    parts = [set(images.part(part).names) for part in ("train", "validation", "test")]
    assert sum(map(len, parts)) == len(set.union(*parts)) == len(images.part("all")) == 20


def test_final_network_learns_from_all_that_is_not_test(plan, tmp_path):
    plan = plans.override(
        plan,
        {
            "data.folds": 2,
            "data.fold": -1,
            "training.epochs": 1,
            "model.arguments": {"base_width": 2, "depth": 1},
        },
    )
    result = train(plan, tmp_path)
    assert result.validation == {}
    _, images = open_images(plan, home=tmp_path)
    assert len(images.part("train")) + len(images.part("test")) == 20
    assert evaluate(Session.open(result.weights), "test")["images"]
    with pytest.raises(InputError, match="--part"):
        evaluate(Session.open(result.weights), "validation")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("phantom", "phantom"),
        ("phantom:count=48,seed=2", "phantom-count-48-seed-2"),
        ("../shared/data/busi/Dataset_BUSI_with_GT", "dataset-busi-with-gt"),
        ("/data/My images (1)", "my-images-1"),
    ],
)
def test_folder_names(source, name):
    assert presets.slug(source) == name


def test_newest_weights_come_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = tmp_path / "models" / "some_net" / "phantom" / presets.WEIGHTS
    built = tmp_path / "build" / "some_net" / "phantom" / "float" / presets.WEIGHTS
    with pytest.raises(InputError, match="tinyseg train some_net"):
        presets.find_weights("some_net", "phantom")
    for path in (shipped, built):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
        assert presets.find_weights("some_net", "phantom").resolve() == path
    assert presets.find_weights("some_net", "busi") == shipped
    of_these = tmp_path / "models" / "some_net" / "busi" / presets.WEIGHTS
    of_these.parent.mkdir()
    of_these.write_bytes(b"")
    assert presets.find_weights("some_net", "busi") == of_these
    assert presets.find_weights("some_net", "dsb2018") == shipped


def test_network_gets_an_output_for_each_region(tmp_path):
    make_brats_h5(tmp_path / "h5")
    plan = plans.from_mapping(
        {
            "model": {"name": "classic_unet", "arguments": {"base_width": 2, "depth": 2}},
            "data": {"source": f"{tmp_path / 'h5'}:slices=1", "fractions": [0.5, 0.25, 0.25]},
            "preprocessing": {"height": 16, "width": 16, "channels": 4},
            "training": {"epochs": 1},
        }
    )
    result = train(plan, tmp_path / "run")
    assert plans.read(tmp_path / "run/plan.json").model.arguments["classes"] == 3
    assert len(result.validation["regions"]) == 3
    scores = evaluate(Session.open(result.weights), "test")
    assert scores["dice"] == pytest.approx(
        np.mean([region["dice"] for region in scores["regions"].values()])
    )


@pytest.mark.parametrize("name", ["unet", "custom_cnn", "classic_unet"])
def test_networks_have_their_reference_size_unless_told_otherwise(name):
    preprocessing = default_plan(name).preprocessing
    size = preprocessing.height, preprocessing.width, preprocessing.channels
    assert size == network(name).input_shape


def test_images_of_another_number_of_channels(tmp_path):
    make_brats_h5(tmp_path / "h5")
    plan = plans.from_mapping(
        {"data": {"source": str(tmp_path / "h5")}, "preprocessing": {"height": 16, "width": 16}}
    )
    with pytest.raises(InputError, match=r"--set preprocessing.channels=4"):
        train(plan, tmp_path / "run")


def test_file_of_an_equalized_network_is_compared_with_it(tmp_path):
    """The float twin that verify builds from the weights has the same maps, layer by layer."""
    plan = plans.from_mapping(
        {
            "model": {"name": "unet", "arguments": {"base_width": 2, "depth": 1}},
            "data": {"source": "phantom:count=20,size=32"},
            "preprocessing": {"height": 32, "width": 32, "channels": 1},
            "training": {"epochs": 1},
            "quantization": {"equalize": True},
        }
    )
    weights = train(plan, tmp_path / "float").weights
    folder = tmp_path / "int8"
    run = quantize(Session(plan, weights), folder, max_drop=1.0, profiled=False)
    report = run.as_dict()
    again = verify(Session.open(run.path, weights=weights), 4, 1.0)
    for layers in report["verification"]["sqnr"], again.sqnr:
        assert min(layer["sqnr_db"] for layer in layers) > 20


def test_a_file_is_resolved_once(tmp_path, monkeypatch):
    """However often a verb looks at plan, images and file."""
    calls = []

    def counted(holder, name):
        kept = getattr(holder, name)

        def call(*arguments, **options):
            calls.append(name)
            return kept(*arguments, **options)

        monkeypatch.setattr(holder, name, call)

    for holder, name in ((plans, "beside"), (presets, "find_tflite"), (data, "load")):
        counted(holder, name)
    counted(TfliteModel, "read")
    session = Session.open_file("attention_unet_ds_256k", "phantom:count=20,size=32")
    for _ in range(2):
        assert session.trained is not None
        assert not session.same_data
        assert session.model is session.integers
        assert session.images.part("test")
        assert session.recipe.method == "static"
    # The plan beside the file, and the one beside the weights that it was made of.
    assert sorted(calls) == ["beside", "beside", "find_tflite", "load", "read"]


def test_named_file_is_not_opened_anew(tmp_path):
    session = Session.open("attention_unet_ds_256k")
    assert session.named(str(session.path)) is session
    with pytest.raises(InputError, match="gone"):
        session.named(tmp_path / "gone.h5")
