"""From trained weights to a quantized file that is scored, verified, profiled and reported."""

from __future__ import annotations

import concurrent.futures
import csv
import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tinyseg import files, presets, progress
from tinyseg import plan as plans
from tinyseg.data.store import ImageStore
from tinyseg.profiling import mltk
from tinyseg.runtime import Runner
from tinyseg.runtime.ahead import AheadRunner
from tinyseg.runtime.engine import EngineRunner
from tinyseg.runtime.views import looks
from tinyseg.scoring.scores import score_background, score_each
from tinyseg.steps.beside import look_at, takes_part
from tinyseg.steps.binary_form import MIN_AGREEMENT, write_binary_form
from tinyseg.steps.convert import convert
from tinyseg.steps.evaluate import score, score_made
from tinyseg.steps.images import sample
from tinyseg.steps.marks import UNCHECKED, mark
from tinyseg.steps.run import (
    BinaryForm,
    DataFacts,
    HeldOut,
    NetworkFacts,
    Packing,
    Run,
    WeightsFacts,
)
from tinyseg.steps.session import Session
from tinyseg.steps.verdict import verdict as verdict_on
from tinyseg.steps.verify import COUNT, verify
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.ops.binary_conv_2d import NAME
from tinyseg.tflite.packing import is_packed, packed_bits, unpacked
from tinyseg.verification.gates import Gate, Missed
from tinyseg.verification.trivial import missed_trivial
from tinyseg.verification.verify import Verification, missed_score

if TYPE_CHECKING:
    import tf_keras as keras

log = logging.getLogger(__name__)


def recipe_for(weight_bits: int | None) -> str | None:
    """Return the recipe that trains weights of few bits on; None where the plan's will do."""
    return "qat_wi8_ai8" if weight_bits is not None and weight_bits < 8 else None


def quantize(
    session: Session,
    folder: str | Path | None = None,
    *,
    verify_images: int | None = None,
    max_drop: float | None = None,
    profiled: bool | None = None,
    board: str | None = None,
) -> Run:
    """Quantize a trained network, then score, verify, profile and report the file.

    Writes ``MODEL.tflite``, ``plan.json``, ``split.json``, MLTK's reports and
    ``report.{html,md,json}`` with pictures into ``folder``.

    Args:
        session: trained weights and how to quantize them, see :meth:`Session.to_quantize`.
        folder: where the results go; None for ``build/MODEL/DATA/RECIPE``.
        verify_images: how many test images run on the slow reference interpreters; None for as
            many as they manage, see :func:`tinyseg.steps.verify.verify`.
        max_drop: the most by which mean Dice, or accuracy, may fall, on those and on all test
            images; None for the recipe's.
        profiled: whether MLTK takes part; None for where it is installed.
        board: emulated board that runs the verified images too.

    Returns:
        The run; its ``failures`` are empty if all gates were passed.

    Raises:
        InputError: unusable weights, images or settings; MLTK missing that is asked for.
    """
    max_drop = session.recipe.max_drop if max_drop is None else max_drop
    folder = Path(folder or session.run_folder())
    profiled = takes_part(profiled)  # Before the long part, not after it.
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        # Conversion takes one core; the float network can run on the others.
        ahead: list[Runner] = []
        made, aware = convert(session, folder, lambda: ahead.append(_run_ahead(session, pool)))
        mark(made.file, [UNCHECKED])
        _tell_of_bits(made)
        beside = pool.submit(look_at, made.model, profiled)
        held_out = len(session.images.part("test"))
        log.info("verifying and scoring float and integer network, %d held-out images", held_out)
        verdict = verify(made, verify_images, max_drop, board, float_runner=ahead[0])
        tested = score_both(session, made, verdict, float_runner=ahead[0])
        (profile, mltk_report), boards = beside.result()
    missed = [*verdict.missed, *_missed_on_all(made, tested, verdict, max_drop)]
    agreement = None if aware is None else _agreement(aware, made, verify_images or COUNT)
    missed += _missed_simulation(made, agreement)
    binary = _binary(made, folder, verify_images or COUNT, board)
    missed += binary.missed if binary else ()
    if profile and mltk_report:
        mltk.write(profile, mltk_report, folder, session.plan.model.name)
    run = _run(session, made, tested, verdict, agreement, binary)
    run = _judged(dataclasses.replace(run, profile=profile, missed=tuple(missed)), boards)
    _report(run, session, tested)
    mark(made.file, run.failures)
    return run


