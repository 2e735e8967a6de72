"""Check a quantized file on real images: operators, memory, bytes, accuracy."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinyseg.data.store import ImageStore
from tinyseg.errors import InputError
from tinyseg.operating_point import OperatingPoint
from tinyseg.plan import PreprocessingPlan
from tinyseg.runtime import Runner
from tinyseg.runtime.device import DeviceRunner
from tinyseg.runtime.meaning import Head, Meaning, plain
from tinyseg.runtime.runner import TensorSpec, border, random_inputs
from tinyseg.runtime.tflm import Arena
from tinyseg.runtime.views import joined, looks, views
from tinyseg.scoring.scores import SCORES, allowed_drop, lesions, or_one_image
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.border import image_shape
from tinyseg.tflite.lint import usable
from tinyseg.tflite.ops.registry import supported
from tinyseg.verification.gates import Gate, Missed
from tinyseg.verification.on_device import OnDevice
from tinyseg.verification.scored import decided, mismatch, score_decided
from tinyseg.verification.trial import Engine, Others, Trial
from tinyseg.verification.trivial import missed_trivial

MAX_DROP = 0.01
# Of differences of means of a few numbers: an image more or less is no multiple of a bit.
_SLACK = 1e-12


@dataclasses.dataclass(frozen=True)
class Verification:
    """The verdict on a file.

    Attributes:
        missed: gates that the file did not pass; none means that it passed.
        arena: tensor arena that TFLM used, None if it cannot run the file.
        type: of the activations, ``int8`` or ``int16``.
        bit_exact: whether TFLM, TFLite's reference kernels and our engine, if it takes part, give
            the same output bytes.
        differing_bytes: output elements in which one of them differs.
        unsupported_ops: operators that TFLM lacks.
        warnings: what to know beside the failures.
        task: ``segmentation`` or ``classification``; None if nothing was scored.
        scores: by backend (``float``, ``int8``, ``tflm``, with a board also ``device``) as of
            :func:`tinyseg.scoring.scores.score_outputs`; None where it did not run. ``int8`` is the
            file on our engine, or on TFLite's reference kernels.
        sqnr: per layer, empty without the float network.
        images: names of the images used; of random inputs, their numbers.
        engine_images: how many of them ran on our engine, 0 or all.
        tflm_images: how many ran on TFLM, and on TFLite's reference kernels: one fewer where
            their number is left to time.
        outputs: by backend, real values float32 ``(n, ...)`` of the output that is read.
        device: what a board made of the first that ran on TFLM; None if none took part.
        views: how often a network runs for an image.
    """

    missed: tuple[Missed, ...]
    arena: Arena | None
    type: str
    bit_exact: bool
    differing_bytes: int
    unsupported_ops: tuple[str, ...]
    warnings: tuple[str, ...]
    task: str | None
    scores: dict[str, dict | None]
    sqnr: tuple[dict[str, Any], ...]
    images: tuple[str, ...]
    engine_images: int
    tflm_images: int
    outputs: Mapping[str, np.ndarray] = dataclasses.field(repr=False, compare=False)
    device: OnDevice | None = None
    views: int = 1

    @property
    def ok(self) -> bool:
        """Whether all gates were passed."""
        return not self.missed

    @property
    def failures(self) -> tuple[str, ...]:
        """One line for each gate that was not passed."""
        return tuple(missed.line for missed in self.missed)

    def title(self, backend: str) -> str:
        """Return what the scores of a backend are of, in words."""
        name = {"int8": self.type}.get(backend, backend)
        on_device = len(self.device.work) // self.views if self.device else 0
        ran = {"tflm": self.tflm_images, "device": on_device}
        few = ran.get(backend, 0)
        return f"{name}, {few} images" if 0 < few < len(self.images) else name

    def misses(self, gate: Gate) -> bool:
        """Tell whether that gate was not passed."""
        return any(missed.gate is gate for missed in self.missed)

    def _both_kinds(self) -> dict[str, dict[str, float | None]]:
        """Return by backend what is found where there is a lesion, and where there is none."""
        known = {key: scores or {} for key, scores in self.scores.items()}
        names = ("false_alarms", "healthy_images", "missed_lesions", "lesion_images")
        return {
            "lesion_dice": {key: lesions(scores).get("dice") for key, scores in known.items()},
            **{name: {key: scores.get(name) for key, scores in known.items()} for name in names},
        }

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
            **({} if self.task != "segmentation" else self._both_kinds()),
            "failures": list(self.failures),
            "warnings": list(self.warnings),
            "arena": self.arena and dataclasses.asdict(self.arena),
            "differing_bytes": self.differing_bytes,
            "sqnr": list(self.sqnr),
            "images": list(self.images),
            "engine_images": self.engine_images,
            "tflm_images": self.tflm_images,
            "type": self.type,
            "device": self.device and dataclasses.asdict(self.device),
        }


def verify(
    model: TfliteModel,
    images: ImageStore | int,
    preprocessing: PreprocessingPlan,
    *,
    meaning: Meaning | None = None,
    float_runner: Runner | None = None,
    float_twin: Callable[[], TfliteModel] | None = None,
    device: DeviceRunner | None = None,
    engine: Engine | None = None,
    max_drop: float = MAX_DROP,
) -> Verification:
    """Run a file on TFLM, TFLite's reference kernels, our engine, the float network and a board.

    Bytes and arena are those of any file. Scores there are if its output says what the images ask
    for; if it does not, a warning tells why.

    Args:
        model: quantized file.
        images: at least one. A number for so many random inputs, which nothing is scored on.
        preprocessing: normalisation of images, and operating point.
        meaning: of the output that is read; None for probabilities of regions or classes.
        float_runner: the float network, for its scores.
        float_twin: makes a float conversion of the network, for the SQNR of each layer; called
            while TFLM runs.
        device: a board with the file in its firmware.
        engine: our own engine, which runs all images; TFLM, TFLite and the board then run some of
            them. None if it does not take part: all run all of them.
        max_drop: the most by which mean Dice over images with a lesion, or accuracy, of the file
            may lie below the float network's.

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
    # A network may see an image twice.
    count = views(preprocessing) if shown else 1
    order = _order(shown or len(inputs), engine, count)
    rows = [count * row + look for row in order for look in range(count)]
    trial = Trial(model, inputs, meaning.output, rows)
    trial.run(not unsupported, Others(engine, float_runner, float_twin, device))
    if trial.on_device is not None:
        lines = trial.on_device.failures()
        missed += [Missed(Gate.DEVICE, f"{model.path}: {line}") for line in lines]
    warnings += trial.roundings
    if _is_wide(model):
        warnings += trial.differences
    else:
        missed += [Missed(Gate.BYTES, line) for line in trial.differences]
    scores: dict[str, dict | None] = dict.fromkeys(("float", "int8", "tflm"))
    reason = shown and mismatch(meaning, shown)
    outputs: Mapping[str, np.ndarray] = trial.outputs
    if reason:
        warnings.append(f"{model.path}: no scores: {reason}")
    elif shown:
        outputs = _joined(outputs, border(model, meaning.output)[1], meaning, preprocessing)
        scores.update(_scores(outputs, shown, meaning, order, preprocessing))
        # Of all images: those that TFLM runs may be a few of them.
        after = scores["int8" if engine else "tflm"]
        if scores["float"] and after:
            floats, both = scores["float"], not preprocessing.is_plain
            missed += missed_score(model.path, shown, floats, after, max_drop, over_all=both)
        missed += missed_trivial(model.path, shown, {"float": scores["float"], "tflm": after})
    return Verification(
        missed=tuple(missed),
        arena=trial.arena,
        type="int16" if _is_wide(model) else "int8",
        bit_exact=not unsupported and trial.differing == 0,
        differing_bytes=trial.differing,
        unsupported_ops=lacking,
        warnings=tuple(warnings),
        task=shown.task if shown and not reason else None,
        scores=scores,
        sqnr=tuple(trial.sqnr),
        images=tuple(shown.names if shown else (f"random {n}" for n in range(len(inputs)))),
        engine_images=len(inputs) // count if engine and not unsupported else 0,
        tflm_images=len(trial.checked) // count,
        outputs=outputs,
        device=trial.on_device,
        views=count,
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
    return looks(preprocessing, inputs), images


def _joined(
    outputs: Mapping[str, np.ndarray], target: TensorSpec, meaning: Meaning, point: OperatingPoint
) -> dict[str, np.ndarray]:
    """Return the outputs of images of those of all looks at them; a last one alone is left out."""
    if not point.mirrored:
        return dict(outputs)
    floats, count = dataclasses.replace(target, dtype="float32"), views(point)
    made = {}
    for name, values in outputs.items():
        stored_as = floats if name == "float" else target
        whole = values[: len(values) // count * count]
        made[name] = joined(point, stored_as, stored_as.quantize(whole), meaning)
    return made


def _scores(
    outputs: Mapping[str, np.ndarray],
    shown: ImageStore,
    meaning: Meaning,
    order: list[int],
    point: OperatingPoint,
) -> dict[str, dict]:
    """Return the scores of each backend, on those of the images that ran there."""
    scores = {}
    for name, values in outputs.items():
        ran = shown
        if name in ("tflm", "device"):
            rows = np.array(order[: len(values)])
            ran, values = shown.take(np.sort(rows)), values[rows.argsort()]
        said = decided(meaning, values, ran, point)
        scores[name] = score_decided(meaning, values, ran, said)
    return scores


def _order(images: ImageStore | int, engine: Engine | None, views: int) -> list[int]:
    """Return which images TFLM and TFLite run, as far as there is time: all without the engine.

    There is time for two runs at least, which may be ``views`` of one image.
    """
    count = images if isinstance(images, int) else len(images)
    if engine is None or isinstance(images, int):
        return list(range(count if engine is None else min(count, engine.count or count)))
    if engine.count is not None:
        return images.spread(engine.count).tolist()
    order = [0, *(1 + np.random.default_rng(0).permutation(count - 1))]
    marked = np.isin(order, np.flatnonzero(images.masks.any((1, 2, 3))))
    last = 2 // views - 1
    if marked.any() and not marked[: last + 1].any():
        # Without any foreground among them little could be told of a network.
        first = int(marked.argmax())
        order[last], order[first] = order[first], order[last]
    return [int(row) for row in order]


def _is_wide(model: TfliteModel) -> bool:
    """Tell whether activations are int16.

    TFLM rounds a product of those once, TFLite twice: nobody can make their last places agree. For
    int8 there is no such excuse.
    """
    return any(t.dtype == "int16" for op in model.operators for t in op.outputs)


def missed_score(
    path: str, images: ImageStore, before: dict, after: dict, max_drop: float, *, over_all: bool
) -> list[Missed]:
    """Return the gate of the first score if it was missed: too large a loss, and the cure.

    Of masks that score is Dice over the images with a lesion: one without counts 0 or 1, and where
    a threshold alone decides, one pixel does. With more of an operating point (``over_all``) Dice
    over all images may not fall either, but by one image.
    """
    key, title = SCORES[images.task][0]
    allowed = allowed_drop(images.task, max_drop, len(images))
    drops = [(title, lesions(before)[key] - lesions(after)[key], allowed)]
    if over_all and "with_lesion" in before:
        most = or_one_image(max_drop, len(images))
        drops.append((f"{title} over all images", before[key] - after[key], most))
    lines = (
        f"{path}: {name} falls by {drop:.4f}, allowed are {most:.4f}; use "
        "--set quantization.equalize=true, more calibration images or recipe static_wi8_ai16"
        for name, drop, most in drops
        if drop > most + _SLACK
    )
    return [Missed(Gate.SCORE, line) for line in lines]
