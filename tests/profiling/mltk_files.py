"""Files and refusals that tests of MLTK share."""

import pytest

from tests.fixtures import Draft, one_operator
from tinyseg.errors import InputError
from tinyseg.profiling import mltk
from tinyseg.tflite import TfliteModel


def single(opcode="ADD"):
    draft = Draft([1, 4])
    return TfliteModel.parse(one_operator(opcode, [draft, draft], draft), "my model.tflite")


def refusal(model):
    """The one line with which a profile is refused."""
    with pytest.raises(InputError) as error:
        mltk.profile(model)
    line = str(error.value)
    assert line.startswith(f"{model.path}: ")
    assert "\n" not in line
    assert len(line) < 500
    return line
