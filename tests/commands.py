"""The command line in processes of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tinyseg.errors import InputError
from tinyseg.profiling.mltk import mltk_python


def tinyseg(*arguments, cwd, **environment):
    """Run the command line in a process of its own, as a user does."""
    return subprocess.run(
        command(*arguments), cwd=cwd, env=variables(cwd, environment), capture_output=True,
        text=True, check=False,
    )  # fmt: skip


def command(*arguments):
    return [sys.executable, "-m", "tinyseg", *map(str, arguments)]


def variables(cwd, environment):
    """The environment, with changes; None takes a variable away."""
    merged = {**os.environ, "TINYSEG_CACHE": str(Path(cwd) / "cache"), **environment}
    return {name: value for name, value in merged.items() if value is not None}


def assert_bad_input(result, *words):
    assert result.returncode == 2, result.stderr
    lines = result.stderr.strip().splitlines()
    assert "Traceback" not in result.stderr
    assert lines[-1].startswith("tinyseg: ")
    for word in words:
        assert word in lines[-1]
    assert not result.stdout


def printed(result):
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def mltk_missing():
    try:
        mltk_python()
    except InputError:
        return True
    return False
