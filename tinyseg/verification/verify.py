"""Check a quantized file on real images: operators, memory, bytes, accuracy."""

from __future__ import annotations

import concurrent.futures
import dataclasses
from typing import Any

import numpy as np

from tinyseg import progress
from tinyseg.data.store import ImageStore
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan
from tinyseg.runtime import Runner
from tinyseg.runtime.device import DeviceRunner
from tinyseg.runtime.runner import border, predict
from tinyseg.runtime.tflite import TfliteRunner
from tinyseg.runtime.tflm import Arena, TflmRunner
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.lint import usable
from tinyseg.tflite.ops.registry import supported
from tinyseg.training.scoring import SCORES, allowed_drop, lesions, score_outputs
from tinyseg.verification.on_device import OnDevice, run_on_device
from tinyseg.verification.sqnr import layer_sqnr

MAX_DROP = 0.01


@dataclasses.dataclass(frozen=True)
class Verification:
    """The verdict on a file.

    Attributes:
        failures: one line for each missed bar; none means that the file passed.
        arena: tensor arena that TFLM used, None if it cannot run the file.
        bit_exact: whether TFLM's output bytes equal those of TFLite's reference kernels.
        differing_bytes: output elements that differ.
        unsupported_ops: operators that TFLM lacks.
        warnings: what to know beside the failures.
        task: ``segmentation`` or ``classification``.
        scores: by backend (``float``, ``int8``, ``tflm``, with a board also ``device``) as of
            :func:`tinyseg.training.scoring.score_outputs`; None where it did not run.
        sqnr: per layer, empty without the float network.
        images: names of the images used.
        device: what a board made of them; None if none took part.
    """

    failures: tuple[str, ...]
    arena: Arena | None
    bit_exact: bool
    differing_bytes: int
    unsupported_ops: tuple[str, ...]
    warnings: tuple[str, ...]
    task: str
    scores: dict[str, dict | None]
    sqnr: tuple[dict[str, Any], ...]
    images: tuple[str, ...]
    device: OnDevice | None = None

    @property
    def ok(self) -> bool:
        """Whether all bars were met."""
        return not self.failures

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""

        def pick(name: str) -> dict[str, float | None]:
            return {key: scores and scores[name] for key, scores in self.scores.items()}

        return {
            "ok": self.ok,
            "arena_bytes": self.arena and self.arena.total,
            "bit_exact": self.bit_exact,
            "unsupported_ops": list(self.unsupported_ops),
            **{score.key: pick(score.key) for score in SCORES[self.task]},
            "failures": list(self.failures),
            "warnings": list(self.warnings),
            "arena": self.arena and dataclasses.asdict(self.arena),
            "differing_bytes": self.differing_bytes,
            "sqnr": list(self.sqnr),
            "images": list(self.images),
            "device": self.device and dataclasses.asdict(self.device),
        }


