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
from tinyseg.runtime.runner import TensorSpec, border, predict
from tinyseg.runtime.tflite import TfliteRunner
from tinyseg.runtime.tflm import Arena, TflmRunner
from tinyseg.scoring.scores import SCORES, allowed_drop, lesions, score_outputs
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.lint import usable
from tinyseg.tflite.ops.registry import supported
from tinyseg.verification.gates import Gate, Missed
from tinyseg.verification.on_device import OnDevice, run_on_device
from tinyseg.verification.sqnr import layer_sqnr

MAX_DROP = 0.01


@dataclasses.dataclass(frozen=True)
class Verification:
    """The verdict on a file.

    Attributes:
        missed: gates that the file did not pass; none means that it passed.
        arena: tensor arena that TFLM used, None if it cannot run the file.
        bit_exact: whether TFLM's output bytes equal those of TFLite's reference kernels.
        differing_bytes: output elements that differ.
        unsupported_ops: operators that TFLM lacks.
        warnings: what to know beside the failures.
        task: ``segmentation`` or ``classification``.
        scores: by backend (``float``, ``int8``, ``tflm``, with a board also ``device``) as of
            :func:`tinyseg.scoring.scores.score_outputs`; None where it did not run.
        sqnr: per layer, empty without the float network.
        images: names of the images used.
        device: what a board made of them; None if none took part.
    """

    missed: tuple[Missed, ...]
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
        """Whether all gates were passed."""
        return not self.missed

    @property
    def failures(self) -> tuple[str, ...]:
        """One line for each gate that was not passed."""
        return tuple(missed.line for missed in self.missed)

    def misses(self, gate: Gate) -> bool:
        """Tell whether that gate was not passed."""
        return any(missed.gate is gate for missed in self.missed)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""

        def pick(name: str) -> dict[str, float | None]:
            return {key: scores[name] if scores else None for key, scores in self.scores.items()}

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
    lacking = tuple(sorted({op.opcode for op in model.operators if not supported(op)}))
    unsupported = [f for f in findings if f.severity == "unsupported"]
    missed = [Missed(Gate.OPERATORS, f"{model.path}: {finding}") for finding in unsupported]
    warnings = [str(f) for f in findings if f.severity == "warning"]
    specification, inputs = border(model), images.inputs(preprocessing)
    _check_shape(model.path, specification, inputs, images.targets)
    trial = _Trial(specification[1])
    trial.run(model, inputs, not unsupported, float_runner, float_twin, device)
    if trial.on_device is not None:
        lines = trial.on_device.failures()
        missed += [Missed(Gate.DEVICE, f"{model.path}: {line}") for line in lines]
    if trial.differing and _is_wide(model):
        warnings.append(trial.difference(model.path))
    elif trial.differing:
        missed.append(Missed(Gate.BYTES, trial.difference(model.path)))
    scores: dict[str, dict | None] = dict.fromkeys(("float", "int8", "tflm"))
    for name, values in trial.outputs.items():
        scores[name] = score_outputs(images, values, preprocessing.threshold)
    if scores["float"] and scores["tflm"]:
        missed += missed_score(model.path, images, scores["float"], scores["tflm"], max_drop)
    return Verification(
        missed=tuple(missed),
        arena=trial.arena,
        bit_exact=not unsupported and trial.differing == 0,
        differing_bytes=trial.differing,
        unsupported_ops=lacking,
        warnings=tuple(warnings),
        task=images.task,
        scores=scores,
        sqnr=tuple(trial.sqnr),
        images=tuple(images.names),
        device=trial.on_device,
    )


@dataclasses.dataclass
class _Trial:
    """What the backends made of the images.

    Attributes:
        result: what the file gives.
        outputs: real values float32 by backend.
        arena: that TFLM used, None if it did not run.
        differing: stored values of TFLM that are not those of the reference kernels.
        on_device: what a board made of them.
        sqnr: per layer, on the first image.
    """

    result: TensorSpec
    outputs: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    sqnr: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    arena: Arena | None = None
    differing: int = 0
    on_device: OnDevice | None = None

    def run(
        self,
        model: TfliteModel,
        inputs: np.ndarray,
        runs: bool,
        float_runner: Runner | None,
        float_twin: TfliteModel | None,
        device: DeviceRunner | None,
    ) -> None:
        """Run images on every backend that there is; TFLM and a board if it ``runs`` there."""
        with _Interpreters(model, inputs, start=runs) as interpreters:
            if float_runner is not None:
                self.outputs["float"] = predict(float_runner, inputs)
            if float_twin is not None:
                self.sqnr = layer_sqnr(float_twin, model, inputs[0])
            if not runs:
                return
            stored, on_tflm, self.arena = interpreters.results()
        real = self.result.dequantize
        self.outputs["int8"], self.outputs["tflm"] = real(stored), real(on_tflm)
        self.differing = int((stored != on_tflm).sum())
        if device is not None:
            self.on_device, on_board = run_on_device(device, inputs, on_tflm)
            self.outputs["device"] = real(on_board)

    def difference(self, path: str) -> str:
        """Return the line that says how far the two interpreters are apart."""
        host, tflm = self.outputs["int8"], self.outputs["tflm"]
        return (
            f"{path}: TFLM and TFLite reference kernels differ in {self.differing} of "
            f"{host.size} output values, by {np.abs(host - tflm).max():.2g} at most"
        )


def _is_wide(model: TfliteModel) -> bool:
    """Tell whether activations are int16.

    TFLM rounds a product of those once, TFLite twice: nobody can make their last places agree. For
    int8 there is no such excuse.
    """
    return any(t.dtype == "int16" for op in model.operators for t in op.outputs)


def missed_score(
    path: str, images: ImageStore, before: dict, after: dict, max_drop: float
) -> list[Missed]:
    """Return the gate of the first score if it was missed: too large a loss, and the cure.

    Of masks that score is Dice over the images with a lesion: an image without one counts 0 or 1,
    and one of them more or less would decide.
    """
    key, title = SCORES[images.task][0]
    drop = lesions(before)[key] - lesions(after)[key]
    allowed = allowed_drop(images.task, max_drop, len(images))
    if drop <= allowed:
        return []
    line = (
        f"{path}: {title} falls by {drop:.4f}, allowed are {allowed:.4f}; use "
        "--set quantization.equalize=true, more calibration images or recipe static_wi8_ai16"
    )
    return [Missed(Gate.SCORE, line)]


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


def _check_shape(
    path: str, specification: tuple[TensorSpec, TensorSpec], inputs: np.ndarray, targets: np.ndarray
) -> None:
    source, result = specification
    if source.shape[1:] != inputs.shape[1:]:
        raise InputError(f"{path}: takes {source.shape[1:]} but the images are {inputs.shape[1:]}")
    if result.shape[1:] != targets.shape[1:]:
        kind = "a mask" if targets.ndim == 4 else "classes"
        raise InputError(
            f"{path}: output {result.shape[1:]} is not {kind}, those are {targets.shape[1:]}"
        )
