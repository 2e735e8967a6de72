"""The command line in this very process: TensorFlow is imported once for many commands."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import NamedTuple
from unittest import mock

from tinyseg import cli
from tinyseg.cli import terminal


class Result(NamedTuple):
    """What a command has left, as ``subprocess`` says it."""

    returncode: int
    stdout: str
    stderr: str


def tinyseg(*arguments: object) -> Result:
    """Run a command; an exception that would be a traceback is one here.

    C++ libraries print where the tests do: only the redirection of their file descriptor is left
    out.
    """
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        mock.patch.object(sys, "argv", ["tinyseg", *map(str, arguments)]),
        mock.patch.object(terminal, "quiet"),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code or 0
    return Result(code, out.getvalue(), err.getvalue())
