"""TensorFlow Lite on the host: which kernels run, and what they leave readable."""

import warnings

import numpy as np
import pytest

from tests import fixtures
from tests.tflite import drafts
from tinyseg.errors import InputError
from tinyseg.runtime.tflite import TfliteRunner
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.annotate import annotate


@pytest.fixture(scope="module")
def model():
    return TfliteModel.parse(fixtures.quantized(), "model.tflite")


@pytest.fixture(scope="module")
def inputs():
    return np.random.default_rng(5).integers(-128, 128, (3, 32, 32, 3), np.int8)


def test_reference_kernels_run_unless_others_are_asked_for(model, inputs):
    expected = fixtures.reference_outputs(model.content, inputs)
    for options in ({}, {"reference": True}, {"keep_tensors": True}):
        np.testing.assert_array_equal(TfliteRunner(model, **options).run(inputs), expected)
    for options in ({}, {"keep_tensors": True}):
        fast = TfliteRunner(model, reference=False, **options).run(inputs)
        assert (fast != expected).any()


def test_every_kept_tensor_is_that_of_the_reference_kernels(model, inputs):
    runner = TfliteRunner(model, keep_tensors=True)
    runner.run(inputs)
    other = fixtures.interpreter(model.content, experimental_preserve_all_tensors=True)
    other.set_tensor(other.get_input_details()[0]["index"], inputs[-1:])
    other.invoke()
    for operator in model.operators:
        index = operator.outputs[0].index
        np.testing.assert_array_equal(runner.tensor(index), other.get_tensor(index))


def test_images_come_out_in_their_order_as_copies(model, inputs):
    runner = TfliteRunner(model)
    together = runner.run(inputs)
    for row in (2, 0, 1):
        np.testing.assert_array_equal(runner.run(inputs[row : row + 1])[0], together[row])
    assert (together[0] != together[1]).any()


def test_the_interpreter_announces_nothing(model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TfliteRunner(model)


def test_progress_comes_after_each_image(model, inputs):
    seen = []
    runner = TfliteRunner(
        model, keep_tensors=True,
        progress=lambda: seen.append(runner.tensor(model.inputs[0].index).copy()),
    )  # fmt: skip
    runner.run(inputs)
    np.testing.assert_array_equal(np.concatenate(seen), inputs)


@pytest.mark.parametrize("own", [True, False])
def test_a_softmax_that_the_reference_kernel_cannot_bear_is_named(own):
    """It checks its shift, and ends the process: also for a file of our own making."""
    draft = fixtures.Draft((1, 1, 1, 600))
    target = fixtures.Draft((1, 1, 1, 600), scale=1 / 256, zero_point=-128)
    content = fixtures.one_operator("SOFTMAX", [draft], target, drafts.options("Softmax", beta=1.0))
    if own:
        content = annotate(content, {}, "a network", "image", "classes")
    runner = TfliteRunner(TfliteModel.parse(content, "wide.tflite"))
    peaked = np.full((1, 1, 1, 600), -128, np.int8)
    peaked[..., 7] = 127
    assert runner.run(peaked).argmax() == 7
    with pytest.raises(InputError, match=r"wide\.tflite: operator 0 SOFTMAX over 600 values"):
        runner.run(np.zeros((1, 1, 1, 600), np.int8))
