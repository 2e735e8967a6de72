"""Errors a user can cause and mend; the command line turns each into one line and an exit code."""

import difflib
from collections.abc import Iterable


class TinysegError(Exception):
    """Base of all expected errors. The message names the file or layer and the cure."""

    exit_code = 2


class InputError(TinysegError):
    """A file, folder, argument or environment cannot be used as it is."""


class GateError(TinysegError):
    """The work was done, and its result misses a stated bar."""

    exit_code = 1


class LostWorker(TinysegError):
    """One of several processes that work together ended; the others cannot go on without it.

    The exit code is that of a temporary failure, EX_TEMPFAIL of sysexits.h.
    """

    exit_code = 75


def meant(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'X'?`` for a name close to a known one, else nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""
