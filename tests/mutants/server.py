"""Run pytest again and again in a process that has imported what takes long.

Started in a copy of the checkout. Each line on stdin is a JSON object with ``tests`` and
``timeout`` (seconds or null); each line on stdout is the exit status of that run, 124 if it took
too long. A run is a fork, so none sees what another one imported of the copy itself.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time

_HEAVY = (
    "cv2", "h5py", "hypothesis", "matplotlib.pyplot", "nibabel", "PIL.Image", "pytest",
    "scipy.ndimage", "scipy.optimize", "tensorflow", "tf_keras", "tflite_micro",
)  # fmt: skip


def _pytest(tests: list[str]) -> int:
    import pytest

    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    options = ("-x", "-q", "-p", "no:cacheprovider", "-m", "not slow")
    return int(pytest.main([*options, *tests]))


def _run(tests: list[str], timeout: float | None) -> int:
    child = os.fork()
    if child == 0:
        os.setsid()
        status = 1
        try:
            status = _pytest(tests)
        finally:
            os._exit(status)
    end = time.monotonic() + (timeout or float("inf"))
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return 124


def main() -> None:
    """Answer until stdin ends."""
    for name in _HEAVY:
        importlib.import_module(name)
    for line in sys.stdin:
        print(_run(**json.loads(line)), flush=True)


if __name__ == "__main__":
    main()
