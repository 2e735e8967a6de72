"""Differences that are known of the references' rounding, and those that are not."""

import numpy as np
import pytest

from tests import fixtures, mlperf_tiny
from tests.tflite.drafts import File, options
from tinyseg.plan import PreprocessingPlan
from tinyseg.tflite import TfliteModel
from tinyseg.verification.differences import first_difference
from tinyseg.verification.verify import verify

WIDTH, RESULTS = 64, 512


def dense(first=""):
    """A fully connected operator of many results, behind another operator if one is named."""
    random, file = np.random.default_rng(0), File()
    source = values = file.tensor((1, WIDTH), scale=1 / 64)
    if first:
        values = file.operator(first, [source], file.tensor((1, WIDTH), scale=1 / 127))
    weights = file.constant(random.integers(-127, 128, (RESULTS, WIDTH)), scale=0.003)
    target = file.tensor((1, RESULTS), scale=0.02, zero_point=-10)
    made = file.operator("FULLY_CONNECTED", [values, weights], target, options("FullyConnected"))
    return TfliteModel.parse(file.content([source], [made]), "dense.tflite")


def test_a_rounding_that_is_known_to_differ_is_a_warning():
    verdict = verify(dense(), 40, PreprocessingPlan())
    assert verdict.ok
    assert not verdict.bit_exact
    assert 0 < verdict.differing_bytes < 40 * RESULTS / 100
    line = verdict.warnings[-1]
    assert line.startswith("dense.tflite: TFLM and TFLite reference kernels differ in ")
    assert "operator 0 FULLY_CONNECTED" in line
    assert line.endswith("by 1 at most (TFLite's reference kernel rounds once, TFLM twice)")


def test_an_operator_before_it_that_differs_is_a_failure():
    """TFLM takes the scale of a hyperbolic tangent for 1/128 whatever the file says."""
    verdict = verify(dense("TANH"), 4, PreprocessingPlan())
    assert not verdict.ok
    (line,) = verdict.failures
    assert "operator 0 TANH (layer 'tensor_1') is the first to differ" in line


def test_nothing_is_named_where_all_agree():
    model = TfliteModel.parse(fixtures.quantized())
    image = np.zeros(model.inputs[0].shape[1:], np.int8)
    assert first_difference(model, image) == ("", False)


@pytest.mark.parametrize("name", mlperf_tiny.NETWORKS)
def test_networks_of_mlperf_tiny_pass(name):
    model = TfliteModel.parse(mlperf_tiny.int8_file(name), f"{name}.tflite")
    verdict = verify(model, 4, PreprocessingPlan())
    assert verdict.failures == ()
    assert not verdict.unsupported_ops
