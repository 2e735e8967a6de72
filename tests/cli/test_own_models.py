"""Keras files on the command line: one line for what cannot be, one command for what can."""

import json

import keras as keras3
import pytest

from tests.commands import assert_bad_input, tinyseg
from tests.keras_files.models import unet

DATA = ("--data", "phantom:count=24,size=32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("own")
    unet(keras3).save(place / "mine.keras")
    layers = keras3.layers
    image = layers.Input((None, None, 1))
    x = layers.Lambda(lambda x: 2 * x, name="twice")(image)
    keras3.Model(image, layers.Conv2D(1, 1, activation="sigmoid")(x)).save(place / "code.keras")
    return place


def test_file_without_integers_names_the_command(folder):
    assert_bad_input(tinyseg("verify", "mine.keras", cwd=folder), "tinyseg quantize mine.keras")


def test_code_is_refused_and_runs_with_unsafe(folder):
    run = ("evaluate", "code.keras", "--size", 32, *DATA, "--json")
    assert_bad_input(tinyseg(*run, cwd=folder), "layer 'twice'", "--unsafe")
    done = tinyseg(*run, "--unsafe", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["images"]


def test_what_needs_an_option_is_made_by_quantize(folder):
    assert_bad_input(
        tinyseg("memory", "code.keras", "--data", "phantom:count=24,size=32", cwd=folder),
        "'tinyseg quantize code.keras --data phantom:count=24,size=32' takes that",
    )


def test_c_source_in_one_command(folder):
    done = tinyseg("export-c", "mine.keras", *DATA, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["files"]) == 3
    assert (folder / "build/c/mine/model_data.cc").is_file()
    again = tinyseg("verify", "mine.keras", "--images", 2, "--max-drop", 1, "--json", cwd=folder)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["bit_exact"]


def test_missing_file_is_no_network(folder):
    assert_bad_input(tinyseg("quantize", "absent.keras", cwd=folder), "absent.keras: no such file")
