"""Commands in the folder of a teacher and its student."""

import contextlib
import json
import os
from pathlib import Path
from unittest import mock

from tests import in_process

SOURCE = "phantom:count=12,size=32"


def run(*arguments, cwd):
    """Run a command in this process: importing TensorFlow takes longer than most of them do."""
    cache = str(Path(cwd) / "cache")
    with contextlib.chdir(cwd), mock.patch.dict(os.environ, TINYSEG_CACHE=cache):
        return in_process.tinyseg(*arguments)


def ok(result):
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def built(home, model, step="float"):
    return home / "build" / model / "phantom-count-12-size-32" / step
