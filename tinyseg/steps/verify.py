"""Check a file on TensorFlow Lite Micro, against its float network, and on a board."""

from __future__ import annotations

import contextlib
import dataclasses

from tinyseg.boards.firmware import OWN, booted
from tinyseg.steps.evaluate import score
from tinyseg.steps.images import sample
from tinyseg.steps.session import Session
from tinyseg.tflite import TfliteModel
from tinyseg.verification import verify as verification
from tinyseg.verification.gates import Gate
from tinyseg.verification.trivial import missed_trivial
from tinyseg.verification.verify import MAX_DROP, Verification


def verify(
    session: Session,
    count: int = 8,
    max_drop: float | None = None,
    board: str | None = None,
    engine: str = OWN,
) -> Verification:
    """Verify a ``.tflite`` file on images of the test part.

    The float network takes part if its weights are given, or if the plan beside the file names
    their hash and they are still there; so does the emulated board, if one is named.

    Args:
        session: of the file.
        count: images that run on the slow reference interpreters.
        max_drop: the most by which the first score may fall; None for 0.01.
        board: emulated board.
        engine: what runs the network there, ``tinyseg`` or ``tflm``.

    Returns:
        The verdict; a file that fails is no error.

    Raises:
        InputError: a damaged file, unusable images or weights, or a board that cannot run it.
    """
    from tinyseg.compression.quantization import convert_float
    from tinyseg.runtime.keras import KerasRunner

    model, images, network = session.integers, session.images, session.float_network
    twin = runner = device = None
    if network is not None:
        twin = TfliteModel.parse(convert_float(network, session.plan), "float conversion")
        runner = KerasRunner(network)
    with contextlib.ExitStack() as stack:
        if board is not None:
            device = stack.enter_context(booted(model, session.preprocessing, board, engine))
        verdict = verification.verify(
            model,
            sample(images.part("test"), count),
            session.preprocessing,
            float_runner=runner,
            float_twin=twin,
            device=device,
            max_drop=MAX_DROP if max_drop is None else max_drop,
        )
    return _confirmed(session, verdict) if verdict.misses(Gate.TRIVIAL) else verdict


def _confirmed(session: Session, verdict: Verification) -> Verification:
    """Take back that a network's answers are trivial if they are so on a few images alone.

    All test images decide, on TensorFlow Lite's fast kernels: whether anything is found at all
    does not depend on the last place.
    """
    from tinyseg.runtime.keras import KerasRunner

    test, scores = session.images.part("test"), {}
    if session.float_network is not None:
        scores["float"], _ = score(KerasRunner(session.float_network), test, session.preprocessing)
    scores["tflm"], _ = score(session.runner("tflite"), test, session.preprocessing)
    if missed_trivial(str(session.path), test, scores):
        return verdict
    missed = tuple(missed for missed in verdict.missed if missed.gate is not Gate.TRIVIAL)
    return dataclasses.replace(verdict, missed=missed)
