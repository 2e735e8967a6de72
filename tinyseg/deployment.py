"""From trained weights to a quantized file that is scored, verified, profiled and reported."""

from __future__ import annotations

import concurrent.futures
import csv
import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyseg import files, presets
from tinyseg import plan as plans
from tinyseg.compression.recipe import parse
from tinyseg.data.store import ImageStore
from tinyseg.errors import InputError
from tinyseg.plan import Plan
from tinyseg.profiling import mltk
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.lowering import lower
from tinyseg.tflite.model import layer_of
from tinyseg.tflite.ops.binary_conv_2d import NAME
from tinyseg.training.scoring import score_background, score_each
from tinyseg.verification.verify import drop_failures
from tinyseg.workflow import (
    SPLIT,
    Images,
    equalized,
    load_trained,
    open_images,
    sample,
    score,
    verify_against,
)

if TYPE_CHECKING:
    import tf_keras as keras

    from tinyseg.verification.on_device import OnDevice

log = logging.getLogger(__name__)

LOWER = ("none", "exact", "patches")
# Of the mask pixels, or classes, between the simulation in Keras and the integer file.
MIN_AGREEMENT = 0.999


def quantize(
    plan: Plan,
    weights: Path,
    folder: Path,
    *,
    split_file: str | Path | None = None,
    verify_images: int = 8,
    max_drop: float | None = None,
    profiled: bool = True,
    board: str | None = None,
) -> dict[str, Any]:
    """Quantize a trained network, then score, verify, profile and report the file.

    Writes ``MODEL.tflite``, ``plan.json``, ``split.json``, MLTK's reports and
    ``report.{html,md,json}`` with pictures into ``folder``.

    Args:
        plan: network, data, preprocessing and recipe.
        weights: float weights.
        folder: where the results go.
        split_file: division of the images; None for the one the weights were trained with.
        verify_images: how many test images run on the slow reference interpreters.
        max_drop: the most by which mean Dice, or accuracy, may fall, on those and on all test
            images; None for the recipe's.
        profiled: whether MLTK takes part.
        board: emulated board that runs the verified images too.

    Returns:
        The run, as stored in ``report.json``; ``failures`` is empty if all gates passed.

    Raises:
        InputError: unusable weights, images or settings; MLTK missing.
    """
    from tinyseg.reporting import report
    from tinyseg.reporting.examples import worst_first
    from tinyseg.runtime.keras import KerasRunner
    from tinyseg.runtime.tflite import TfliteRunner

    recipe = parse(plan.quantization.recipe)
    max_drop = recipe.max_drop if max_drop is None else max_drop
    if profiled:
        mltk.mltk_python()  # Fail before the long part, not after it.
    plan = dataclasses.replace(plan, weights=files.sha256(weights))
    trained = load_trained(plan, weights)
    plan, images = open_images(plan, split_file, weights.parent)
    network = equalized(trained, plan, images)
    test = images.part("test")

    described = _describe_weights(weights, plan.data.fingerprint)
    if not described["same_data"]:
        log.warning(
            "the weights were trained on %s, not on these images; 'tinyseg train %s --data %s' "
            "makes better ones",
            described["trained_on"],
            plan.model.name,
            plan.data.source,
        )
    log.info("quantizing %s with %s", plan.model.name, plan.quantization.recipe)
    path, aware = _write_quantized(network, plan, images, folder)
    model = TfliteModel.read(path)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        # MLTK runs in a process of its own; there is time for it meanwhile.
        profiling = pool.submit(_profile, model) if profiled else None
        log.info("scoring float and integer network on %d held-out images", len(test))
        float_scores, floats = score(KerasRunner(network), test, plan.preprocessing)
        scores, integers = score(TfliteRunner(model, reference=False), test, plan.preprocessing)
        log.info("verifying on TensorFlow Lite Micro")
        verdict = verify_against(model, network, test, plan, verify_images, max_drop, board)
        profile, mltk_report = profiling.result() if profiling else (None, None)
    failures = list(verdict.failures)
    if not any(" falls by " in line for line in failures):
        failures += drop_failures(str(path), test, float_scores, scores, max_drop)
    agreement = None
    if aware is not None:
        agreement = _agreement(aware, model, sample(test, verify_images), plan)
        if agreement < MIN_AGREEMENT:
            failures.append(
                f"{path}: {agreement:.2%} of the decisions are those of the simulation in Keras, "
                f"{MIN_AGREEMENT:.1%} are asked; report this network"
            )
    xnor = None
    if plan.quantization.target == "xnor":
        log.info("lowering convolutions of signs to %s", NAME)
        xnor = _write_xnor(model, plan, test, verify_images, board, folder)
        failures += xnor["failures"]
    if profile:
        mltk.write(profile, mltk_report, folder, plan.model.name)
    run = {
        "model": _describe_model(trained, plan),
        "task": test.task,
        "data": _describe_data(images, plan),
        "weights": described,
        "recipe": plan.quantization.recipe,
        "io": plan.quantization.io,
        "file": path.name,
        "file_bytes": len(model.content),
        "file_sha256": files.sha256(path),
        "test": {"float": float_scores, "integer": scores, **_baseline(test)},
        "test_images": _each(test, floats, integers),
        "simulation_agreement": agreement,
        "packing": _describe_packing(model),
        "verification": verdict.as_dict(),
        "xnor": xnor,
        "profile": profile,
        "failures": failures,
        "provenance": plans.provenance(),
    }
    report.write(run, worst_first(test, floats, integers), _history(weights), folder)
    return run


