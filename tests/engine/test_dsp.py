"""Kernels for cores with the DSP extension, in plain C++ on this machine."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine import cases
from tests.tflite.drafts import on_tflm, random_inputs
from tinyseg.engine.compiled import compiled
from tinyseg.engine.cores import Core
from tinyseg.runtime.engine import HostProgram
from tinyseg.tflite import TfliteModel


def check(case):
    """The bytes of the kernels are TFLM's."""
    content = case.file.content(case.inputs, case.outputs)
    runner = HostProgram(compiled(TfliteModel.parse(content), core=Core.DSP))
    values = random_inputs(content, 0)
    for made, expected in zip(runner.run(values), on_tflm(content, values), strict=True):
        np.testing.assert_array_equal(made, expected.reshape(made.shape))


@pytest.mark.parametrize("kind", cases.KINDS)
@settings(max_examples=40)
@given(st.data())
def test_operators(kind, data):
    check(data.draw(cases.KINDS[kind]()))
