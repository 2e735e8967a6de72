"""Check a file on TensorFlow Lite Micro, against its float network, and on a board."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from tinyseg.boards.firmware import OWN, booted
from tinyseg.data.store import ImageStore
from tinyseg.plan import Plan, PreprocessingPlan
from tinyseg.runtime import Runner
from tinyseg.runtime.backends import engine_or_none
from tinyseg.runtime.device import DeviceRunner
from tinyseg.runtime.meaning import Meaning
from tinyseg.steps.border import UntoldError
from tinyseg.steps.evaluate import score
from tinyseg.steps.images import OtherTaskError, sample
from tinyseg.steps.session import Session
from tinyseg.tflite import TfliteModel
from tinyseg.verification import verify as verification
from tinyseg.verification.gates import Gate
from tinyseg.verification.trial import Engine
from tinyseg.verification.trivial import missed_trivial
from tinyseg.verification.verify import MAX_DROP, Verification

# Images on interpreters that take seconds for each.
COUNT = 8

if TYPE_CHECKING:
    import tf_keras as keras


def verify(
    session: Session,
    count: int | None = None,
    max_drop: float | None = None,
    board: str | None = None,
    engine: str = OWN,
    max_work: float = 1.0,
    float_runner: Runner | None = None,
) -> Verification:
    """Verify a ``.tflite`` file on images of the test part.

    Our own engine runs them all where it holds the file; TFLM and TFLite's reference kernels, which
    take seconds an image, then run some. Without it all run the same few.

    The float network takes part if its weights are given, or if the plan beside the file names
    their hash and they are still there; so does an emulated board.

    Args:
        session: of the file.
        count: images that run on TFLM and TFLite's reference kernels, or random inputs of a file
            without masks or classes. None for as many images as they manage in a fixed time, two at
            least; 8 where the engine does not hold the file, and of random inputs.
        max_drop: the most by which the first score may fall; None for 0.01.
        board, engine: emulated board; what runs the network there, ``tinyseg`` or ``tflm``.
        max_work: see :func:`tinyseg.steps.firmware.make_firmware`.
        float_runner: what runs the float network, if it takes part; None to load it.

    Returns:
        The verdict; a file that fails is no error.

    Raises:
        InputError: a damaged file, unusable images or weights, or a board that cannot run it.
    """
    notes: list[str] = []
    model, meaning = session.integers, session.meaning_or_none(notes.append)
    runs = engine_or_none(model, output=meaning.output)
    images, preprocessing, network = _inputs(session, meaning, notes)
    if isinstance(images, int):
        images = count or images
    elif runs is None:
        images = sample(images, count or COUNT)
    runner, twin = _float_twins(network, session.plan)
    booting: contextlib.AbstractContextManager[DeviceRunner | None] = contextlib.nullcontext()
    if board is not None:
        booting = booted(model, preprocessing, board, engine, meaning, max_work)
    with booting as device:
        verdict = verification.verify(
            model,
            images,
            preprocessing or PreprocessingPlan(),
            meaning=meaning,
            float_runner=runner and (float_runner or runner),
            float_twin=twin,
            device=device,
            engine=Engine(runs, count) if runs else None,
            max_drop=MAX_DROP if max_drop is None else max_drop,
        )
    if verdict.misses(Gate.TRIVIAL):
        verdict = _noted(verdict) if _from_elsewhere(session) else _confirmed(session, verdict)
    return dataclasses.replace(verdict, warnings=(*notes, *verdict.warnings))


def _float_twins(
    network: keras.Model | None, plan: Plan
) -> tuple[Runner | None, Callable[[], TfliteModel] | None]:
    """Return the float network, if there is one, and what makes a file of it to compare layers."""
    if network is None:
        return None, None
    from tinyseg.compression.quantization import convert_float
    from tinyseg.runtime.keras import KerasRunner

    def twin() -> TfliteModel:
        return TfliteModel.parse(convert_float(network, plan), "float conversion")

    return KerasRunner(network), twin


def _confirmed(session: Session, verdict: Verification) -> Verification:
    """Take back that a network's answers are trivial if they are so on a few images alone.

    All test images decide: the engine has seen them, without it TensorFlow Lite's fast kernels do.
    Whether anything is found at all does not depend on the last place.
    """
    if verdict.engine_images:
        return verdict
    from tinyseg.runtime.keras import KerasRunner

    test, scores = session.images.part("test"), {}
    ends = (session.preprocessing, session.reading)
    if session.float_network is not None:
        scores["float"], _ = score(KerasRunner(session.float_network), test, *ends)
    scores["tflm"], _ = score(session.runner("tflite"), test, *ends)
    if missed_trivial(str(session.path), test, scores):
        return verdict
    missed = tuple(missed for missed in verdict.missed if missed.gate is not Gate.TRIVIAL)
    return dataclasses.replace(verdict, missed=missed)


def _from_elsewhere(session: Session) -> bool:
    """Whether a file of others, which tell nothing of its images, meets generated ones."""
    return not session.is_stored and session.plan.data.source.startswith("phantom")


def _noted(verdict: Verification) -> Verification:
    """Make trivial answers a warning: a network may be right to find nothing in phantoms."""
    lines = [
        f"{missed.line.partition('; ')[0]}; these are generated phantoms: say --data for images "
        "of its kind"
        for missed in verdict.missed
        if missed.gate is Gate.TRIVIAL
    ]
    left = tuple(missed for missed in verdict.missed if missed.gate is not Gate.TRIVIAL)
    return dataclasses.replace(verdict, missed=left, warnings=(*verdict.warnings, *lines))


def _inputs(
    session: Session, meaning: Meaning, notes: list[str]
) -> tuple[ImageStore | int, PreprocessingPlan | None, keras.Model | None]:
    """Return images of the test part, how they become inputs, and the float network.

    A file that makes neither masks nor classes of an image gets random inputs instead, as does a
    file for another task than the images', or whose input is not known; that is noted.

    Args:
        session, meaning: of the file.
        notes: gets what is noted.
    """
    if meaning.task is not None and session.takes_image:
        try:
            preprocessing = session.preprocessing
            return session.images.part("test"), preprocessing, session.float_network
        except (OtherTaskError, UntoldError) as error:
            if session.trained is not None:
                raise
            notes.append(str(error))
    notes.append(f"{session.path}: random inputs, of which nothing is scored")
    return COUNT, None, None
