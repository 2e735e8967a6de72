"""Small files whose tensors are placed, and what may overlap in a placed file."""

from __future__ import annotations

import itertools

import numpy as np

from tests import fixtures
from tests.tflite import drafts
from tests.tflite.drafts import on_reference, on_tflm, options, random_inputs
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.model import OFFLINE_PLAN

# Each element of their output depends on those at its place alone.
ELEMENTWISE = {"ADD", "MUL", "LOGISTIC", "RELU", "RELU6"}
SIDE = 16
# Bytes of an image of 8 channels, and of 1.
WIDE, NARROW = SIDE * SIDE * 8, SIDE * SIDE


def image(file, channels=8, **settings):
    return file.tensor((1, SIDE, SIDE, channels), **settings)


def like(file, source):
    return tuple(file.graph.tensors[source].shape)


def sigmoid(file, source):
    target = file.tensor(like(file, source), scale=1 / 256, zero_point=-128)
    return file.operator("LOGISTIC", [source], target)


def relu(file, source, opcode="RELU"):
    # RELU6 keeps the quantization of its input.
    made = file.graph.tensors[source].quantization
    scale, zero_point = made.scale[0], made.zeroPoint[0]
    target = file.tensor(like(file, source), scale=scale, zero_point=zero_point)
    return file.operator(opcode, [source], target)


def pair(file, opcode, one, other):
    shape = np.broadcast_shapes(like(file, one), like(file, other))
    target = file.tensor(shape, scale={"ADD": 0.15, "MUL": 0.4}[opcode], zero_point=5)
    return file.operator(opcode, [one, other], target, options(opcode.title()))


def pool(file, source):
    """Not elementwise, though its output has the shape of its input."""
    made = file.graph.tensors[source].quantization
    target = file.tensor(like(file, source), scale=made.scale[0], zero_point=made.zeroPoint[0])
    values = {"filterHeight": 3, "filterWidth": 3, "padding": drafts.SAME}
    return file.operator("MAX_POOL_2D", [source], target, options("Pool2D", **values))


def places(content):
    """Offsets of all tensors in a placed file, -1 without one; the header of the plan is right."""
    words = np.frombuffer(TfliteModel.parse(content).metadata[OFFLINE_PLAN], "<i4").tolist()
    count = len(fixtures.unpack(content).subgraphs[0].tensors)
    assert words[:3] == [1, 0, count]
    assert len(words) == 3 + count
    return words[3:]


def lifetimes(model):
    """First and last operator of each activation, counted from the graph alone."""
    end = len(model.operators)
    spans = {tensor.index: [-1, -1] for tensor in model.inputs}
    for operator in model.operators:
        for tensor in (*operator.inputs, *operator.outputs):
            if tensor is not None and not tensor.constant:
                spans.setdefault(tensor.index, [operator.index, 0])[1] = operator.index
    for tensor in model.outputs:
        spans[tensor.index][1] = end
    return spans


def shared(model):
    """Pairs of tensors alive together that a file's plan lets overlap, in order."""
    offsets = places(model.content)
    spans, found = lifetimes(model), []
    for one, other in itertools.permutations([model.tensors[index] for index in spans], 2):
        (a, b), (c, d) = spans[one.index], spans[other.index]
        if (a, one.index) > (c, other.index) or d < a or b < c:
            continue
        x, y = offsets[one.index], offsets[other.index]
        if x < y + other.elements and y < x + one.elements:
            assert x == y
            found.append((one, other))
    return found


def assert_sound(content):
    """Check a plan against the graph: what overlaps is what an operator may write over."""
    model = TfliteModel.parse(content)
    border = {tensor.index for tensor in model.inputs}
    spans = lifetimes(model)
    for source, target in shared(model):
        (operator,) = [op for op in model.operators if target in op.outputs]
        assert operator.opcode in ELEMENTWISE
        assert source in operator.inputs
        assert (source.shape, source.dtype) == (target.shape, target.dtype)
        assert spans[source.index][1] == operator.index
        assert source.index not in border


def assert_same_bytes(before, after, images=2, varied=True):
    """Compare with the file without places on TFLM, and on the reference, which ignores them."""
    for seed in range(images):
        inputs = random_inputs(before, seed)
        for run in (on_tflm, on_reference):
            expected = run(before, inputs)
            assert not varied or any(one.std() > 0 for one in expected)
            for one, found in zip(expected, run(after, inputs), strict=True):
                np.testing.assert_array_equal(found, one, strict=True)


def names(content):
    return [(source.name, target.name) for source, target in shared(TfliteModel.parse(content))]


def with_plan(content, offsets):
    model = TfliteModel.parse(content)
    words = [offsets.get(tensor.index, -1) for tensor in model.tensors]
    edited = fixtures.unpack(content)
    drafts.add_metadata(edited, OFFLINE_PLAN, np.array([1, 0, len(words), *words], "<i4").tobytes())
    return fixtures.pack(edited)
