"""TensorFlow Lite Micro on the host: the interpreter that runs on the device, reference kernels."""

from __future__ import annotations

import dataclasses
import math
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinyseg.errors import InputError
from tinyseg.runtime.runner import border
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.lint import operator_name

_WORKER = Path(__file__).with_name("tflm_worker.py")
# The first size holds every net of this size; only what the model asks for is ever touched.
_ARENAS = tuple(1 << bits for bits in (26, 28, 30))
_ALLOCATION = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes")
_NODE = re.compile(r"Node \S+ \(number (\d+)f?\) failed")
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
        output: which of the outputs :meth:`run` returns.
        seconds: to run images in after the first one; two run in any case, and those for which no
            time is left do not, so that there are fewer outputs than inputs.
    """

    kernels = "TensorFlow Lite Micro"

    def __init__(
        self,
        model: TfliteModel,
        *,
        progress: Callable[[], None] = lambda: None,
        output: int = 0,
        seconds: float = math.inf,
    ) -> None:
        self.input, self.output = border(model, output)
        self._model, self._progress, self._output = model, progress, output
        self._seconds = seconds
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
            InputError: as of :meth:`run_all`.
        """
        return self.run_all(inputs)[self._output]

    def run_all(self, inputs: np.ndarray) -> list[np.ndarray]:
        """Run stored inputs ``(images, ...)`` and return what each output stores of them.

        Raises:
            InputError: TFLM cannot load or run the model; the message names the operator and
                quotes TFLM's reason.
        """
        self._arena, outputs = _run(self._model, inputs, self._progress, seconds=self._seconds)
        return outputs

    def tensors(self, image: np.ndarray) -> dict[int, np.ndarray]:
        """Return what all operators make of one stored input, by the index of the tensor.

        Raises:
            InputError: as of :meth:`run`.
        """
        indices = [tensor.index for op in self._model.operators for tensor in op.outputs]
        return _run(self._model, image[None], keep=indices)[1]


def measured(model: TfliteModel) -> Arena:
    """Load a file of any inputs and outputs on TFLM, and return the arena that it takes.

    Raises:
        InputError: as of :meth:`TflmRunner.run`.
    """
    arena, _ = _run(model, np.empty(0))
    assert arena is not None  # Only where tensors are kept there is none.
    return arena


def _run(
    model: TfliteModel,
    inputs: np.ndarray,
    progress: Callable[[], None] = lambda: None,
    keep: Sequence[int] = (),
    seconds: float = math.inf,
) -> tuple[Arena | None, Any]:
    """Run a file in a process of its own.

    Returns:
        The arena, and the outputs; with ``keep`` the tensors of these indices for one input, and
        no arena, for every tensor has a place of its own.
    """
    with tempfile.TemporaryDirectory(prefix="tinyseg-tflm-") as folder:
        paths = [Path(folder, name) for name in ("model.tflite", "inputs.npy", "outputs.npz")]
        paths[0].write_bytes(model.content)
        np.save(paths[1], inputs)
        for arena_bytes in _ARENAS:
            command = [sys.executable, _WORKER, paths[0], arena_bytes, *paths[1:]]
            command += [len(model.outputs), seconds, *keep]
            code, errors = _start([str(part) for part in command], progress)
            if code == 0:
                break
            if not _TOO_SMALL.search(errors):
                raise InputError(f"{model.path}: {_where(model, errors)}{_reason(code, errors)}")
        else:
            raise InputError(
                f"{model.path}: needs a tensor arena of more than "
                f"{_ARENAS[-1] >> 20} MiB; reduce input size or width"
            )
        with np.load(paths[2]) as kept:
            if keep:
                return None, {int(name): values for name, values in kept.items()}
            sizes = {kind: int(size) for kind, size in _ALLOCATION.findall(errors)}
            return Arena(**sizes), list(kept.values())


def _start(command: list[str], progress: Callable[[], None]) -> tuple[int, str]:
    # stderr goes to a file: a pipe that nobody drains meanwhile could fill up and block.
    with tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
            try:
                for line in process.stdout or ():
                    if line.strip() == "image":
                        progress()
            finally:
                if process.poll() is None and sys.exc_info()[0] is not None:
                    process.kill()
        errors.seek(0)
        return process.returncode, errors.read()


def _where(model: TfliteModel, errors: str) -> str:
    """Return the operator that TFLM stopped at, in words, empty if it names none."""
    found = _NODE.search(errors)
    if found is None or not int(found[1]) < len(model.operators):
        return ""
    return f"{operator_name(model.operators[int(found[1])])}: "


def _reason(code: int, errors: str) -> str:
    if code < 0:
        return f"TFLM crashed on it (signal {-code}); the file is damaged, convert it again"
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("[RecordingMicroAllocator]")]
    # TFLM prints its reason before Python's traceback; without one, the exception names it.
    start = next((i for i, line in enumerate(lines) if line.startswith("Traceback")), len(lines))
    said = [*lines[:start], *lines[-1:], "no reason"]
    return f"TFLM cannot run it ({said[0]})"
