"""Files that TFLM takes and newer interpreters do not, in a form that computes the same."""

import numpy as np

from tests import fixtures, foreign_files
from tests.tflite.drafts import on_tflm, random_inputs
from tinyseg.runtime.tflite import TfliteRunner
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.graph import Graph
from tinyseg.tflite.host import for_host


def test_what_every_interpreter_takes_stays_itself():
    model = TfliteModel.parse(foreign_files.content_of(foreign_files.svdf))
    assert for_host(model) is model


def test_biases_of_old_converters():
    content = foreign_files.content_of(foreign_files.person_detect)
    assert any(t.axis == 3 and len(t.shape) == 1 for t in TfliteModel.parse(content).tensors)
    model = for_host(TfliteModel.parse(content, "person.tflite"))
    assert not any(t.axis and len(t.shape) == 1 for t in model.tensors)
    assert model.path == "person.tflite"
    inputs = random_inputs(content)
    np.testing.assert_array_equal(on_tflm(model.content, inputs), on_tflm(content, inputs))


def test_names_that_are_no_text():
    edited = fixtures.unpack(foreign_files.content_of(foreign_files.person_detect))
    for tensor in edited.subgraphs[0].tensors:
        tensor.name = b"image\xff"
    model = TfliteModel.parse(fixtures.pack(edited))
    inputs = random_inputs(model.content)
    (expected,) = on_tflm(model.content, inputs)
    np.testing.assert_array_equal(TfliteRunner(model).run(inputs[0]), expected)


def test_intermediates_of_an_lstm_stay_when_a_graph_is_edited():
    """They have numbers of their own, which move with those of the other tensors."""
    content = foreign_files.content_of(foreign_files.lstm)
    graph = Graph(content)
    before = [[t.name for t in operator.intermediates] for operator in graph.operators]
    assert any(before)
    graph.tensors.reverse()
    written = graph.to_bytes()
    after = [[t.name for t in operator.intermediates] for operator in Graph(written).operators]
    assert after == before
    inputs = random_inputs(content)
    np.testing.assert_array_equal(on_tflm(written, inputs), on_tflm(content, inputs))