def verify(
    model: TfliteModel,
    images: ImageStore,
    preprocessing: PreprocessingPlan,
    *,
    float_runner: Runner | None = None,
    float_twin: TfliteModel | None = None,
    device: DeviceRunner | None = None,
    max_drop: float = MAX_DROP,
) -> Verification:
    """Run a file on TFLM, on TFLite's reference kernels, and on the float network and a board.

    Args:
        model: quantized file.
        images: at least one; the same for all backends.
        preprocessing: normalisation and threshold.
        float_runner: the float network, for its scores.
        float_twin: float conversion of the network, for the SQNR of each layer.
        device: a board with the file in its firmware.
        max_drop: the most by which mean Dice over images with a lesion, or accuracy, on TFLM may
            lie below the float network's.

    Raises:
        InputError: the file is damaged, or its input does not fit the images.
    """
    findings = usable(model)
    unsupported = [f for f in findings if f.severity == "unsupported"]
    failures = [f"{model.path}: {finding}" for finding in unsupported]
    inputs = images.inputs(preprocessing)
    _check_shape(model, inputs, images.targets)
    specification = border(model)[1]

    def score(outputs: np.ndarray) -> dict:
        return score_outputs(images, outputs, preprocessing.threshold)

    scores: dict[str, dict | None] = {"float": None, "int8": None, "tflm": None}
    arena, bit_exact, differing, sqnr = None, False, 0, []
    with _Interpreters(model, inputs, start=not unsupported) as interpreters:
        if float_runner is not None:
            scores["float"] = score(predict(float_runner, inputs))
        if float_twin is not None:
            sqnr = layer_sqnr(float_twin, model, inputs[0])
        if not unsupported:
            outputs, tflm_outputs, arena = interpreters.results()
            host, tflm = map(specification.dequantize, (outputs, tflm_outputs))
            scores["int8"], scores["tflm"] = score(host), score(tflm)
            differing = int((outputs != tflm_outputs).sum())
            bit_exact = differing == 0
    on_device = None
    if device is not None and not unsupported:
        on_device, device_outputs = run_on_device(device, inputs, tflm_outputs)
        scores["device"] = score(specification.dequantize(device_outputs))
        failures += [f"{model.path}: {line}" for line in on_device.failures()]
    warnings = [str(f) for f in findings if f.severity == "warning"]
    if differing:
        message = (
            f"{model.path}: TFLM and TFLite reference kernels differ in {differing} of "
            f"{outputs.size} output values, by {np.abs(host - tflm).max():.2g} at most"
        )
        # TFLM rounds a product of int16 values once, TFLite twice: nobody can make their last
        # places agree. For int8 there is no such excuse.
        wide = any(t.dtype == "int16" for op in model.operators for t in op.outputs)
        (warnings if wide else failures).append(message)
    if scores["float"] and scores["tflm"]:
        failures += drop_failures(model.path, images, scores["float"], scores["tflm"], max_drop)
    return Verification(
        tuple(failures),
        arena,
        bit_exact,
        differing,
        tuple(sorted({op.opcode for op in model.operators if not supported(op)})),
        tuple(warnings),
        images.task,
        scores,
        tuple(sqnr),
        tuple(images.names),
        on_device,
    )


def drop_failures(
    path: str, images: ImageStore, before: dict, after: dict, max_drop: float
) -> list[str]:
    """Return the line that tells of too large a loss of the first score, and the cure.

    Of masks that is Dice over the images with a lesion: an image without one counts 0 or 1, and
    one of them more or less would decide.
    """
    key, title = SCORES[images.task][0]
    drop = lesions(before)[key] - lesions(after)[key]
    allowed = allowed_drop(images.task, max_drop, len(images))
    if drop <= allowed:
        return []
    return [
        f"{path}: {title} falls by {drop:.4f}, allowed are {allowed:.4f}; use "
        "--set quantization.equalize=true, more calibration images or recipe static_wi8_ai16"
    ]


class _Interpreters:
    """TFLM, started at once in its own process, and TFLite's reference kernels, run when asked.

    Both take seconds an image; TFLM keeps one core busy while this process does other work.
    """

    def __init__(self, model: TfliteModel, inputs: np.ndarray, start: bool) -> None:
        self._model, self._inputs, self._start = model, inputs, start
        self._bar = progress.bar()
        self._pool = concurrent.futures.ThreadPoolExecutor(1)

    def __enter__(self) -> _Interpreters:
        if self._start:
            self._bar.start()
            total = 2 * len(self._inputs)
            task = self._bar.add_task("TFLM and TFLite reference", total=total, note="")
            self._advance = lambda: self._bar.advance(task)
            self._tflm = TflmRunner(self._model, progress=self._advance)
            stored = self._tflm.input.quantize(self._inputs)
            self._tflm_outputs = self._pool.submit(self._tflm.run, stored)
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()
        self._pool.shutdown()

    def results(self) -> tuple[np.ndarray, np.ndarray, Arena]:
        """Return the outputs of TFLite and of TFLM, and TFLM's arena."""
        host = TfliteRunner(self._model, reference=True, progress=self._advance)
        outputs = host.run(host.input.quantize(self._inputs))
        # In this order: the arena is known once TFLM has run.
        tflm_outputs = self._tflm_outputs.result()
        return outputs, tflm_outputs, self._tflm.arena


def _check_shape(model: TfliteModel, inputs: np.ndarray, targets: np.ndarray) -> None:
    specification, output = border(model)
    if specification.shape[1:] != inputs.shape[1:]:
        raise InputError(
            f"{model.path}: takes {specification.shape[1:]} but the images are {inputs.shape[1:]}"
        )
    if output.shape[1:] != targets.shape[1:]:
        kind = "a mask" if targets.ndim == 4 else "classes"
        raise InputError(
            f"{model.path}: output {output.shape[1:]} is not {kind}, those are {targets.shape[1:]}"
        )
