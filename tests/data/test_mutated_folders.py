"""Spoilt folders through the doors of checking, learning and predicting: no traceback.

Whatever is in a folder, ``data check`` ends with 0 or 1, or 2 where there is no dataset; what it
finds sound can be divided and learned from, and nothing else can.
"""

import re

import numpy as np
import pytest

from tests.data.mutated import mutate
from tests.fixtures import convert
from tests.in_process import tinyseg

SIZE = ("--set", "preprocessing.height=16", "--set", "preprocessing.width=16")
# Too few or too many-coloured for the network are no matter of files.
OTHER_REASONS = re.compile(r"preprocessing\.channels|too few|part .*no images|cannot be divided")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    import tf_keras as keras

    image = keras.layers.Input((16, 16, 1), batch_size=1)
    model = keras.Model(image, keras.layers.Conv2D(1, 3, padding="same")(image))
    path = tmp_path_factory.mktemp("network") / "net.tflite"
    path.write_bytes(convert(model, np.random.default_rng(0).random((4, 16, 16, 1)).astype("f4")))
    return path


def try_folder(tmp_path, seed, network):
    root = tmp_path / "set"
    root.mkdir()
    done = mutate(root, seed)
    checked = tinyseg("data", "check", root)
    assert checked.returncode in (0, 1, 2), done
    split = tinyseg("data", "split", root, "-o", tmp_path / "split.json", *SIZE)
    assert split.returncode in (0, 2), done
    if not OTHER_REASONS.search(split.stderr):
        assert (checked.returncode == 0) == (split.returncode == 0), f"{done}\n{checked}\n{split}"
    places = [root, *sorted(path for path in root.rglob("*") if path.is_dir())]
    predicted = tinyseg("predict", network, places[-1], "-o", tmp_path / "out")
    assert predicted.returncode in (0, 2), f"{done}\n{predicted}"


@pytest.mark.parametrize("seed", range(24))
def test_mutated_folder(tmp_path, seed, network):
    try_folder(tmp_path, seed, network)


@pytest.mark.slow
@pytest.mark.parametrize("hundred", range(20))
def test_two_thousand_mutated_folders(tmp_path, hundred, network):
    for seed in range(100 * hundred, 100 * hundred + 100):
        folder = tmp_path / str(seed)
        folder.mkdir()
        try_folder(folder, seed, network)
