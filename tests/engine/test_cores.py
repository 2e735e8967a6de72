"""Kernels of each class of cores, on emulated boards, against TensorFlow Lite Micro."""

from functools import cache, partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.benchmarks import cost_files
from tests.engine import cases, on_core
from tests.tflite.drafts import File, conv, on_tflm, options, random_inputs
from tinyseg.engine import cost
from tinyseg.engine.compiled import compiled
from tinyseg.engine.compiler import compile_model
from tinyseg.engine.program import Kernel
from tinyseg.engine.selection import candidates, specialize
from tinyseg.tflite import TfliteModel

pytestmark = pytest.mark.arm

# One for each core: M4, M7, M33, M55.
MACHINES = ["mps2_an386", "mps2_an500", "mps2_an505", "mps3_an547"]
MANY = settings(max_examples=40)


@pytest.fixture(scope="module", params=MACHINES)
def core(request, tmp_path_factory):
    return on_core.CoreRunner(request.param, tmp_path_factory.mktemp(request.param))


def check(core, contents, **settings):
    """The core's bytes are TFLM's."""
    inputs = [random_inputs(content) for content in contents]
    requests = [
        on_core.Request(compiled(TfliteModel.parse(content), core=core.core, **settings), values)
        for content, values in zip(contents, inputs, strict=True)
    ]
    for answer, content, values in zip(core.run(requests), contents, inputs, strict=True):
        for found, expected in zip(answer.outputs, on_tflm(content, values), strict=True):
            np.testing.assert_array_equal(found, expected.reshape(found.shape))


def pixels():
    """A convolution of single pixels from one channel to eight."""
    file = File()
    source = file.tensor((1, 6, 72, 1), scale=0.1, zero_point=-3)
    return file.content([source], [conv(file, source, 8)])


def elements():
    """A sum of two tensors."""
    file = File()
    shape = (1, 6, 18, 16)
    inputs = [file.tensor(shape, scale=scale, zero_point=-3) for scale in (0.1, 0.07)]
    target = file.tensor(shape, scale=0.12, zero_point=-4)
    file.operator("ADD", inputs, target, options("Add"))
    return file.content(inputs, [target])


def first(*_):
    """A price with which the first kernel is chosen that can compute a node."""
    return 0.0


def runs(program):
    """The names of kernels, and of loops that several have or that one has several of."""
    names = {loop for index in range(len(program.nodes)) for loop in cost.loops(program, index)}
    return names | {node.kernel.name for node in program.nodes if node.kernel is not None}


@cache
def various(core):
    """Few files that run all kernels of a class of cores, and all their loops."""
    found, names = [], set()
    for content in cost_files.contents():
        more = runs(specialize(compile_model(TfliteModel.parse(content)), core, first))
        if not more <= names:
            found.append(content)
            names |= more
    return found, names


def unless(kernel, _program, node, _core):
    """A price with which a kernel is chosen wherever it can be."""
    return float(node.kernel != kernel)


@settings(max_examples=2)
@given(st.data())
def test_operators(core, data):
    """Several of each kind in one boot."""
    drawn = [data.draw(kind()) for kind in cases.KINDS.values() for _ in range(2)]
    check(core, [case.content for case in drawn])


def test_every_kernel(core):
    contents, names = various(core.core)
    room = core.core.name
    assert {kernel.name for kernel in Kernel if kernel.name.split("_")[0] == room} <= names
    assert {
        loop for loop in cost.stored()[core.core.value] if loop.split()[0] == room.lower()
    } <= names
    check(core, contents, price=first)


@pytest.mark.parametrize("make", [pixels, elements])
def test_chosen_kernel_takes_the_fewest_instructions(core, make):
    model = TfliteModel.parse(make())
    program = compile_model(model)
    (node,) = (node for node in program.nodes if node.kernel is not None)
    kernels = [made.kernel for made in candidates(program, node, core.core)]
    made = [compiled(model, core=core.core, price=partial(unless, kernel)) for kernel in kernels]
    values = random_inputs(model.content)
    requests = [on_core.Request(one, values) for one in (*made, compiled(model, core=core.core))]
    *answers, chosen = core.run(requests)
    assert chosen.instructions == min(answer.instructions for answer in answers)


@pytest.mark.slow
@pytest.mark.parametrize("kind", cases.KINDS)
@MANY
@given(st.data())
def test_many_operators(core, kind, data):
    drawn = data.draw(st.lists(cases.KINDS[kind](), min_size=12, max_size=12))
    check(core, [case.content for case in drawn])
