"""BLU-Net's chain at full width: the sizes that its author counted, and the bytes of the file."""

import numpy as np
import pytest

from tinyseg.plan import Plan, PreprocessingPlan
from tinyseg.runtime.tflite import TfliteRunner
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.steps.convert import to_integers
from tinyseg.steps.report import report
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.packing import packed_bits
from tinyseg.zoo import build
from tinyseg.zoo.blocks.residual_binary_convolution import fit_gammas


@pytest.mark.slow
def test_full_chain_is_as_small_as_told():
    unet, lw_unet, blu_net = report()
    formula = [row["formula_mebibytes"] for row in (unet, lw_unet, blu_net)]
    assert np.round(formula, 5).tolist() == [118.37232, 15.00562, 1.43120]
    assert [row["parameters"] for row in (unet, lw_unet)] == [31_030_593, 3_933_633]
    assert (blu_net["binary_bits"], blu_net["float_parameters"]) == (11_780_352, 7_044)
    assert round(blu_net["formula_ratio"], 1) == 82.7
    assert blu_net["packed_bytes"] <= 1.60 * 2**20
    assert blu_net["file_ratio"] >= 74
    assert (unet["packed_bytes"], lw_unet["packed_bytes"]) == (None, None)


@pytest.mark.slow
def test_full_width_file_gives_the_bytes_of_the_unpacked_graph():
    preprocessing = PreprocessingPlan(256, 256, 1)
    network = build("blu_net", {}, preprocessing.input_shape)
    fit_gammas(network)
    images = np.random.default_rng(0).random((2, 256, 256, 1), np.float32)
    content, _ = to_integers(network, Plan(preprocessing=preprocessing), images)
    packed = TfliteModel.parse(content)
    assert set(packed_bits(packed).values()) == {3}
    tflm, reference = TflmRunner(packed), TfliteRunner(packed, reference=True)
    stored = tflm.input.quantize(images[:1])
    outputs = tflm.run(stored)
    np.testing.assert_array_equal(outputs, reference.run(stored))
    assert len(np.unique(outputs)) > 5
