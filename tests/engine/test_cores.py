"""Kernels of each class of cores, on emulated boards, against TensorFlow Lite Micro."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine import cases, on_core
from tests.tflite.drafts import on_tflm, random_inputs

pytestmark = pytest.mark.arm

# One for each core: M4, M7, M33, M55.
MACHINES = ["mps2_an386", "mps2_an500", "mps2_an505", "mps3_an547"]
MANY = settings(max_examples=40)


@pytest.fixture(scope="module", params=MACHINES)
def core(request, tmp_path_factory):
    return on_core.CoreRunner(request.param, tmp_path_factory.mktemp(request.param))


def check(core, drawn):
    """The core's bytes are TFLM's."""
    contents = [case.file.content(case.inputs, case.outputs) for case in drawn]
    inputs = [random_inputs(content) for content in contents]
    requests = [
        on_core.Request(core.compiled(content), values)
        for content, values in zip(contents, inputs, strict=True)
    ]
    for answer, content, values in zip(core.run(requests), contents, inputs, strict=True):
        for found, expected in zip(answer.outputs, on_tflm(content, values), strict=True):
            np.testing.assert_array_equal(found, expected.reshape(found.shape))


@settings(max_examples=2)
@given(st.data())
def test_operators(core, data):
    """Several of each kind in one boot."""
    check(core, [data.draw(kind()) for kind in cases.KINDS.values() for _ in range(2)])


@pytest.mark.slow
@pytest.mark.parametrize("kind", cases.KINDS)
@MANY
@given(st.data())
def test_many_operators(core, kind, data):
    check(core, data.draw(st.lists(cases.KINDS[kind](), min_size=12, max_size=12)))