def _binary(made: Session, folder: Path, count: int, board: str | None) -> BinaryForm | None:
    """Write the form with binary convolutions, if it is asked for."""
    if made.plan.quantization.target != "xnor":
        return None
    log.info("lowering convolutions of signs to %s", NAME)
    return write_binary_form(made, folder, count, board)


def _judged(run: Run, boards: Sequence[str]) -> Run:
    return dataclasses.replace(run, verdict=tuple(verdict_on(run, boards)))


def _run_ahead(session: Session, pool: concurrent.futures.Executor) -> Runner:
    """Begin to run the float network on the test images."""
    from tinyseg.runtime.keras import KerasRunner

    point = session.preprocessing
    images = looks(point, session.images.part("test").inputs(point))
    return AheadRunner(KerasRunner(session.float_network), images, pool)


def _tell_of_bits(made: Session) -> None:
    """Say that a file does not hold the few bits that were asked for."""
    bits = made.plan.quantization.weight_bits
    if bits < 8 and not is_packed(made.model):
        log.warning(
            "warning: %s: weights of %d bits with their tables would take more than 8 bits each: "
            "they are stored with 8, the file is no smaller",
            made.path,
            bits,
        )


class Tested(NamedTuple):
    """The test part, its scores, what both networks decided, and the score of each image."""

    images: ImageStore
    scores: HeldOut
    floats: np.ndarray
    integers: np.ndarray
    each: list[dict[str, Any]]


def score_both(
    session: Session,
    made: Session,
    verdict: Verification | None = None,
    backend: str | None = None,
    float_runner: Runner | None = None,
) -> Tested:
    """Score the float network and the integer file on the test part, and each of its images.

    Args:
        session: of the float network.
        made: of the file, which runs on kernels whose bytes boards give.
        verdict: on the file; what ran on all images there does not run again.
        backend: that runs the file otherwise, see :func:`tinyseg.runtime.backends.open_runner`.
        float_runner: what runs the float network; None to load it.
    """
    from tinyseg.runtime.keras import KerasRunner

    test, reading = session.images.part("test"), made.reading
    if verdict is not None and verdict.engine_images == len(test):
        outputs, point = verdict.outputs, session.preprocessing
        made_by = ((KerasRunner, outputs["float"]), (EngineRunner, outputs["int8"]))
        (before, floats), (after, integers) = (
            score_made(values, kind.kernels, test, point, reading) for kind, values in made_by
        )
    else:
        ends = (session.preprocessing, reading)
        runner = float_runner or KerasRunner(session.float_network)
        before, floats = score(runner, test, *ends)
        with progress.counter("images of the integer file", len(test)) as advance:
            after, integers = score(made.runner(backend, advance), test, *ends)
    background = None if test.classes else score_background(test)
    rows = zip(test.names, score_each(test, floats), score_each(test, integers), strict=True)
    each = [{"name": name, "float": float(a), "integer": float(b)} for name, a, b in rows]
    return Tested(test, HeldOut(before, after, background), floats, integers, each)


def _missed_on_all(
    made: Session, tested: Tested, verdict: Verification, max_drop: float
) -> list[Missed]:
    """Hold the scores of all test images to the bars too, unless a few of them missed one."""
    path, before, after = str(made.path), tested.scores.floats, tested.scores.integers
    missed = []
    if not verdict.misses(Gate.SCORE):
        both = not made.preprocessing.is_plain
        missed += missed_score(path, tested.images, before, after, max_drop, over_all=both)
    if not verdict.misses(Gate.TRIVIAL):
        missed += missed_trivial(path, tested.images, {"float": before, "tflm": after})
    return missed


