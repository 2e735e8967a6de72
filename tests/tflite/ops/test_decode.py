"""TFLM_DECODE: work, memory and registration in a packed file."""

import pytest

from tests.tflite import few_values
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.ops.decode import DECODE, NAME
from tinyseg.tflite.ops.registry import cost, op_of, persistent, registration
from tinyseg.tflite.target import target_of


@pytest.fixture(scope="module")
def operators():
    model = TfliteModel.parse(few_values.whole()[1])
    return [operator for operator in model.operators if operator.opcode == NAME]


def test_it_is_known_by_its_inputs(operators):
    assert operators
    assert all(op_of(operator) is DECODE for operator in operators)
    assert DECODE.decodes
    assert DECODE.weights is None


def test_one_step_for_each_weight(operators):
    for operator in operators:
        weights = sum(tensor.elements for tensor in operator.outputs)
        assert (cost(operator).macs, cost(operator).ops) == (0, weights)


@pytest.mark.parametrize(("target", "pointer", "state"), [("host", 8, 72), ("cortex_m", 4, 36)])
def test_a_state_for_each_output(operators, target, pointer, state):
    for operator in operators:
        count = len(operator.outputs)
        assert persistent(operator, target_of(target)) == [pointer * count, *count * [state]]


def test_call(operators):
    assert registration(operators) == "AddDecode()"
