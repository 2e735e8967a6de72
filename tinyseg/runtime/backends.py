"""The interpreters of an integer file, by the names that users give."""

from __future__ import annotations

import concurrent.futures
import logging
import os
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np

from tinyseg.engine.compiled import compiled_here
from tinyseg.errors import InputError
from tinyseg.runtime.engine import EngineRunner
from tinyseg.runtime.runner import Runner
from tinyseg.runtime.tflite import TfliteRunner
from tinyseg.runtime.tflm import TflmRunner
from tinyseg.tflite import TfliteModel

log = logging.getLogger(__name__)

BACKENDS = ("engine", "reference", "tflm", "tflite")

_KERNELS = {"reference": "slow reference kernels", "tflite": "optimised kernels"}

R = TypeVar("R", bound=Runner)
T = TypeVar("T")


def open_runner(
    model: TfliteModel,
    backend: str | None = None,
    progress: Callable[[], None] = lambda: None,
    output: int = 0,
    otherwise: str = "reference",
) -> Runner:
    """Load a file into an interpreter.

    Args:
        model: parsed file, already linted.
        backend: ``engine`` for our own engine, whose bytes boards give; ``reference`` for
            TensorFlow Lite's reference kernels, which give the same and take some 20 times as
            long; ``tflm`` for TensorFlow Lite Micro itself; ``tflite`` for TensorFlow Lite's
            optimised kernels, which differ here and there. None for the engine where it holds the
            file.
        progress: called after each image.
        output: which of the file's outputs is wanted.
        otherwise: backend where the engine does not hold the file, which is said in one line.

    Raises:
        InputError: no such backend, or it refuses the file.
    """
    if backend is None:
        engine = engine_or_none(model, progress, output, otherwise)
        return engine or open_runner(model, otherwise, progress, output)
    if backend == "engine":
        return ParallelEngine(model, progress, output)
    if backend == "reference":
        return ParallelRunner(lambda: TfliteRunner(model, progress=progress, output=output))
    if backend == "tflm":
        return TflmRunner(model, progress=progress, output=output)
    if backend == "tflite":
        return TfliteRunner(model, reference=False, progress=progress, output=output)
    raise InputError(f"backend: '{backend}' is unknown; choose from {', '.join(BACKENDS)}")


def engine_or_none(
    model: TfliteModel,
    progress: Callable[[], None] = lambda: None,
    output: int = 0,
    otherwise: str = "reference",
) -> ParallelEngine | None:
    """Load a file into our own engine; None, with a line that says why, where it cannot run it.

    Args:
        model, progress, output, otherwise: as of :func:`open_runner`.
    """
    try:
        return ParallelEngine(model, progress, output)
    except InputError as error:
        reason = str(error).removesuffix("; take --engine tflm")
        log.info("%s; TensorFlow Lite's %s run it instead", reason, _KERNELS[otherwise])
        return None


class ParallelRunner(Generic[R]):
    """Runs images on several interpreters of one kind, each in a thread; a :class:`Runner`.

    Each uses one core, and releases Python's lock while it runs.

    Args:
        make: loads the file into an interpreter.
        workers: interpreters at most; None for one a core.
    """

    def __init__(self, make: Callable[[], R], workers: int | None = None) -> None:
        self._make, self._runners = make, [make()]
        self._workers = workers or os.cpu_count() or 1
        first = self._runners[0]
        self.input, self.output, self.kernels = first.input, first.output, first.kernels

    def run(self, inputs: np.ndarray) -> np.ndarray:
        """See :meth:`tinyseg.runtime.Runner.run`; the outputs are in the images' order."""
        return np.concatenate(self._each(lambda runner, part: runner.run(part), inputs))

    def _each(self, run: Callable[[R, np.ndarray], T], inputs: np.ndarray) -> list[T]:
        """Return what the interpreters make of a part of the images each."""
        count = max(1, min(self._workers, len(inputs)))
        while len(self._runners) < count:
            self._runners.append(self._make())
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            parts = np.array_split(inputs, count)
            return list(pool.map(run, self._runners[:count], parts))


class ParallelEngine(ParallelRunner[EngineRunner]):
    """Runs images on our own engine, see :class:`tinyseg.runtime.engine.EngineRunner`.

    Args:
        model, progress, output: see there.

    Raises:
        InputError: the engine cannot run the file, or no C++ compiler is there.
    """

    def __init__(
        self, model: TfliteModel, progress: Callable[[], None] = lambda: None, output: int = 0
    ) -> None:
        made = compiled_here(model)
        super().__init__(lambda: EngineRunner(made, progress=progress, output=output))

    def run_all(self, inputs: np.ndarray) -> list[np.ndarray]:
        """Run stored inputs ``(images, ...)`` and return what each output stores of them."""
        parts = self._each(lambda runner, part: runner.run_all(part), inputs)
        return [np.concatenate(output) for output in zip(*parts, strict=True)]

    @property
    def first(self) -> EngineRunner:
        """One of the runners."""
        return self._runners[0]
