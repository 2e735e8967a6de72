"""What a compiled file takes, and with whose kernels."""

import dataclasses

import pytest

from tests import fixtures
from tinyseg.engine import cores
from tinyseg.engine.compiled import compiled
from tinyseg.engine.compiler import integer
from tinyseg.engine.placement import DoesNotFitError
from tinyseg.engine.program import Kernel
from tinyseg.tflite import TfliteModel


@pytest.fixture(scope="module")
def model():
    content = fixtures.quantized("static_wi8_ai8", "integer", base_width=4, size=32)
    return TfliteModel.parse(content)


@pytest.fixture(scope="module")
def plain(model):
    return compiled(model)


def test_kernels_whose_scratch_does_not_fit_give_way_to_portable_ones(model, plain, monkeypatch):
    """A class's kernels are faster, but a network that fits without them is to run."""

    def hungry(_, node):
        return dataclasses.replace(node, scratch=100_000)

    monkeypatch.setitem(cores.RULES, cores.Core.DSP, {Kernel.CONVOLUTION: [hungry]})
    roomy = compiled(model, [plain.ram + 100_000], core=cores.Core.DSP)
    assert (roomy.core, roomy.placement.scratch_bytes) == (cores.Core.DSP, 100_000)
    tight = compiled(model, [plain.ram], core=cores.Core.DSP)
    assert tight.core == cores.Core.PORTABLE
    assert tight.content == compiled(model, [plain.ram]).content


def test_work_is_counted_from_computing_each_row_once(model, plain):
    less = compiled(model, max_work=1.3)
    assert (plain.work, plain.macs) == (1, plain.placement.schedule.macs)
    assert less.work == less.macs / plain.macs > 1
    assert less.ram < plain.ram
    # Where memory is scarce, no more rows are computed again than it takes.
    some = compiled(model, [plain.placement.schedule.peak - 16])
    assert 1 < some.work <= less.work


def test_what_needs_more_than_there_is_says_how_much(model):
    with pytest.raises(DoesNotFitError) as caught:
        compiled(model, [1024, 512])
    assert "1,536 are there in 2 pieces" in caught.value.needs
    assert str(caught.value).startswith(f"model: {caught.value.needs}; allow more work")


def test_the_form_that_is_compiled_is_made_once_of_the_same_bytes(model):
    content = fixtures.quantized("static_wi8_ai8", "float32", base_width=4, size=32)
    one, two, other = (TfliteModel.parse(content, path) for path in ("a", "a", "b"))
    assert integer(one) is integer(two) is not one
    assert integer(one).inputs[0].dtype == "int8"
    assert (integer(one).path, integer(other).path) == ("a", "b")
    assert integer(model) is model
