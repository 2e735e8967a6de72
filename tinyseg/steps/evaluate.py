"""Score a network or file on a part of its images."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyseg import progress
from tinyseg.data.store import ImageStore
from tinyseg.errors import InputError
from tinyseg.operating_point import OperatingPoint
from tinyseg.plan import PreprocessingPlan
from tinyseg.runtime import Runner
from tinyseg.runtime.meaning import Meaning, plain
from tinyseg.runtime.views import outputs_at
from tinyseg.steps.origin import warn_of_other_images
from tinyseg.steps.session import Session
from tinyseg.tflite.lint import deployable
from tinyseg.verification.scored import decided, score_decided


class UnlikeImagesError(InputError):
    """A network's output is not of the kind of the images."""


def evaluate(session: Session, part: str = "test", backend: str | None = None) -> dict[str, Any]:
    """Score a network or file on one part of its data.

    Args:
        session: a name in the zoo, weights or a ``.tflite`` file.
        part: ``train``, ``validation``, ``test`` or ``all``.
        backend: for ``.tflite``, see :func:`tinyseg.runtime.backends.open_runner`.

    Returns:
        See :func:`score`.

    Raises:
        InputError: unusable images or file, or a part without images.
    """
    if session.is_file:
        deployable(session.model)
    preprocessing, reading = session.preprocessing, session.reading
    images = session.images.filled(part)
    warn_of_other_images(session)
    try:
        if not session.is_file:
            return score(session.runner(), images, preprocessing, reading)[0]
        with progress.counter("images", len(images)) as advance:
            return score(session.runner(backend, advance), images, preprocessing, reading)[0]
    except UnlikeImagesError as error:
        raise UnlikeImagesError(f"{session.path}: {error}") from None


def score(
    runner: Runner,
    images: ImageStore,
    preprocessing: PreprocessingPlan,
    meaning: Meaning | None = None,
) -> tuple[dict[str, Any], np.ndarray]:
    """Run a network on images.

    Args:
        runner: the network.
        images: with what is true of them.
        preprocessing: from pixels to the network's input, and the operating point.
        meaning: of the network's output; None for probabilities of regions or classes.

    Returns:
        Its scores, see :func:`tinyseg.scoring.scores.score_outputs`, with the ``kernels`` that
        they are of, and what it decided, see
        :func:`tinyseg.verification.scored.decided`.

    Raises:
        InputError: the network's output is not of the images' kind.
    """
    outputs = outputs_at(preprocessing, runner, images.inputs(preprocessing), meaning)
    return score_made(outputs, runner.kernels, images, preprocessing, meaning)


def score_made(
    outputs: np.ndarray,
    kernels: str,
    images: ImageStore,
    point: OperatingPoint,
    meaning: Meaning | None = None,
) -> tuple[dict[str, Any], np.ndarray]:
    """Score what a network made of images.

    Args:
        outputs: real values float32 ``(n, ...)``.
        kernels: that made them.
        images, meaning: as of :func:`score`.
        point: of masks, see :func:`tinyseg.decision.decide`.

    Returns:
        As of :func:`score`.

    Raises:
        InputError: the network's output is not of the images' kind.
    """
    meaning = meaning or plain(outputs.shape)
    found = decided(meaning, outputs, images, point)
    if found.shape != images.targets.shape:
        raise UnlikeImagesError(
            f"the network's output is {found.shape[1:]}, the images ask for "
            f"{images.targets.shape[1:]}; take those that it was trained with, or train it anew"
        )
    scores = score_decided(meaning, outputs, images, found)
    return {**scores, "kernels": kernels}, found
