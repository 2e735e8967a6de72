"""Run in a process of its own what a damaged file can end: libraries in C trust what they read."""

from __future__ import annotations

import faulthandler
import os
import pickle
import select
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
_TICK = b"."


class CrashedError(Exception):
    """The process of an :func:`isolated` call ended before the call did; the text says how."""


def isolated(
    call: Callable[[Callable[[], None]], T],
    progress: Callable[[], None] = lambda: None,
    seconds: float | None = None,
) -> T:
    """Return what a call returns, from a copy of this process that it cannot take down.

    Args:
        call: what to do; it is handed a ``progress`` of its own. Its result, or what it raises, is
            pickled. It must not wait for threads of this process, which the copy has not.
        progress: called here each time that ``call`` calls its own.
        seconds: after which the copy is ended; None to wait for ever.

    Raises:
        CrashedError: the copy crashed, or took too long.
        Exception: what ``call`` raised.
    """
    if not hasattr(os, "fork"):
        return call(progress)
    with tempfile.TemporaryDirectory(prefix="tinyseg-isolated-") as folder:
        result = Path(folder, "result")
        reader, writer = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            # Of threads that the copy lacks; the call does not wait for any.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            _work(call, result, writer)
        os.close(writer)
        if not _follow(reader, progress, seconds):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise CrashedError(f"no end after {seconds:g} s")
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            raise CrashedError(signal.Signals(os.WTERMSIG(status)).name)
        if os.WEXITSTATUS(status):
            raise CrashedError(f"exit status {os.WEXITSTATUS(status)}")
        returned, value = pickle.loads(result.read_bytes())
    if not returned:
        raise value
    return value


def _follow(reader: int, progress: Callable[[], None], seconds: float | None) -> bool:
    """Pass progress on until the copy ends; return whether it did so in time."""
    end = None if seconds is None else time.monotonic() + seconds
    with os.fdopen(reader, "rb", buffering=0) as ticks:
        while True:
            left = None if end is None else max(0.0, end - time.monotonic())
            if not select.select([ticks], [], [], left)[0]:
                return False
            if not ticks.read(1):
                return True
            progress()


def _work(call: Callable[[Callable[[], None]], object], result: Path, writer: int) -> None:
    """Do the call in the copy, which ends here, without a word of Python's if it crashes."""
    faulthandler.disable()
    status = 1
    try:
        try:
            outcome = True, call(lambda: _tick(writer))
        except Exception as error:
            outcome = False, error
        result.write_bytes(pickle.dumps(outcome))
        status = 0
    finally:
        os._exit(status)


def _tick(writer: int) -> None:
    os.write(writer, _TICK)
