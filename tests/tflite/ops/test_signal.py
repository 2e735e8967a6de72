"""Custom operators of TFLM: it has them, and nobody here knows more."""

import pytest

from tests import fixtures
from tests.fixtures import Draft
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.ops.registry import cost, persistent, registration, supported
from tinyseg.tflite.ops.signal import SIGNAL
from tinyseg.tflite.target import target_of


@pytest.mark.parametrize("name", [op.name for op in SIGNAL])
def test_supported_but_not_exported(name):
    draft = Draft([1, 4])
    content = fixtures.one_operator("CUSTOM", [draft], draft, custom=name)
    (operator,) = TfliteModel.parse(content).operators
    assert operator.custom
    assert supported(operator)
    # The resolver's call is not known.
    assert registration([operator]) is None
    assert cost(operator).ops == 0
    assert persistent(operator, target_of("host")) == []
