"""Damaged files: whatever is flipped, cut or copied, a one-line error or a result comes back.

Random damage of a small network's file goes through reading, linting, the memory model and
lowering in this very process: a crash of the interpreter would end the tests. The files in
``corpus/`` once broke something; add one when another does.
"""

import warnings
from pathlib import Path

import numpy as np
import pytest

from tests import fixtures
from tinyseg.errors import InputError
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena.memory import predict_arena
from tinyseg.tflite.graph import Graph
from tinyseg.tflite.lint import usable
from tinyseg.tflite.lowering import lower
from tinyseg.tflite.model import METADATA_NAME

CORPUS = Path(__file__).with_name("corpus")


@pytest.fixture(scope="module")
def content():
    graph = Graph(fixtures.quantized("static_wi8_ai8", "float32", base_width=2))
    # Without our checksum, as others' files: it would find nearly all damage at once.
    graph.metadata.pop(METADATA_NAME)
    return graph.to_bytes()


def damaged(content, seed):
    """Change a file in one to three places."""
    random = np.random.default_rng(seed)
    values = np.frombuffer(content, np.uint8).copy()
    # Most of a file is weights; its tables lie at the ends.
    edges = np.r_[0 : min(6000, len(values)), max(0, len(values) - 6000) : len(values)]
    for _ in range(random.integers(1, 4)):
        at = random.choice(edges)
        kind = random.integers(5)
        if kind == 0:
            values[at] ^= 1 << random.integers(8)
        elif kind == 1:
            values[at] = random.integers(256)
        elif kind == 2:
            values[at : at + 4] = 255
        elif kind == 3:
            values[at : at + 4] = 0
        else:
            size = int(random.integers(1, 64))
            source = int(random.choice(edges))
            size = min(size, len(values) - max(at, source))
            values[at : at + size] = values[source : source + size].copy()
    if random.random() < 0.1:
        values = values[: random.integers(len(values))]
    return values.tobytes()


def survives(content):
    """Return whether a file is usable; any other exception than InputError fails the test."""
    message = _complaint(content)
    if message is None:
        return True
    assert len(message.splitlines()) == 1
    assert message.startswith("fuzzed.tflite")
    return False


def _complaint(content):
    try:
        model = TfliteModel.parse(content, "fuzzed.tflite")
        usable(model)
        predict_arena(model)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            lower(model)
    except InputError as error:
        return str(error)
    return None


def test_undamaged_file_is_usable(content):
    assert survives(content)


@pytest.mark.parametrize("first", range(0, 400, 50))
def test_damage(content, first):
    results = [survives(damaged(content, seed)) for seed in range(first, first + 50)]
    assert not all(results)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(400, 10_400, 500))
def test_more_damage(content, first):
    for seed in range(first, first + 500):
        survives(damaged(content, seed))


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.tflite")), ids=lambda path: path.stem)
def test_files_that_broke_something(path):
    survives(path.read_bytes())
