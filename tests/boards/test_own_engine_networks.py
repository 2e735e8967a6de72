"""Whole networks on our own engine on every emulated core: the bytes of TFLM on the host."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
import tf_keras as keras

from tests import mlperf_tiny
from tests.zoo.contract import enliven, make, pictures, plan_for, to_integers
from tests.zoo.rows import ROWS
from tinyseg.boards import firmware
from tinyseg.runtime.meaning import Head, Meaning
from tinyseg.runtime.runner import random_inputs, stored
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.tflite import TfliteModel

MACHINES = ["mps2_an386", "mps2_an500", "mps2_an505", "mps3_an547"]
PUBLISHED = sorted((Path(__file__).parents[2] / "models").glob("*/*/*.tflite"))
IMAGES = 2

pytestmark = [pytest.mark.arm, pytest.mark.slow]


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    """Firmware is built below the working directory."""
    path = tmp_path_factory.mktemp("firmware")
    with contextlib.chdir(path):
        yield path


@pytest.fixture(scope="module", params=[*mlperf_tiny.NETWORKS, *PUBLISHED, *ROWS], ids=str)
def case(request):
    """A file, stored inputs, and what TFLM on the host makes of them."""
    if isinstance(request.param, Path):
        model = TfliteModel.read(request.param)
    elif request.param in mlperf_tiny.NETWORKS:
        model = TfliteModel.parse(mlperf_tiny.int8_file(request.param), f"{request.param}.tflite")
    else:
        model = small(request.param)
    runner = TflmRunner(model)
    inputs = stored(runner.input, random_inputs(runner.input, IMAGES))
    return model, inputs, runner.run(inputs)


def small(name):
    """The first small form of a network of the zoo, in integers."""
    size, arguments = ROWS[name].variants[0]
    keras.utils.set_random_seed(0)
    plan = plan_for(name, size, **arguments)
    network = enliven(make(name, size, **arguments))
    file, _ = to_integers(network, plan, pictures(8, size), ROWS[name].recipe)
    return TfliteModel.parse(file.content, f"{name}.tflite")


@pytest.mark.parametrize("board", MACHINES)
def test_bytes_are_those_of_tflm_on_the_host(case, board):
    model, inputs, expected = case
    with firmware.booted(model, None, board, "tinyseg", Meaning(Head.NONE)) as runner:
        made = runner.run(inputs)
        info = runner.refresh()
    np.testing.assert_array_equal(made, expected)
    assert info.arena_used == info.arena_size
    assert info.stack_used < 6 << 10
