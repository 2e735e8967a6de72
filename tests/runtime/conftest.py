"""What the tests of devices share."""

import contextlib
import os
import tty

import pytest


@pytest.fixture
def terminal():
    """The two ends of a pseudo-terminal: a file descriptor, and a device for others to open."""
    ours, theirs = os.openpty()
    # Otherwise the line would echo what is written before the other side opens it.
    tty.setraw(theirs)
    yield ours, os.ttyname(theirs)
    os.close(theirs)
    with contextlib.suppress(OSError):
        os.close(ours)
