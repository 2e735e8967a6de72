"""TensorFlow Lite Micro on the host: the interpreter that runs on the device, reference kernels."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tinyseg.errors import InputError
from tinyseg.runtime.runner import border
from tinyseg.tflite import TfliteModel

_WORKER = Path(__file__).with_name("tflm_worker.py")
# The first size holds every net of this size; only what the model asks for is ever touched.
_ARENAS = tuple(1 << bits for bits in (26, 28, 30))
_ALLOCATION = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes")
_TOO_SMALL = re.compile(r"(resize buffer|allocate \w+ memory)\. Requested: \d+, available \d+")


@dataclasses.dataclass(frozen=True)
class Arena:
    """What TFLM's recording allocator measured.

    Attributes:
        total: bytes of tensor arena used.
        head: of these, for activations and scratch (reused during inference).
        tail: of these, for data that persists.
    """

    total: int
    head: int
    tail: int


class TflmRunner:
    """Runs a file on TFLM in a subprocess.

    Args:
        model: parsed file, already linted: damaged files can make TFLM abort.
        progress: called after each image.
    """

    def __init__(self, model: TfliteModel, *, progress: Callable[[], None] = lambda: None) -> None:
        self.input, self.output = border(model)
        self._model, self._progress = model, progress
        self._arena: Arena | None = None

    @property
    def arena(self) -> Arena:
        """The tensor arena, measured by the interpreter.

        Raises:
            InputError: TFLM cannot load the model; the message quotes its reason.
        """
        if self._arena is None:
            self.run(np.empty((0, *self.input.shape[1:]), self.input.dtype))
        assert self._arena is not None  # A run measures it, or raises.
        return self._arena

    def run(self, inputs: np.ndarray) -> np.ndarray:
        """Run stored inputs ``(images, ...)`` one by one and return the stored outputs.

        Raises:
            InputError: TFLM cannot load or run the model; the message quotes its reason.
        """
        with tempfile.TemporaryDirectory(prefix="tinyseg-tflm-") as folder:
            paths = [Path(folder, name) for name in ("model.tflite", "inputs.npy", "outputs.npy")]
            paths[0].write_bytes(self._model.content)
            np.save(paths[1], inputs)
            for arena_bytes in _ARENAS:
                code, errors = self._start(arena_bytes, *paths)
                if code == 0:
                    break
                if not _TOO_SMALL.search(errors):
                    raise InputError(f"{self._model.path}: {_reason(code, errors)}")
            else:
                raise InputError(
                    f"{self._model.path}: needs a tensor arena of more than "
                    f"{_ARENAS[-1] >> 20} MiB; reduce input size or width"
                )
            sizes = {kind: int(size) for kind, size in _ALLOCATION.findall(errors)}
            self._arena = Arena(**sizes)
            return np.load(paths[2])

    def _start(self, arena_bytes: int, model: Path, inputs: Path, outputs: Path) -> tuple[int, str]:
        command = [sys.executable, _WORKER, model, str(arena_bytes), inputs, outputs]
        # stderr goes to a file: a pipe that nobody drains meanwhile could fill up and block.
        with tempfile.TemporaryFile("w+") as errors:
            with subprocess.Popen(
                [str(part) for part in command], stdout=subprocess.PIPE, stderr=errors, text=True
            ) as process:
                try:
                    for line in process.stdout or ():
                        if line.strip() == "image":
                            self._progress()
                finally:
                    if process.poll() is None and sys.exc_info()[0] is not None:
                        process.kill()
            errors.seek(0)
            return process.returncode, errors.read()


def _reason(code: int, errors: str) -> str:
    if code < 0:
        return f"TFLM crashed on it (signal {-code}); the file is damaged, convert it again"
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("[RecordingMicroAllocator]")]
    # TFLM prints its reason before Python's traceback; without one, the exception names it.
    start = next((i for i, line in enumerate(lines) if line.startswith("Traceback")), len(lines))
    said = [*lines[:start], *lines[-1:], "no reason"]
    return f"TFLM cannot run it ({said[0]})"
