"""Work that operators share; each operator's own is counted in its file's test."""

import pytest
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests.tflite.ops.uses import activation, use
from tinyseg.tflite.ops.cost import Cost, activation_ops, free, per_input, per_output

FUSED = schema.ActivationFunctionType


def add(fused):
    """A broadcast first operand: 4 values become 32."""
    operands = [activation(1, 1, 1, 4), activation(1, 2, 4, 4)]
    return use("ADD", operands, activation(1, 2, 4, 4), "Add", fusedActivationFunction=fused)


def test_by_input_and_by_output():
    operator = add(FUSED.NONE)
    assert free(operator) == Cost(0, 0)
    assert per_input(3)(operator) == Cost(0, 12)
    assert per_output(3)(operator) == Cost(0, 96)


@pytest.mark.parametrize(
    ("fused", "expected"),
    [(FUSED.NONE, 0), (FUSED.RELU, 64), (FUSED.RELU6, 64), (FUSED.RELU_N1_TO_1, 64)],
)
def test_fused_activations_compare_twice(fused, expected):
    assert activation_ops(add(fused)) == expected


def test_operator_without_options_fuses_nothing():
    image = activation(1, 4)
    assert activation_ops(use("RELU", [image], image)) == 0
