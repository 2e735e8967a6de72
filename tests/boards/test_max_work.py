"""Less memory for more work, by the option of every verb that puts the engine on a board."""

import contextlib
import json
import re

import pytest

from tests import fixtures
from tests.in_process import tinyseg

SIZE = 32
VERBS = ["firmware", "emulate", "flash", "verify", "export-c"]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    content = fixtures.quantized("static_wi8_ai8", "integer", base_width=4, size=SIZE)
    (folder / "net.tflite").write_bytes(content)
    with contextlib.chdir(folder):
        yield folder / "net.tflite"


def value(result):
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_the_option(verb):
    help_ = tinyseg(verb, "--help").stdout
    assert re.search(r"--max-work", help_)


def test_exported_memory_shrinks(path):
    export = ["export-c", path, "--engine", "tinyseg", "--json", "-o"]
    whole = value(tinyseg(*export, "whole"))["arena_bytes"]
    less = value(tinyseg(*export, "less", "--max-work", "1.3"))["arena_bytes"]
    assert less < whole
    planned = value(tinyseg("memory", path, "--engine", "tinyseg", "--max-work", "1.3", "--json"))
    assert less == planned["ram_bytes"]


@pytest.mark.arm
def test_bytes_stay_and_memory_shrinks_on_a_board(path):
    run = ["emulate", path, "--board", "mps2_an386", "--images", 1, "--json", "--head", "none"]
    whole, less = (value(tinyseg(*run, "--max-work", work)) for work in ("1", "1.3"))
    assert whole["compared"]["equal"]
    assert less["compared"]["equal"]
    assert less["arena_used"] < whole["arena_used"]
    assert less["instructions_mean"] > whole["instructions_mean"]


def test_tflm_cannot_compute_rows_again(path):
    for verb, *more in (
        ["export-c", "--board", "mps2_an500"],
        ["firmware", "--board", "mps2_an500", "--engine", "tflm"],
    ):
        result = tinyseg(verb, path, *more, "--max-work", "1.2")
        assert result.returncode == 2
        assert result.stderr.strip() == "tinyseg: --max-work 1.2: needs --engine tinyseg"
