"""Workers of one machine: this command once for each, until all are done."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from types import FrameType
from typing import IO, TYPE_CHECKING

from tinyseg.errors import LostWorker
from tinyseg.training.joining import find_place, join

if TYPE_CHECKING:
    from tinyseg.training.workers import Workers

# For the others to notice that one has ended, and to say so.
_GRACE_SECONDS = 120
_FORWARDED = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


def joined(count: int, folder: str) -> Workers:
    """Return this process as one of several workers; start them here if nobody else has.

    Args:
        count: of workers, 2 or more.
        folder: of the run, for messages.

    Raises:
        InputError: another number of workers was started, or TF_CONFIG is malformed.
        SystemExit: the workers were started here, and are done.
        LostWorker: the chief of those was killed.
    """
    place = find_place(count, os.environ)
    if place is None:
        raise SystemExit(start_here(count, sys.argv[1:], folder))
    return join(place)


def start_here(count: int, arguments: Sequence[str], folder: str) -> int:
    """Run a command of tinyseg in so many processes that are each other's workers.

    The first is the chief, whose output is shown. Signals go to all of them.

    Args:
        count: of workers.
        arguments: of the command.
        folder: of the run, for messages.

    Returns:
        The exit code.

    Raises:
        LostWorker: the chief was killed.
    """
    addresses = [f"127.0.0.1:{port}" for port in free_ports(count)]
    with tempfile.TemporaryFile("w+") as words:
        processes = [_start(arguments, addresses, index, words) for index in range(count)]

        def forward(number: int, frame: FrameType | None) -> None:
            for process in processes:
                if process.poll() is None:
                    process.send_signal(number)

        before = {number: signal.signal(number, forward) for number in _FORWARDED}
        try:
            codes = _wait(processes)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        words.seek(0)
        said = [line for line in words.read().splitlines() if line.startswith("tinyseg: ")]
    if codes[0] < 0:
        raise LostWorker(
            f"{folder}: the chief of the {count} workers was ended by signal {-codes[0]}; the same "
            "command goes on after the last epoch that was saved"
        )
    # A reason of its own, not that another has ended.
    if 2 in codes[1:] and codes[0] != 2:
        print(said[-1], file=sys.stderr)
        return 2
    return codes[0] or next((abs(code) for code in codes if code), 0)


def _start(
    arguments: Sequence[str], addresses: Sequence[str], index: int, words: IO[str]
) -> subprocess.Popen:
    place = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
    threads = str(max(1, (os.cpu_count() or 1) // len(addresses)))
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    environment = {name: threads for name in names} | os.environ
    environment["TF_CONFIG"] = json.dumps(place)
    return subprocess.Popen(
        [sys.executable, "-m", "tinyseg", *arguments],
        env=environment,
        stdout=subprocess.DEVNULL if index else None,
        # Python's own: what C++ libraries write to is nowhere by now.
        stderr=words if index else sys.stderr,
    )


def _wait(processes: Sequence[subprocess.Popen]) -> list[int]:
    """Return the exit codes; where one fails, the others get a while to end by themselves."""
    end = 0.0
    while any(process.poll() is None for process in processes):
        if not end and any(process.returncode for process in processes):
            end = time.monotonic() + _GRACE_SECONDS
        if end and time.monotonic() > end:
            for process in processes:
                process.kill()
        time.sleep(0.1)
    return [process.returncode for process in processes]


def free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
