"""The interpreters of an integer file by name, and many of them at once."""

import numpy as np
import pytest

from tests import fixtures
from tests.tflite.drafts import File
from tinyseg.errors import InputError
from tinyseg.runtime.backends import ParallelEngine, ParallelRunner, open_runner
from tinyseg.runtime.engine import library
from tinyseg.runtime.runner import TensorSpec
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.tflite import TfliteModel


@pytest.fixture(scope="module")
def model():
    return TfliteModel.parse(fixtures.quantized(), "net.tflite")


def stored(model, count):
    return TensorSpec.of(model.inputs[0]).quantize(fixtures.pictures(count, seed=5))


NAMES = {"reference": "TFLite reference kernels", "tflm": "TensorFlow Lite Micro"}


@pytest.mark.parametrize("backend", [None, "engine", "reference", "tflm"])
def test_scores_are_of_the_bytes_that_boards_give(model, backend):
    runner = open_runner(model) if backend is None else open_runner(model, backend)
    inputs = stored(model, 3)
    np.testing.assert_array_equal(
        runner.run(inputs), fixtures.reference_outputs(model.content, inputs)
    )
    assert runner.kernels == NAMES.get(backend, "tinyseg's engine")


def test_optimised_kernels_are_named_as_such(model):
    assert open_runner(model, "tflite").kernels == "TFLite optimised kernels"
    known = "engine, reference, tflm, tflite"
    with pytest.raises(InputError, match=f"'fast' is unknown; choose from {known}"):
        open_runner(model, "fast")


@pytest.mark.parametrize("backend", ["engine", "reference", "tflm", "tflite"])
def test_each_image_is_counted(model, backend):
    calls = []
    open_runner(model, backend, lambda: calls.append(None)).run(stored(model, 5))
    assert len(calls) == 5


@pytest.mark.parametrize(
    ("otherwise", "named"),
    [("reference", NAMES["reference"]), ("tflite", "TFLite optimised kernels")],
)
def test_what_the_engine_does_not_hold_runs_elsewhere_which_is_said(otherwise, named, caplog):
    caplog.set_level("INFO")
    wide = TfliteModel.parse(fixtures.quantized("static_wi8_ai16"), "wide.tflite")
    assert open_runner(wide, otherwise=otherwise).kernels == named
    (line,) = caplog.messages
    assert line.startswith("wide.tflite: operator 0 ")
    assert "it computes with int16; TensorFlow Lite's " in line
    assert "--engine" not in line
    with pytest.raises(InputError, match="it computes with int16"):
        open_runner(wide, "engine")


def test_without_a_compiler_the_reference_kernels_run(model, caplog, monkeypatch, tmp_path):
    caplog.set_level("INFO")
    monkeypatch.setenv("TINYSEG_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    library.cache_clear()
    try:
        assert open_runner(model).kernels == NAMES["reference"]
    finally:
        library.cache_clear()
    assert caplog.messages == [
        "no C++ compiler is there; install g++ (Debian's package g++); TensorFlow Lite's slow "
        "reference kernels run it instead"
    ]


def two_outputs():
    """Of one input, its positive part and its hyperbolic tangent."""
    file = File()
    source = file.tensor((1, 5, 4, 3), zero_point=-9)
    ends = ({"zero_point": -9}, {"scale": 1 / 128})
    targets = [file.tensor((1, 5, 4, 3), **end) for end in ends]
    file.operator("RELU", [source], targets[0])
    file.operator("TANH", [source], targets[1])
    return TfliteModel.parse(file.content([source], targets), "two.tflite")


def test_all_outputs_of_all_images_come_in_order():
    model = two_outputs()
    inputs = np.random.default_rng(4).integers(-128, 128, (7, 5, 4, 3)).astype(np.int8)
    engine = ParallelEngine(model)
    for number, made in enumerate(engine.run_all(inputs)):
        np.testing.assert_array_equal(made, TflmRunner(model, output=number).run(inputs))
        one = open_runner(model, output=number).run(inputs)
        np.testing.assert_array_equal(one, made)


@pytest.mark.parametrize("seconds", [0, 3600])
def test_tflm_runs_two_images_and_those_for_which_there_is_time(model, seconds):
    inputs = stored(model, 6)
    outputs = TflmRunner(model, seconds=seconds).run(inputs)
    assert len(outputs) == (2 if seconds == 0 else 6)
    np.testing.assert_array_equal(outputs, TflmRunner(model).run(inputs)[: len(outputs)])
    assert len(TflmRunner(model, seconds=0).run(inputs[:1])) == 1


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