def _agreement(aware: keras.Model, model: TfliteModel, images: ImageStore, plan: Plan) -> float:
    """Return the share of decisions that a file, on reference kernels, has of its simulation."""
    from tinyseg.runtime.keras import KerasRunner
    from tinyseg.runtime.tflite import TfliteRunner

    _, simulated = score(KerasRunner(aware), images, plan.preprocessing)
    _, masks = score(TfliteRunner(model, reference=True), images, plan.preprocessing)
    return float((simulated == masks).mean())


def _profile(model: TfliteModel) -> tuple[dict[str, Any], str] | tuple[None, None]:
    """Profile a file; MLTK refusing it (it lacks int16 kernels) must not cost the report."""
    try:
        return mltk.profile(model)
    except InputError as error:
        log.warning("%s; the report goes without MLTK's figures", error)
        return None, None


def _write_quantized(
    network: keras.Model, plan: Plan, images: Images, folder: Path
) -> tuple[Path, keras.Model | None]:
    """Write the integer file; return it with the network that simulates it, if there is one."""

    def train(aware: keras.Model) -> None:
        _train_quantized(aware, plan, images, folder / "training")

    content, aware = to_integers(network, plan, images.calibration(plan), train)
    path = files.write_bytes(folder / f"{plan.model.name}.tflite", content)
    images.split.write(folder / SPLIT)
    plans.write(plan, folder, path)
    return path, aware


def to_integers(
    network: keras.Model,
    plan: Plan,
    calibration: np.ndarray,
    train: Callable[[keras.Model], None] | None = None,
) -> tuple[bytes, keras.Model | None]:
    """Return the integer file of a network, packed if its weights have few values.

    Args:
        network: with its trained weights.
        plan: recipe, bits of the weights, preprocessing.
        calibration: network inputs float32 ``(images, height, width, channels)``.
        train: goes on training a network that simulates the file, where the recipe asks for it.

    Returns:
        Bytes of a ``.tflite`` file, and the network that simulates it, None if the recipe is to
        convert the float network and its weights are neither binarized nor clustered.

    Raises:
        InputError: unusable settings, or a layer without an integer form.
    """
    from tinyseg.compression import quantization
    from tinyseg.compression.binarization import is_binarized
    from tinyseg.compression.quantization_aware import quantization_aware
    from tinyseg.tflite.packing import pack

    settings = plan.quantization
    trained = parse(settings.recipe).method == "qat"
    if not (trained or settings.weight_bits < 8 or is_binarized(network)):
        return _lowered(quantization.quantize(network, plan, calibration), plan), None
    aware = quantization_aware(network, calibration, settings.weight_bits)
    if trained and train is not None:
        train(aware)
    content = quantization.convert_quantization_aware(aware, plan)
    few = settings.weight_bits < 8 or is_binarized(network)
    return _lowered(pack(content) if few else content, plan), aware


def _lowered(content: bytes, plan: Plan) -> bytes:
    """Apply the passes that a plan asks for."""
    how = plan.quantization.lower
    if how not in LOWER:
        raise InputError(f"quantization.lower: '{how}' is unknown; choose from {', '.join(LOWER)}")
    if how == "none":
        return content
    without = () if plan.quantization.io == "integer" else ("integer_border",)
    model = TfliteModel.parse(content, plan.model.name)
    return lower(model, without=without, patches=how == "patches").model.content


