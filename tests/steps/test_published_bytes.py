"""Published networks for phantoms, quantized again on whatever processor this is."""

from pathlib import Path

import numpy as np
import pytest

from tinyseg.steps.convert import convert
from tinyseg.steps.session import Session
from tinyseg.tflite import TfliteModel

pytestmark = pytest.mark.slow

FOLDERS = sorted((Path(__file__).parents[2] / "models").glob("*/phantom"))
# TensorFlow rounds constants of the float network as the processor likes; see docs/protocol.md.
# A scale that moves by less moves no value of a byte by more than 1/256 of its step.
NEARLY = 2**-16


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_the_file_differs_from_the_published_one_by_the_last_places_of_scales(folder, tmp_path):
    made, _ = convert(Session.open(str(folder / "weights.h5")), tmp_path)
    published = TfliteModel.read(folder / f"{folder.parent.name}.tflite")
    again = TfliteModel.read(made.path)
    assert again.opcodes == published.opcodes
    for ours, theirs in zip(again.operators, published.operators, strict=True):
        for one, two in zip(
            (*ours.inputs, *ours.outputs), (*theirs.inputs, *theirs.outputs), strict=True
        ):
            if one is None:
                assert two is None
                continue
            assert (one.name, one.shape, one.dtype) == (two.name, two.shape, two.dtype)
            np.testing.assert_allclose(one.scales, two.scales, rtol=NEARLY)
            np.testing.assert_array_equal(one.zero_points, two.zero_points)
            if one.constant and one.dtype == "int32":
                # A bias is a multiple of the scales.
                np.testing.assert_allclose(one.array(), two.array(), rtol=NEARLY, atol=1)
            elif one.constant:
                np.testing.assert_array_equal(one.array(), two.array())
