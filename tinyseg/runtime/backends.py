"""The interpreters of an integer file, by the names that users give."""

from __future__ import annotations

import concurrent.futures
import os
from collections.abc import Callable

import numpy as np

from tinyseg.errors import InputError
from tinyseg.runtime.runner import Runner
from tinyseg.runtime.tflite import TfliteRunner
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.tflite import TfliteModel

BACKENDS = ("reference", "tflm", "tflite")


def open_runner(
    model: TfliteModel,
    backend: str = "reference",
    progress: Callable[[], None] = lambda: None,
    output: int = 0,
) -> Runner:
    """Load a file into an interpreter.

    Args:
        model: parsed file, already linted.
        backend: ``reference`` for TensorFlow Lite's reference kernels, whose bytes boards give;
            ``tflm`` for TensorFlow Lite Micro itself; ``tflite`` for the optimised kernels, which
            are some 25 times faster than the reference ones and differ here and there.
        progress: called after each image.
        output: which of the file's outputs is wanted.

    Raises:
        InputError: no such backend, or it refuses the file.
    """
    if backend == "reference":
        return ParallelRunner(lambda: TfliteRunner(model, progress=progress, output=output))
    if backend == "tflm":
        return TflmRunner(model, progress=progress, output=output)
    if backend == "tflite":
        return TfliteRunner(model, reference=False, progress=progress, output=output)
    raise InputError(f"backend: '{backend}' is unknown; choose from {', '.join(BACKENDS)}")


class ParallelRunner:
    """Runs images on several interpreters of one kind, each in a thread; a :class:`Runner`.

    Reference kernels use one core, and release Python's lock while they run.

    Args:
        make: loads the file into an interpreter.
        workers: interpreters at most; None for one a core.
    """

    def __init__(self, make: Callable[[], Runner], workers: int | None = None) -> None:
        self._make, self._runners = make, [make()]
        self._workers = workers or os.cpu_count() or 1
        first = self._runners[0]
        self.input, self.output, self.kernels = first.input, first.output, first.kernels

    def run(self, inputs: np.ndarray) -> np.ndarray:
        """See :meth:`tinyseg.runtime.Runner.run`; the outputs are in the images' order."""
        count = max(1, min(self._workers, len(inputs)))
        while len(self._runners) < count:
            self._runners.append(self._make())
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            parts = pool.map(
                lambda runner, part: runner.run(part),
                self._runners[:count],
                np.array_split(inputs, count),
            )
            return np.concatenate(list(parts))
