"""TensorFlow Lite Micro for many files: its processes are copies of one that is ready.

Starting Python and importing the interpreter costs more than a small file's run. What runs, and
that each file has a process of its own, stays as it is.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable

_LONGEST = 1 << 16


def prepare() -> Callable[[list[str], Callable[[], None]], tuple[int, str]]:
    """Start the process to copy; call it before TensorFlow is imported.

    Returns:
        What stands for ``tinyseg.runtime.tflm._start`` as long as this process lives.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        ours.close()
        _serve(theirs)
    theirs.close()

    def start(command: list[str], progress: Callable[[], None]) -> tuple[int, str]:
        arguments = command[2:]
        errors = f"{arguments[2]}.errors"
        ours.send("\0".join([errors, *arguments]).encode())
        code, images = map(int, ours.recv(_LONGEST).split())
        for _ in range(images):
            progress()
        with open(errors) as stream:
            return code, stream.read()

    return start


def _serve(requests: socket.socket) -> None:
    from tinyseg.runtime import tflm_worker

    while request := requests.recv(_LONGEST):
        errors, *arguments = request.decode().split("\0")
        said = f"{errors}.said"
        child = os.fork()
        if child == 0:
            _run(tflm_worker.main, arguments, said, errors)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with open(said) as stream:
            images = stream.read().split().count("image")
        requests.send(f"{code} {images}".encode())
    os._exit(0)


def _run(main: Callable[..., None], arguments: list[str], said: str, errors: str) -> None:
    status = 1
    try:
        for number, path in ((1, said), (2, errors)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        main(*arguments)
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
