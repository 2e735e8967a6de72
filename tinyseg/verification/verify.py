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
from tinyseg.runtime.meaning import Head, Meaning, plain
from tinyseg.runtime.runner import TensorSpec, border, network_outputs, random_inputs
from tinyseg.runtime.runner import stored as stored_input
from tinyseg.runtime.tflite import TfliteRunner
from tinyseg.runtime.tflm import Arena, TflmRunner
from tinyseg.scoring.scores import SCORES, allowed_drop, lesions, score_outputs
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.border import image_shape
from tinyseg.tflite.lint import usable
from tinyseg.tflite.ops.registry import supported
from tinyseg.verification.differences import first_difference
from tinyseg.verification.gates import Gate, Missed
from tinyseg.verification.on_device import OnDevice, run_on_device
from tinyseg.verification.scored import deciding, mismatch
from tinyseg.verification.sqnr import layer_sqnr
from tinyseg.verification.trivial import missed_trivial

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
        task: ``segmentation`` or ``classification``; None if nothing was scored.
        scores: by backend (``float``, ``int8``, ``tflm``, with a board also ``device``) as of
            :func:`tinyseg.scoring.scores.score_outputs`; None where it did not run.
        sqnr: per layer, empty without the float network.
        images: names of the images used; of random inputs, their numbers.
        device: what a board made of them; None if none took part.
    """

    missed: tuple[Missed, ...]
    arena: Arena | None
    bit_exact: bool
    differing_bytes: int
    unsupported_ops: tuple[str, ...]
    warnings: tuple[str, ...]
    task: str | None
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
            **{score.key: pick(score.key) for score in SCORES.get(self.task or "", ())},
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
    images: ImageStore | int,
    preprocessing: PreprocessingPlan,
    *,
    meaning: Meaning | None = None,
    float_runner: Runner | None = None,
    float_twin: TfliteModel | None = None,
    device: DeviceRunner | None = None,
    max_drop: float = MAX_DROP,
) -> Verification:
    """Run a file on TFLM, on TFLite's reference kernels, and on the float network and a board.

    Bytes and arena are those of any file. Scores there are if its output says what the images ask
    for; if it does not, a warning tells why.

    Args:
        model: quantized file.
        images: at least one; the same for all backends. A number for so many random inputs, which
            nothing is scored on.
        preprocessing: normalisation and threshold of images.
        meaning: of the output that is read; None for probabilities of regions or classes.
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
    inputs, shown = _inputs(model, images, preprocessing)
    meaning = meaning or (plain(border(model)[1].shape) if shown else Meaning(Head.NONE))
    trial = _Trial(model, meaning.output)
    trial.run(inputs, not unsupported, float_runner, float_twin, device)
    if trial.on_device is not None:
        lines = trial.on_device.failures()
        missed += [Missed(Gate.DEVICE, f"{model.path}: {line}") for line in lines]
    if trial.differing and _is_wide(model):
        warnings.append(trial.difference)
    elif trial.differing:
        missed.append(Missed(Gate.BYTES, trial.difference))
    scores: dict[str, dict | None] = dict.fromkeys(("float", "int8", "tflm"))
    reason = shown and mismatch(meaning, shown)
    if reason:
        warnings.append(f"{model.path}: no scores: {reason}")
    elif shown:
        for name, values in trial.outputs.items():
            found = deciding(meaning, values, shown)
            scores[name] = score_outputs(shown, found, preprocessing.threshold)
        if scores["float"] and scores["tflm"]:
            missed += missed_score(model.path, shown, scores["float"], scores["tflm"], max_drop)
        missed += missed_trivial(model.path, shown, scores)
    return Verification(
        missed=tuple(missed),
        arena=trial.arena,
        bit_exact=not unsupported and trial.differing == 0,
        differing_bytes=trial.differing,
        unsupported_ops=lacking,
        warnings=tuple(warnings),
        task=shown.task if shown and not reason else None,
        scores=scores,
        sqnr=tuple(trial.sqnr),
        images=tuple(shown.names if shown else (f"random {n}" for n in range(len(inputs)))),
        device=trial.on_device,
    )


