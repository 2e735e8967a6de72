"""Mistakes of a user end in one line that helps, with exit code 2 and nothing half-written."""

import json
import os
import subprocess
import sys
from typing import NamedTuple

import pytest

from tests.mistakes.place import ROOT, furnish, inside
from tests.mistakes.table import QUICK, SLOWER

# Of a processor.
SECONDS = 3


class Outcome(NamedTuple):
    """What came of the commands of a table, and what lies in the folder before and after."""

    told: dict[str, dict]
    before: list[str]
    after: list[str]


def outcome(table, tmp_path_factory, *options):
    """Give all commands of a table in one process."""
    folder = furnish(tmp_path_factory.mktemp("place") / "here")
    before = inside(folder)
    cache = str(tmp_path_factory.mktemp("cache"))
    made = subprocess.run(
        [sys.executable, "-m", "tests.mistakes.place", *options], cwd=folder, text=True,
        input=json.dumps([row.command for row in table]), capture_output=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TINYSEG_CACHE": cache},
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    told = dict(zip((row.command for row in table), json.loads(made.stdout), strict=True))
    return Outcome(told, before, inside(folder))


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """Of a process that cannot import TensorFlow."""
    return outcome(QUICK, tmp_path_factory, "quick")


@pytest.fixture(scope="module")
def slower(tmp_path_factory):
    return outcome(SLOWER, tmp_path_factory)


def assert_one_line(told, words):
    assert told["code"] == 2, told
    assert not told["out"]
    lines = told["err"].splitlines()
    assert lines[-1].startswith("tinyseg: ")
    assert sum(line.startswith("tinyseg: ") for line in lines) == 1
    for word in words:
        assert word in lines[-1]


def test_there_are_many():
    commands = {row.command for row in (*QUICK, *SLOWER)}
    assert len(commands) == len(QUICK) + len(SLOWER) >= 60


@pytest.mark.parametrize("row", QUICK, ids=lambda row: row.command)
def test_what_needs_no_network_is_said_at_once(quick, row):
    told = quick.told[row.command]
    assert_one_line(told, row.words)
    assert told["seconds"] < SECONDS


@pytest.mark.parametrize("row", SLOWER, ids=lambda row: row.command)
def test_what_needs_a_network_is_said_in_one_line(slower, row):
    assert_one_line(slower.told[row.command], row.words)


@pytest.mark.parametrize("table", ["quick", "slower"])
def test_nothing_is_left_behind(table, request):
    made = request.getfixturevalue(table)
    assert made.after == made.before
