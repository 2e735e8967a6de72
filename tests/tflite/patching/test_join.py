"""Strips put together again: the operators that were cut, and the same bytes."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tflite.drafts import File, assert_same, conv, options
from tests.tflite.patching.schedules import NETWORKS, random_regions, whole
from tinyseg.engine.compiled import compiled
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.graph import Graph
from tinyseg.tflite.ops.registry import total_cost
from tinyseg.tflite.patching.emit import emit
from tinyseg.tflite.patching.join import join_strips
from tinyseg.tflite.patching.schedule import Assessor
from tinyseg.tflite.patching.unroll import StripNetwork

MODELS = Path(__file__).parents[3] / "models"


def cut(model, regions):
    return emit(model, Assessor(StripNetwork(model)).assess(regions))


def joined(content):
    graph = Graph(content)
    made = join_strips(graph)
    return graph.to_bytes(), made


def work(content):
    return total_cost(TfliteModel.parse(content)).macs


def kinds(content):
    """Operators, but for padding, own or from PAD, and rows that are left out."""
    operators = TfliteModel.parse(content).operators
    return sorted(op.opcode for op in operators if op.opcode not in ("PAD", "SLICE"))


@pytest.mark.parametrize("strips", [2, 3])
@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name, strips):
    model = NETWORKS[name]()
    content = cut(model, [whole(model, strips)])
    made, names = joined(content)
    assert names == [model.outputs[0].name]
    assert kinds(made) == kinds(model.content)
    # Less where the file had computed rows that nobody reads.
    assert work(made) <= work(model.content) <= work(content)
    assert_same(content, made)
    assert [t.name for t in TfliteModel.parse(made).outputs] == [t.name for t in model.outputs]


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(NETWORKS)), st.integers(0, 2**32 - 1))
def test_any_schedule(name, seed):
    model = NETWORKS[name]()
    content = cut(model, random_regions(model, np.random.default_rng(seed)))
    made, names = joined(content)
    if names:
        assert work(made) <= work(model.content)
        assert_same(content, made, images=1)
    else:
        assert made == Graph(content).to_bytes()


def test_the_engine_computes_no_row_twice():
    model = TfliteModel.read(MODELS / "lw_unet/busi/lw_unet.tflite")
    program = compiled(model).program
    assert sum(node.macs * node.rows for node in program.nodes) < total_cost(model).macs / 1.2


def halves(kernel=(1, 1), begins=(0, 4), same_weights=True):
    """Two convolutions of parts of an image, one above the other."""
    file = File()
    source = file.tensor((1, 8, 6, 2), zero_point=3)
    parts, weights = [], None
    for begin in begins:
        half = file.tensor((1, 4, 6, 2), zero_point=3)
        places = [file.constant(values, "int32") for values in ([0, begin, 0, 0], [1, 4, 6, 2])]
        file.operator("SLICE", [source, *places], half, options("Slice"))
        part = file.tensor((1, 4, 6, 3), scale=0.1)
        conv(file, half, 3, kernel, target=part)
        made = file.graph.operators[-1]
        if weights is not None and same_weights:
            made.inputs = [made.inputs[0], *weights]
        weights = made.inputs[1:]
        parts.append(part)
    target = file.tensor((1, 8, 6, 3), scale=0.1)
    file.operator("CONCATENATION", parts, target, options("Concatenation", axis=1))
    return file.content([source], [target])


def test_halves_by_the_same_weights_are_one():
    content = halves()
    made, _ = joined(content)
    assert [op.opcode for op in TfliteModel.parse(made).operators] == ["CONV_2D"]
    assert_same(content, made)


@pytest.mark.parametrize(
    "content",
    [
        halves(same_weights=False),
        halves(begins=(0, 3)),
        halves(kernel=(3, 3)),
        halves(begins=(4, 0)),
    ],
    ids=["other weights", "rows that overlap", "zeros at the cut", "the lower one first"],
)
def test_what_is_no_strip_stays(content):
    made, names = joined(content)
    assert names == []
    assert made == Graph(content).to_bytes()
