import os

import numpy as np
import pytest

from tests.benchmarks import bench, loaders
from tests.data.makers import make_brats_nifti, make_busi, make_dsb2018
from tinyseg.data import load
from tinyseg.data.store import open_store
from tinyseg.plan import PreprocessingPlan


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """An image cache of the test's own, empty as compare() asks for."""
    monkeypatch.setenv("TINYSEG_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.mark.parametrize(
    ("make", "loop", "channels", "options"),
    [
        (make_busi, loaders.opencv_loop, 1, ""),
        (make_dsb2018, loaders.opencv_loop, 3, ""),
        (make_brats_nifti, loaders.nibabel_loop, 4, ":slices=1"),
    ],
)
def test_plain_loops_give_what_the_pipeline_gives(tmp_path, make, loop, channels, options):
    """Else the comparison would be of different work."""
    make(tmp_path)
    dataset = load(f"{tmp_path}{options}")
    preprocessing = PreprocessingPlan(20, 24, channels)
    store = open_store(dataset, preprocessing)
    pairs = list(loop(dataset, preprocessing))
    images = np.stack([image for image, _ in pairs]).reshape(store.images.shape)
    masks = np.stack([mask for _, mask in pairs]).reshape(store.masks.shape)
    np.testing.assert_allclose(store.inputs(preprocessing), images, atol=1.5 / 255)
    np.testing.assert_array_equal(store.masks, masks)


def test_compare_tells_rates_and_ratio(tmp_path):
    make_busi(tmp_path)
    result = loaders.compare(load(tmp_path), PreprocessingPlan(20, 24, 1), rounds=1)
    assert result["images"] == 10
    rates = result["tinyseg_images_per_s"] / result["plain_images_per_s"]
    assert result["ratio"] == pytest.approx(rates)


def test_the_benchmark_leaves_out_datasets_that_are_not_there(tmp_path, monkeypatch, capsys):
    make_dsb2018(tmp_path / "dsb2018")
    monkeypatch.setenv("TINYSEG_DATA", str(tmp_path))
    monkeypatch.setenv("TINYSEG_CACHE", "elsewhere")
    monkeypatch.setattr(bench, "ROUNDS", 1)
    monkeypatch.setattr(loaders, "_FEWEST_STEPS", 1)
    results = bench.loaders(tmp_path)
    assert list(results) == ["dsb2018"]
    lines = capsys.readouterr().out.splitlines()
    for name, line in zip(("busi", "brats_nifti"), lines, strict=True):
        assert line.startswith(f"loaders: without {name}: ")
    # Those that run after it keep their own.
    assert os.environ["TINYSEG_CACHE"] == "elsewhere"


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(not os.environ.get("TINYSEG_DATA"), reason="TINYSEG_DATA is not set")
@pytest.mark.parametrize(
    ("name", "channels", "least"), [("busi", 1, 2), ("dsb2018", 3, 2), ("brats_nifti", 2, 2)]
)
def test_real_datasets_come_faster_than_from_a_plain_loop(name, channels, least):
    assert loaders.compare(load(name), PreprocessingPlan(256, 256, channels))["ratio"] > least
