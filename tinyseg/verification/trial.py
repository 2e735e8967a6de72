"""What the engine, TFLM, TFLite's reference kernels and a board make of the same inputs."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import itertools
import math
import queue
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinyseg import progress
from tinyseg.errors import InputError
from tinyseg.runtime import Runner
from tinyseg.runtime.backends import ParallelEngine
from tinyseg.runtime.device import DeviceRunner
from tinyseg.runtime.runner import border, network_outputs, stored
from tinyseg.runtime.tflite import TfliteRunner
from tinyseg.runtime.tflm import Arena, TflmRunner
from tinyseg.tflite import TfliteModel
from tinyseg.verification.differences import (
    Origin,
    compare,
    first_difference,
    first_difference_of_engine,
)
from tinyseg.verification.on_device import OnDevice, run_on_device
from tinyseg.verification.sqnr import layer_sqnr

# TFLM and TFLite's reference kernels take seconds an image.
SECONDS = 5.0
# An emulated board takes longer than TFLM does.
_ON_DEVICE = 8


@dataclasses.dataclass(frozen=True)
class Engine:
    """Our own engine, which runs all images; TFLM and TFLite then run some of them.

    Attributes:
        runner: with the file.
        count: how many those run; None for two, and as many more as TFLM does in ``SECONDS``, of
            which TFLite, whose bytes are TFLM's, then leaves out the last one.
    """

    runner: ParallelEngine
    count: int | None = None


@dataclasses.dataclass(frozen=True)
class Others:
    """What runs beside TFLM and TFLite's reference kernels, None where it does not.

    Attributes:
        engine: our own, on all images.
        floats: the float network, on all images.
        twin: makes a float conversion of it, for the noise of each layer.
        device: a board.
    """

    engine: Engine | None = None
    floats: Runner | None = None
    twin: Callable[[], TfliteModel] | None = None
    device: DeviceRunner | None = None


class Trial:
    """Inputs that run on every interpreter that there is.

    Args:
        model: the file.
        inputs: float32 ``(n, ...)``.
        output: which of the file's outputs is read.
        order: of the inputs that TFLM and TFLite run.

    Attributes:
        outputs: real values float32 by backend, of the output that is read: ``float`` and ``int8``
            of all inputs, ``tflm`` and ``device`` of the first ones in ``order``.
        checked: rows of the inputs that ran on TFLM, and on TFLite but for the last one where
            their number is left to time.
        arena: that TFLM used, None if it did not run.
        differing: stored values in which not all interpreters agree.
        differences: lines that say how far they are apart.
        roundings: likewise, where that is all due to roundings that are known to differ.
        on_device: what a board made of them.
        sqnr: per layer, on the first of ``order``.
    """

    def __init__(
        self, model: TfliteModel, inputs: np.ndarray, output: int, order: Sequence[int]
    ) -> None:
        self._model, self._inputs, self._output, self._order = model, inputs, output, order
        self._results = [border(model, number)[1] for number in range(len(model.outputs))]
        self.outputs: dict[str, np.ndarray] = {}
        self.checked: list[int] = []
        self.sqnr: list[dict[str, Any]] = []
        self.arena: Arena | None = None
        self.differing = 0
        self.differences: list[str] = []
        self.roundings: list[str] = []
        self.on_device: OnDevice | None = None

    def run(self, runs: bool, others: Others) -> None:
        """Run the inputs; if TFLM lacks an operator (``runs``), on the float network alone."""
        if not runs:
            if others.floats is not None:
                self.outputs["float"] = network_outputs(others.floats, self._inputs)
            if others.twin is not None:
                self.sqnr = layer_sqnr(others.twin(), self._model, self._inputs[self._order[0]])
            return
        with _Interpreters(self._model, self._inputs, self._order, others.engine) as interpreters:
            if others.floats is not None:
                self.outputs["float"] = network_outputs(others.floats, self._inputs)
            on_tflite, self.sqnr = interpreters.on_tflite(others.twin)
            on_tflm, self.arena = interpreters.on_tflm()
            on_engine = interpreters.on_engine()
        self.checked = list(self._order[: len(on_tflm[0])])
        self._compare(on_tflite, on_tflm, others.engine, on_engine)
        number, real = self._output, self._results[self._output].dequantize
        whole = on_tflite if on_engine is None else on_engine
        self.outputs["int8"], self.outputs["tflm"] = real(whole[number]), real(on_tflm[number])
        if others.device is not None:
            self._run_on(others.device, others.engine, on_tflm[number])

    def _compare(
        self,
        on_tflite: list[np.ndarray],
        on_tflm: list[np.ndarray],
        engine: Engine | None,
        on_engine: list[np.ndarray] | None,
    ) -> None:
        """Count the values in which all outputs of the interpreters differ, and say where."""
        inputs = stored(border(self._model)[0], self._inputs[self.checked])
        on_both = [made[: len(on_tflite[0])] for made in on_tflm]
        apart = [np.zeros(made.shape, bool) for made in on_tflm]

        def note(
            who: str,
            outputs: list[np.ndarray],
            tflm: list[np.ndarray],
            origin: Callable[[int], Origin],
        ) -> None:
            if any(one.shape != two.shape for one, two in zip(outputs, tflm, strict=True)):
                raise InputError(
                    f"{self._model.path}: {who} give outputs of different shapes; damaged: convert "
                    "or download it again"
                )
            for differs, one, two in zip(apart, outputs, tflm, strict=True):
                differs[: len(one)] |= one != two
            if found := compare(self._results, tflm, outputs, origin):
                lines = self.roundings if found.rounding else self.differences
                lines.append(f"{self._model.path}: {who} {found.line}")

        note(
            "TFLM and TFLite reference kernels",
            on_tflite,
            on_both,
            lambda number: first_difference(self._model, inputs[number]),
        )
        if engine is not None and on_engine is not None:
            runner, outputs = engine.runner.first, [made[self.checked] for made in on_engine]
            note(
                f"TFLM and {runner.kernels}",
                outputs,
                on_tflm,
                lambda number: first_difference_of_engine(runner, inputs[number]),
            )
        self.differing = sum(int(found.sum()) for found in apart)

    def _run_on(self, device: DeviceRunner, engine: Engine | None, on_tflm: np.ndarray) -> None:
        count = len(on_tflm)
        if engine is not None and engine.count is None:
            count = min(count, _ON_DEVICE)
        inputs = self._inputs[self.checked[:count]]
        self.on_device, outputs = run_on_device(device, inputs, on_tflm[:count])
        self.outputs["device"] = self._results[self._output].dequantize(outputs)


class _Interpreters:
    """TFLM in its own process and the engine in threads, started at once; TFLite when asked.

    Args:
        model: the file.
        inputs: float32 ``(n, ...)``, all of which the engine runs.
        order: rows of them for TFLM and TFLite.
        engine: None if it does not take part.
    """

    def __init__(
        self, model: TfliteModel, inputs: np.ndarray, order: Sequence[int], engine: Engine | None
    ) -> None:
        self._model, self._engine = model, engine
        seconds = SECONDS if engine is not None and engine.count is None else math.inf
        # Images of TFLM for which TFLite runs its first one.
        self._lead = 1 if seconds == math.inf else 2
        self._tflm = TflmRunner(model, progress=self._heard, seconds=seconds)
        self._inputs = stored(self._tflm.input, inputs)
        self._chosen, self._first = self._inputs[list(order)], inputs[order[0]]
        self._total = 2 * len(order) if seconds == math.inf else None
        self._bar, self._pool = progress.bar(), concurrent.futures.ThreadPoolExecutor(2)
        # True for each further image that TFLM has done, then False.
        self._more: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._done = itertools.count(1)

    def __enter__(self) -> _Interpreters:
        self._bar.start()
        self._task = self._bar.add_task("TFLM and TFLite reference", total=self._total, note="")
        self._on_tflm = self._pool.submit(self._tflm.run_all, self._chosen)
        self._on_tflm.add_done_callback(lambda _: self._more.put(False))
        if self._engine is not None:
            self._on_engine = self._pool.submit(self._engine.runner.run_all, self._inputs)
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()
        self._pool.shutdown()

    def _heard(self) -> None:
        self._bar.advance(self._task)
        if next(self._done) > self._lead:
            self._more.put(True)

    def on_tflite(
        self, twin: Callable[[], TfliteModel] | None
    ) -> tuple[list[np.ndarray], list[dict[str, Any]]]:
        """Return TFLite's outputs of the inputs that TFLM has time for, and the noise by layer."""
        advance = functools.partial(self._bar.advance, self._task)
        host = TfliteRunner(self._model, keep_tensors=twin is not None, progress=advance)
        noise: list[dict[str, Any]] = []
        found: list[list[np.ndarray]] = []
        for number, image in enumerate(self._chosen):
            if number and not self._more.get():
                break
            found.append(host.run_all(image[None]))
            if twin is not None and number == 0:
                noise = layer_sqnr(twin(), self._model, self._first, host)
        return [np.concatenate(output) for output in zip(*found, strict=True)], noise

    def on_tflm(self) -> tuple[list[np.ndarray], Arena]:
        """Return TFLM's outputs, and its arena, which is known once it has run."""
        outputs = self._on_tflm.result()
        return outputs, self._tflm.arena

    def on_engine(self) -> list[np.ndarray] | None:
        """Return the engine's outputs of all inputs; None if it does not take part."""
        return None if self._engine is None else self._on_engine.result()
