"""Calls that may take down their process: what they return, raise, report, and how they crash."""

import os
import signal
import time

import numpy as np
import pytest

from tinyseg.errors import InputError
from tinyseg.isolation import CrashedError, isolated


def test_results_come_back():
    made = isolated(lambda _: np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(made, [[0, 1, 2], [3, 4, 5]])


def test_what_is_raised_comes_back():
    def call(_):
        raise InputError("one line")

    with pytest.raises(InputError, match="one line"):
        isolated(call)


def test_progress_is_called_here():
    pids = []

    def call(progress):
        for _ in range(3):
            progress()
        return os.getpid()

    assert isolated(call, lambda: pids.append(os.getpid())) != os.getpid()
    assert pids == [os.getpid()] * 3


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGFPE"])
def test_crashes_are_named(name):
    def call(_):
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        os.kill(os.getpid(), getattr(signal, name))

    with pytest.raises(CrashedError, match=name):
        isolated(call)


def test_calls_without_an_end_are_ended():
    with pytest.raises(CrashedError, match="no end after"):
        isolated(lambda _: time.sleep(60), seconds=0.2)


def test_the_copy_leaves_no_trace():
    kept = []
    isolated(lambda _: kept.append(1))
    assert kept == []
