"""The interpreters of an integer file by name, and many of them at once."""

import numpy as np
import pytest

from tests import fixtures
from tinyseg.errors import InputError
from tinyseg.runtime.backends import ParallelRunner, open_runner
from tinyseg.runtime.runner import TensorSpec
from tinyseg.tflite import TfliteModel


@pytest.fixture(scope="module")
def model():
    return TfliteModel.parse(fixtures.quantized(), "net.tflite")


def stored(model, count):
    return TensorSpec.of(model.inputs[0]).quantize(fixtures.pictures(count, seed=5))


@pytest.mark.parametrize("backend", [None, "reference", "tflm"])
def test_scores_are_of_the_bytes_that_boards_give(model, backend):
    runner = open_runner(model) if backend is None else open_runner(model, backend)
    inputs = stored(model, 3)
    np.testing.assert_array_equal(
        runner.run(inputs), fixtures.reference_outputs(model.content, inputs)
    )
    named = {"tflm": "TensorFlow Lite Micro"}.get(backend, "TFLite reference kernels")
    assert runner.kernels == named


def test_optimised_kernels_are_named_as_such(model):
    assert open_runner(model, "tflite").kernels == "TFLite optimised kernels"
    with pytest.raises(InputError, match="'fast' is unknown; choose from reference, tflm, tflite"):
        open_runner(model, "fast")


@pytest.mark.parametrize("backend", ["reference", "tflm", "tflite"])
def test_each_image_is_counted(model, backend):
    calls = []
    open_runner(model, backend, lambda: calls.append(None)).run(stored(model, 5))
    assert len(calls) == 5


class Twice:
    """Gives the double of what it gets."""

    kernels = "doubling"
    input = output = TensorSpec((1, 2), "int8")

    def run(self, inputs):
        return 2 * inputs


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
def test_images_are_divided_and_come_back_in_order(count):
    made = []

    def make():
        made.append(Twice())
        return made[-1]

    runner = ParallelRunner(make, 3)
    inputs = np.arange(2 * count, dtype=np.int8).reshape(count, 2)
    for _ in range(2):
        outputs = runner.run(inputs)
        np.testing.assert_array_equal(outputs, 2 * inputs)
        assert outputs.shape == inputs.shape
    assert len(made) == max(1, min(count, 3))
    assert (runner.kernels, runner.input) == ("doubling", Twice.input)