def _inputs(
    model: TfliteModel, images: ImageStore | int, preprocessing: PreprocessingPlan
) -> tuple[np.ndarray, ImageStore | None]:
    """Return real values for a file's input, and the images that they are of, if any.

    Raises:
        InputError: the input does not fit the images.
    """
    source, _ = border(model)
    if isinstance(images, int):
        return random_inputs(source, images), None
    inputs = images.inputs(preprocessing)
    if image_shape(source.shape) != inputs.shape[1:]:
        raise InputError(
            f"{model.path}: takes {source.shape[1:]} but the images are {inputs.shape[1:]}"
        )
    return inputs, images


class _Trial:
    """What the backends made of the images.

    Attributes:
        outputs: real values float32 by backend, of the output that is read.
        arena: that TFLM used, None if it did not run.
        differing: stored values of TFLM that are not those of the reference kernels.
        difference: the line that says how far the two are apart.
        on_device: what a board made of them.
        sqnr: per layer, on the first image.
    """

    def __init__(self, model: TfliteModel, output: int) -> None:
        self._model, self._output = model, output
        self._results = [border(model, number)[1] for number in range(len(model.outputs))]
        self.outputs: dict[str, np.ndarray] = {}
        self.sqnr: list[dict[str, Any]] = []
        self.arena: Arena | None = None
        self.differing, self.difference = 0, ""
        self.on_device: OnDevice | None = None

    def run(
        self,
        inputs: np.ndarray,
        runs: bool,
        float_runner: Runner | None,
        float_twin: TfliteModel | None,
        device: DeviceRunner | None,
    ) -> None:
        """Run images on every backend that there is; TFLM and a board if it ``runs`` there."""
        with _Interpreters(self._model, inputs, start=runs) as interpreters:
            if float_runner is not None:
                self.outputs["float"] = network_outputs(float_runner, inputs)
            if float_twin is not None:
                self.sqnr = layer_sqnr(float_twin, self._model, inputs[0])
            if not runs:
                return
            stored, on_tflm, self.arena = interpreters.results()
        self._compare(stored, on_tflm, inputs)
        number, real = self._output, self._results[self._output].dequantize
        self.outputs["int8"], self.outputs["tflm"] = real(stored[number]), real(on_tflm[number])
        if device is not None:
            self.on_device, on_board = run_on_device(device, inputs, on_tflm[number])
            self.outputs["device"] = real(on_board)

    def _compare(
        self, stored: list[np.ndarray], on_tflm: list[np.ndarray], inputs: np.ndarray
    ) -> None:
        """Count the values in which all outputs of the two interpreters differ."""
        pairs = list(zip(self._results, stored, on_tflm, strict=True))
        self.differing = sum(int((one != two).sum()) for _, one, two in pairs)
        furthest = max(
            np.abs(result.dequantize(one) - result.dequantize(two)).max()
            for result, one, two in pairs
        )
        origin = self._origin(pairs, inputs) if self.differing else ""
        self.difference = (
            f"{self._model.path}: TFLM and TFLite reference kernels differ in {self.differing} of "
            f"{sum(one.size for one in stored)} output values, by {furthest:.2g} at most{origin}"
        )

    def _origin(
        self, pairs: list[tuple[TensorSpec, np.ndarray, np.ndarray]], inputs: np.ndarray
    ) -> str:
        """Return in words the first operator whose results differ, on the first such image."""
        apart = [(one != two).reshape(len(one), -1).any(axis=1) for _, one, two in pairs]
        image = int(np.any(apart, axis=0).argmax())
        source, _ = border(self._model)
        return first_difference(self._model, stored_input(source, inputs)[image])


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
            self._stored = stored_input(self._tflm.input, self._inputs)
            self._tflm_outputs = self._pool.submit(self._tflm.run_all, self._stored)
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()
        self._pool.shutdown()

    def results(self) -> tuple[list[np.ndarray], list[np.ndarray], Arena]:
        """Return all outputs of TFLite and of TFLM, and TFLM's arena."""
        host = TfliteRunner(self._model, reference=True, progress=self._advance)
        outputs = host.run_all(self._stored)
        # In this order: the arena is known once TFLM has run.
        tflm_outputs = self._tflm_outputs.result()
        return outputs, tflm_outputs, self._tflm.arena
