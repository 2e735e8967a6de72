"""What tests of the commands of boards share."""

import json
import os
import socket
import subprocess
import sys

from tests import fixtures

SIZE = fixtures.SIZE


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
    merged = {**os.environ, "TINYSEG_CACHE": str(cwd / "cache"), **environment}
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


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
