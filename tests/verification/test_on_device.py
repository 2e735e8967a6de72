"""The verdict on a board: bytes, repetition, counts and memory, each with a fault of its own."""

import dataclasses

import numpy as np
import pytest

from tests import fixtures
from tests.fixtures import Draft, one_operator
from tests.verification.host_board import on
from tinyseg.tflite import TfliteModel
from tinyseg.verification.on_device import run_on_device


@pytest.fixture(scope="module")
def model():
    """The simplest network: what goes in comes out where it is positive."""
    draft = Draft((1, 4, 4, 3), scale=0.25, zero_point=-7)
    return TfliteModel.parse(one_operator("RELU", [draft], draft), "relu.tflite")


@pytest.fixture(scope="module")
def inputs():
    return np.random.default_rng(3).uniform(-20, 20, (2, 4, 4, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def expected(inputs):
    """By hand: a stored value below the zero point of -7 becomes that."""
    stored = np.trunc(inputs / 0.25 + np.copysign(0.5, inputs)) - 7
    return np.clip(stored, -7, 127).astype(np.int8)


def test_board_that_agrees(model, inputs, expected):
    runner = on(model)
    verdict, outputs = run_on_device(runner, inputs, expected)
    np.testing.assert_array_equal(outputs, expected)
    assert dataclasses.asdict(verdict) == {
        "board": "host_board",
        "bit_exact": True,
        "differing_bytes": 0,
        "repeatable": True,
        "unit": "instructions",
        # Two instructions a tick; the repetition of the first image is not among them.
        "work": (1000, 1002),
        "operator_work": (40, 42),
        # As they are after the third inference, not as they were when the board started.
        "arena_used": 3030,
        "arena_size": 4000,
        "stack_used": 730,
        "stack_size": 800,
    }
    assert verdict.failures() == []
    assert runner.work == [1000, 1002, 1000]


@pytest.mark.parametrize(
    ("flips", "count", "repeatable"),
    [
        ({0: [5]}, 1, False),  # What came out once does not come out again.
        ({0: [5], 2: [5]}, 1, True),
        ({1: [0, 47]}, 2, True),
        ({0: [1], 1: [2, 3], 2: [1]}, 3, True),
        ({2: [9]}, 0, False),
    ],
)
def test_each_wrong_byte_is_counted(model, inputs, expected, flips, count, repeatable):
    verdict, outputs = run_on_device(on(model, flips=flips), inputs, expected)
    assert verdict.differing_bytes == (outputs != expected).sum() == count
    assert verdict.bit_exact is (count == 0)
    assert verdict.repeatable is repeatable
    lines = verdict.failures()
    assert len(lines) == (count > 0) + (not repeatable)
    if count:
        told = f"host_board and TFLM on the host differ in {count} output values"
        assert lines[0].startswith(told)
    if not repeatable:
        assert lines[-1] == "host_board: the same image gave other bytes or another count"


@pytest.mark.parametrize("ticks", [(500, 501, 502), (500, 501, 499), (500, 499, 501)])
def test_count_that_does_not_repeat_fails_on_an_emulated_board_alone(
    model, inputs, expected, ticks
):
    """Cycles of a real board vary with its memories' refresh."""
    emulated, _ = run_on_device(on(model, ticks=ticks), inputs, expected)
    assert (emulated.repeatable, emulated.bit_exact) == (False, True)
    assert len(emulated.failures()) == 1
    real, _ = run_on_device(on(model, emulated=False, ticks=ticks), inputs, expected)
    assert (real.unit, real.work) == ("cycles", ticks[:2])
    assert real.repeatable
    assert real.failures() == []


def test_bytes_that_do_not_repeat_fail_on_a_real_board_too(model, inputs, expected):
    real, _ = run_on_device(on(model, emulated=False, flips={2: [0]}), inputs, expected)
    assert not real.repeatable
    assert len(real.failures()) == 1


def test_one_image(model, inputs, expected):
    verdict, outputs = run_on_device(on(model, ticks=(7, 7)), inputs[:1], expected[:1])
    assert (verdict.work, verdict.repeatable) == ((14,), True)
    np.testing.assert_array_equal(outputs, fixtures.reference_outputs(model.content, expected[:1]))
