"""Which rows of a whole tensor each tensor of a cut network is."""

import pytest

from tests.tflite.drafts import File, conv
from tests.tflite.patching.schedules import NETWORKS, whole
from tests.tflite.patching.test_join import cut, halves
from tinyseg.tflite.graph import Graph
from tinyseg.tflite.ops.rows import Margin
from tinyseg.tflite.patching.views import CannotError, Views, is_join


def by_opcode(graph, opcode):
    return [operator for operator in graph.operators if operator.opcode == opcode]


def test_halves_are_rows_of_one_whole():
    graph = Graph(halves())
    views = Views(graph)
    upper, lower = (views.of(op.outputs[0]) for op in by_opcode(graph, "CONV_2D"))
    assert upper.whole is lower.whole
    assert [(view.first, view.height) for view in (upper, lower)] == [(0, 4), (4, 4)]
    assert views.order == [upper.whole]
    assert upper.whole.height == 8
    slices = [views.of(op.outputs[0]) for op in by_opcode(graph, "SLICE")]
    assert [view.first for view in slices] == [0, 4]
    assert {view.whole.tensor for view in slices} == {graph.inputs[0]}
    (join,) = (op for op in graph.operators if is_join(op))
    assert views.whole(join.outputs[0]) is graph.outputs[0]


def test_a_part_is_no_whole():
    graph = Graph(halves())
    views = Views(graph)
    with pytest.raises(CannotError):
        views.whole(by_opcode(graph, "CONV_2D")[0].outputs[0])


def test_zeros_around_are_told_apart_from_rows():
    file = File()
    source, padded = file.tensor((1, 8, 6, 2)), file.tensor((1, 9, 7, 2))
    sides = file.constant([[0, 0], [1, 0], [0, 1], [0, 0]], "int32")
    file.operator("PAD", [source, sides], padded)
    made = file.tensor((1, 9, 7, 3), scale=0.1)
    conv(file, padded, 3, (1, 1), target=made)
    graph = Graph(file.content([source], [made]))
    views = Views(graph)
    view = views.of(by_opcode(graph, "PAD")[0].outputs[0])
    assert view.margin == Margin(top=1, bottom=0, left=0, right=1)
    assert (view.first, view.height, view.whole.tensor) == (0, 8, graph.inputs[0])
    with pytest.raises(CannotError):
        views.whole(by_opcode(graph, "PAD")[0].outputs[0])


@pytest.mark.parametrize("name", NETWORKS)
def test_a_whole_is_as_high_as_what_is_computed_of_it(name):
    model = NETWORKS[name]()
    views = Views(Graph(cut(model, [whole(model, 3)])))
    for part in views.order:
        rows = set()
        for copy in part.copies:
            rows |= set(range(copy.first, copy.first + copy.operator.outputs[0].shape[1]))
        # Rows between, which nobody reads, may be missing.
        assert (min(rows), max(rows)) == (0, part.height - 1)
