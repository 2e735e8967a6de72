"""TensorFlow Lite Micro in its process: the reason it gives, its arena, and no more than asked."""

import numpy as np
import pytest

from tests import fixtures
from tests.fixtures import Draft, one_operator
from tinyseg.errors import InputError
from tinyseg.runtime.tflm import Arena, TflmRunner, _reason
from tinyseg.tflite import TfliteModel

TRACE = "Traceback (most recent call last):\n  File x, line 1\n    f()\nValueError: last words\n"
MEMORY = "[RecordingMicroAllocator] Arena allocation total 9 bytes\n"


@pytest.mark.parametrize(
    ("code", "errors", "reason"),
    [
        (1, f"  first\nsecond\n{TRACE}", "TFLM cannot run it (first)"),
        (1, f"\n{MEMORY}{MEMORY}first\n{TRACE}", "TFLM cannot run it (first)"),
        (1, TRACE, "TFLM cannot run it (ValueError: last words)"),
        (2, MEMORY + TRACE, "TFLM cannot run it (ValueError: last words)"),
        (1, "first\nsecond\nthird\n", "TFLM cannot run it (first)"),
        (1, "\n", "TFLM cannot run it (no reason)"),
        (1, "", "TFLM cannot run it (no reason)"),
        (-11, TRACE, "TFLM crashed on it (signal 11); the file is damaged, convert it again"),
        (-1, "", "TFLM crashed on it (signal 1); the file is damaged, convert it again"),
    ],
)
def test_reason_is_what_tflm_said_first(code, errors, reason):
    assert _reason(code, errors) == reason


def test_reason_is_told_from_its_first_letter():
    draft = Draft((1, 4))
    model = TfliteModel.parse(one_operator("EXP", [draft], draft), "my.tflite")
    with pytest.raises(InputError) as caught:
        _ = TflmRunner(model).arena
    start = (
        "my.tflite: operator 0 EXP (layer 'tensor_1'): TFLM cannot run it "
        "(tensorflow/lite/micro/kernels/exp.cc:"
    )
    assert str(caught.value).startswith(start)


def test_arena_is_known_without_any_image_and_kept():
    draft = Draft((1, 40, 30, 2))
    model = TfliteModel.parse(one_operator("RELU", [draft], draft))
    calls = []
    runner = TflmRunner(model, progress=lambda: calls.append(None))
    arena = runner.arena
    assert calls == []
    # Input and output, each rounded up to 16 bytes.
    assert arena.head == 2 * 2400
    assert arena == Arena(arena.head + arena.tail, arena.head, arena.tail)
    assert runner.arena is arena
    outputs = runner.run(np.full((2, 40, 30, 2), -3, np.int8))
    assert (len(calls), outputs.shape, outputs.any()) == (2, (2, 40, 30, 2), False)
    assert runner.arena == arena


def test_each_run_is_of_the_images_that_it_was_given():
    inputs = np.random.default_rng(5).integers(-128, 128, (3, 32, 32, 3), np.int8)
    runner = TflmRunner(TfliteModel.parse(fixtures.quantized()))
    together = runner.run(inputs)
    np.testing.assert_array_equal(runner.run(inputs[2:])[0], together[2])
    assert (together[0] != together[1]).any()