def _agreement(aware: keras.Model, made: Session, count: int) -> float:
    """Return the share of decisions that a file, on reference kernels, has of its simulation."""
    from tinyseg.runtime.keras import KerasRunner

    images, ends = sample(made.images.part("test"), count), (made.preprocessing, made.reading)
    _, simulated = score(KerasRunner(aware), images, *ends)
    _, masks = score(made.runner(), images, *ends)
    return float((simulated == masks).mean())


def _missed_simulation(made: Session, agreement: float | None) -> list[Missed]:
    if agreement is None or agreement >= MIN_AGREEMENT:
        return []
    line = (
        f"{made.path}: {agreement:.2%} of the decisions are those of the simulation in Keras, "
        f"{MIN_AGREEMENT:.1%} are asked; report this network"
    )
    return [Missed(Gate.SIMULATION, line)]


def _run(
    session: Session,
    made: Session,
    tested: Tested,
    verdict: Verification,
    agreement: float | None,
    binary: BinaryForm | None,
) -> Run:
    """Put together what is known of a run, without MLTK's figures and the gates missed."""
    plan = session.plan
    return Run(
        folder=made.file.parent,
        model=_network_facts(session),
        task=tested.images.task,
        data=_data_facts(session),
        weights=WeightsFacts(session.float_weights.name, session.trained_on, session.same_data),
        recipe=plan.quantization.recipe,
        io=plan.quantization.io,
        file=made.file.name,
        file_bytes=len(made.model.content),
        file_sha256=files.sha256(made.file),
        test=tested.scores,
        test_images=tested.each,
        simulation_agreement=agreement,
        packing=_packing(made.model),
        verification=verdict,
        xnor=binary,
        profile=None,
        missed=verdict.missed,
        provenance=plans.provenance(),
        operating_point=made.preprocessing.point,
        watched=_watched(session),
    )


def _network_facts(session: Session) -> NetworkFacts:
    from tinyseg.zoo.summary import count_macs

    model, network = session.plan.model, session.network
    return NetworkFacts(
        name=model.name,
        arguments=dict(model.arguments),
        input_shape=list(network.input_shape[1:]),
        parameters=network.count_params(),
        macs=count_macs(network),
    )


def _data_facts(session: Session) -> DataFacts:
    images, labels = session.images, session.images.store.labels
    return DataFacts(
        name=presets.slug(session.plan.data.source),
        fingerprint=session.plan.data.fingerprint,
        images=len(images.store),
        labels={label: labels.count(label) for label in sorted(set(labels))},
        **{part: len(names) for part, names in dataclasses.asdict(images.split).items()},
    )


def _packing(model: TfliteModel) -> Packing | None:
    if not is_packed(model):
        return None
    return Packing(len(unpacked(model).content), packed_bits(model))


def _report(run: Run, session: Session, tested: Tested) -> None:
    """Write the report with its pictures beside the file."""
    from tinyseg.reporting import run_report
    from tinyseg.reporting.examples import worst_first

    examples = worst_first(tested.images, tested.floats, tested.integers)
    run_report.write(run.as_dict(), examples, _history(session), run.folder, run.verdict)


def _watched(session: Session) -> dict[str, Any] | None:
    """Return what rules found in the training run; None if they did not watch."""
    path = session.float_weights.parent / presets.FINDINGS
    return files.read_json(path) if path.is_file() and not session.own else None


def _history(session: Session) -> list[dict[str, str]]:
    path = session.float_weights.parent / presets.HISTORY
    # What lies beside a user's own file is not known to be of its training.
    if session.own or not path.is_file():
        return []
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))