def _write_xnor(
    model: TfliteModel,
    plan: Plan,
    test: ImageStore,
    count: int,
    board: str | None,
    folder: Path,
) -> dict[str, Any]:
    """Write the file with binary convolutions; compare it with the standard one, and a board.

    Returns:
        Its name, size, replaced operators, the share of equal mask pixels on the host, and what the
        board made of it.

    Raises:
        InputError: there is no convolution of signs.
    """
    from tinyseg.runtime.segmented import SegmentedRunner
    from tinyseg.runtime.tflite import TfliteRunner
    from tinyseg.tflite.packing import pack, unpacked
    from tinyseg.tflite.xnor import lower_binary_convolutions

    content, replaced = lower_binary_convolutions(unpacked(model).content)
    if not replaced:
        raise InputError(
            f"{plan.model.name}: has no convolution of signs; take blu_net with separable=false, "
            "positive=false, conv_levels=1 and activation_levels=1"
        )
    path = files.write_bytes(folder / f"{plan.model.name}_xnor.tflite", pack(content))
    lowered = TfliteModel.read(path)
    images = sample(test, count)
    scores, masks = score(SegmentedRunner(lowered), images, plan.preprocessing)
    _, standard = score(TfliteRunner(model, reference=True), images, plan.preprocessing)
    record: dict[str, Any] = {
        "file": path.name,
        "file_bytes": len(lowered.content),
        "replaced": [layer_of(name) for name in replaced],
        "mask_agreement": float((masks == standard).mean()),
        "scores": scores,
        "device": None,
        "failures": [],
    }
    if record["mask_agreement"] < MIN_AGREEMENT:
        record["failures"].append(
            f"{path}: {record['mask_agreement']:.2%} of the mask pixels are those of the standard "
            f"file, {MIN_AGREEMENT:.1%} are asked; report this network"
        )
    if board is not None:
        verdict = _run_xnor(lowered, plan, images, board)
        record["device"] = dataclasses.asdict(verdict)
        record["failures"] += [f"{path}: {line}" for line in verdict.failures()]
    return record


def _run_xnor(model: TfliteModel, plan: Plan, images: ImageStore, board: str) -> OnDevice:
    from tinyseg.boards.firmware import booted
    from tinyseg.runtime.segmented import SegmentedRunner
    from tinyseg.verification.on_device import run_on_device

    inputs = images.inputs(plan.preprocessing)
    host = SegmentedRunner(model)
    expected = host.run(host.input.quantize(inputs))
    with booted(model, plan.preprocessing, board) as device:
        return run_on_device(device, inputs, expected)[0]


def _train_quantized(aware: keras.Model, plan: Plan, images: Images, folder: Path) -> None:
    """Go on training with the rounding of the integer form; resumes where it was interrupted.

    A student of soft masks goes on learning from its teachers.
    """
    from tinyseg.transfer import learn_masks, teachers_of

    settings = dataclasses.replace(
        plan.training,
        epochs=plan.quantization.epochs,
        learning_rate=plan.quantization.learning_rate,
        warmup_epochs=0.0,
        patience=plan.quantization.epochs,
    )
    plan = dataclasses.replace(plan, training=settings)
    parts = images.training(plan), images.part("validation")
    learn_masks(aware, teachers_of(plan), plan, *parts, folder)


def _describe_model(network: keras.Model, plan: Plan) -> dict[str, Any]:
    from tinyseg.zoo.summary import count_macs

    return {
        "name": plan.model.name,
        "arguments": dict(plan.model.arguments),
        "input_shape": list(network.input_shape[1:]),
        "parameters": network.count_params(),
        "macs": count_macs(network),
    }


def _baseline(test: ImageStore) -> dict[str, Any]:
    """Return what predicting no mask at all scores."""
    return {} if test.classes else {"background": score_background(test)}


def _each(test: ImageStore, floats: np.ndarray, integers: np.ndarray) -> list[dict[str, Any]]:
    """Return the first score of every image, of both networks."""
    scores = zip(test.names, score_each(test, floats), score_each(test, integers), strict=True)
    return [{"name": name, "float": float(a), "integer": float(b)} for name, a, b in scores]


def _describe_packing(model: TfliteModel) -> dict[str, Any] | None:
    from tinyseg.tflite.packing import is_packed, packed_bits, unpacked

    if not is_packed(model):
        return None
    return {"unpacked_bytes": len(unpacked(model).content), "bits": packed_bits(model)}


def _describe_data(images: Images, plan: Plan) -> dict[str, Any]:
    labels = images.store.labels
    return {
        "name": presets.slug(plan.data.source),
        "fingerprint": plan.data.fingerprint,
        "images": len(images.store),
        "labels": {label: labels.count(label) for label in sorted(set(labels))},
        **{part: len(names) for part, names in dataclasses.asdict(images.split).items()},
    }


def _describe_weights(weights: Path, fingerprint: str) -> dict[str, Any]:
    trained = plans.beside(weights)
    return {
        "file": weights.name,
        "trained_on": presets.slug(trained.data.source) if trained else "unknown data",
        "same_data": trained is not None and trained.data.fingerprint == fingerprint,
    }


def _history(weights: Path) -> list[dict[str, str]]:
    path = weights.parent / presets.HISTORY
    if not path.is_file():
        return []
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))
