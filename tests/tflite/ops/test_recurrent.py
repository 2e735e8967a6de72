"""SVDF and the LSTM: scratch and what they keep, by hand from the kernels' sources."""

import pytest

from tests.tflite.ops.uses import activation, use, weights
from tinyseg.tflite.ops.registry import persistent, registration, scratch
from tinyseg.tflite.target import target_of


def svdf(dtype="int8"):
    """Eight filters of rank 2 on two inputs."""
    inputs = [activation(2, 5, dtype=dtype), weights(8, 5, dtype=dtype)]
    return use("SVDF", inputs, activation(2, 4, dtype=dtype), "SVDF", rank=2)


def lstm(dtype="int8"):
    """Hidden states of six values; the state is the 20th input."""
    inputs = [activation(1, 3, 4, dtype=dtype), *(23 * [activation(1, 6, dtype=dtype)])]
    return use("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, activation(1, 3, 6, dtype=dtype))


def test_products_and_outputs_of_svdf():
    assert scratch(svdf(), target_of("host")) == [4 * 2 * 8, 4 * 2 * 4]
    assert scratch(svdf("float32"), target_of("host")) == [4 * 2 * 8]


@pytest.mark.parametrize(
    ("target", "kept"), [("host", [36]), ("cortex_m", [40]), ("cortex_m55", [40, 32])]
)
def test_sums_of_weights_for_vectors(target, kept):
    assert persistent(svdf(), target_of(target)) == kept


def test_gates_of_the_lstm():
    assert scratch(lstm(), target_of("host")) == 4 * [6]
    assert scratch(lstm(), target_of("cortex_m")) == 3 * [6]
    assert scratch(lstm("float32"), target_of("cortex_m")) == 4 * [24]


def test_sums_that_cmsis_nn_keeps():
    assert persistent(lstm(), target_of("cortex_m")) == [912, *8 * [24]]
    assert persistent(lstm("int16"), target_of("cortex_m")) == [912, *8 * [48]]
    assert persistent(lstm(), target_of("host")) == [688]


def test_calls():
    assert registration([svdf()]) == "AddSvdf()"
    assert registration([lstm("int16")]) == "AddUnidirectionalSequenceLSTM()"
    assert registration([svdf("int16")]) is None
