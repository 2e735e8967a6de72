"""Uncommon borders and operators of a graph: TFLM's own interpreter is the yardstick."""

import numpy as np
import pytest

from tests import fixtures
from tests.tflite import drafts
from tests.tflite.drafts import File, conv, options
from tests.tflite.measured import measure
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena.memory import facts, predict_arena
from tinyseg.tflite.model import OFFLINE_PLAN


def assert_measured(content, capture):
    predicted = predict_arena(TfliteModel.parse(content))
    assert measure(content, capture) == (predicted.head, predicted.tail)
    return predicted


def test_options_of_two_bytes_are_packed_without_gaps(capfd):
    file = File()
    end = image = file.tensor((1, 3, 3, 2))
    for _ in range(9):
        size = file.constant([3, 3], "int32")
        end = file.operator(
            "RESIZE_NEAREST_NEIGHBOR", [end, size], file.tensor((1, 3, 3, 2)),
            options("ResizeNearestNeighbor"),
        )  # fmt: skip
    assert_measured(file.content([image], [end]), capfd)


def test_an_output_that_no_operator_makes_is_there_at_the_end(capfd):
    file = File()
    image, fallow = file.tensor((1, 3, 4, 8)), file.tensor((1, 30, 4, 8))
    middle = conv(file, image, 40)
    end = conv(file, middle, 3, seed=1)
    content = file.content([image], [end, fallow])
    predicted = assert_measured(content, capfd)
    (buffer,) = [b for b in predicted.buffers if b.tensor.index == fallow]
    assert (buffer.first, buffer.last) == (1, 1)


def test_an_absent_bias_and_an_input_read_by_none(capfd):
    file = File()
    image, unread = file.tensor((1, 5, 4, 8)), file.tensor((1, 9, 9, 9))
    end = conv(file, image, 6)
    file.graph.operators[0].inputs[2] = -1
    assert_measured(file.content([image, unread], [end]), capfd)


def test_outputs_stay_to_the_end(capfd):
    file = File()
    image = file.tensor((1, 5, 4, 8))
    early = conv(file, image, 6)
    end = conv(file, conv(file, early, 20, seed=1), 2, seed=2)
    predicted = assert_measured(file.content([image], [early, end]), capfd)
    (buffer,) = [b for b in predicted.buffers if b.tensor.index == early]
    assert (buffer.first, buffer.last) == (0, 2)


@pytest.mark.parametrize("placed", [False, True])
def test_a_variable_lies_in_the_tail_unless_the_file_places_it(placed):
    file = File()
    image = file.tensor((1, 5, 4, 8))
    end = conv(file, image, 6)
    state = file.tensor((1, 100))
    file.graph.tensors[state].isVariable = True
    content = file.content([image], [end])
    count = len(file.graph.tensors)
    if placed:
        model = fixtures.unpack(content)
        words = [1, 0, count, *[-1] * (count - 1), 512]
        drafts.add_metadata(model, OFFLINE_PLAN, np.array(words, "<i4").tobytes())
        content = fixtures.pack(model)
    made = predict_arena(TfliteModel.parse(content))
    found = [(b.size, b.offset) for b in made.buffers if b.tensor.index == state]
    assert found == ([(112, 512)] if placed else [])


def test_facts_of_an_operator_without_outputs():
    file = File()
    image = file.tensor((1, 5, 4, 8))
    end = conv(file, image, 6)
    file.operator("ASSIGN_VARIABLE", [image, end], end)
    file.graph.operators[1].outputs = []
    model = TfliteModel.parse(file.content([image], [end]))
    rows = facts(model, predict_arena(model))["operators"]
    assert [row["layer"] for row in rows] == [f"tensor_{end}", ""]
