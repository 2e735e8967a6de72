"""Score a network or file on a part of its images."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyseg.data.store import ImageStore
from tinyseg.errors import InputError
from tinyseg.plan import PreprocessingPlan
from tinyseg.runtime import Runner
from tinyseg.runtime.meaning import Meaning, plain
from tinyseg.runtime.runner import predict
from tinyseg.scoring.scores import decide, score_outputs
from tinyseg.steps.session import Session
from tinyseg.verification.scored import deciding


def evaluate(session: Session, part: str = "test", backend: str = "tflite") -> dict[str, Any]:
    """Score a network or file on one part of its data.

    Args:
        session: a name in the zoo, weights or a ``.tflite`` file.
        part: ``train``, ``validation``, ``test`` or ``all``.
        backend: for ``.tflite``: ``tflite``, ``reference`` or ``tflm``.

    Returns:
        See :func:`tinyseg.scoring.scores.score_outputs`.

    Raises:
        InputError: unusable images or file, or a part without images.
    """
    preprocessing, reading = session.preprocessing, session.reading
    images = session.images
    runner = session.runner(backend)
    return score(runner, images.filled(part), preprocessing, reading)[0]


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
        preprocessing: from pixels to the network's input, and the threshold.
        meaning: of the network's output; None for probabilities of regions or classes.

    Returns:
        Its scores, and what it decided, see :func:`tinyseg.scoring.scores.decide`.

    Raises:
        InputError: the network's output is not of the images' kind.
    """
    outputs, threshold = predict(runner, images.inputs(preprocessing)), preprocessing.threshold
    found = deciding(meaning or plain(outputs.shape), outputs, images)
    if found.shape != images.targets.shape:
        raise InputError(
            f"the network's output is {found.shape[1:]}, the images ask for "
            f"{images.targets.shape[1:]}; take those that it was trained with, or train it anew"
        )
    return score_outputs(images, found, threshold), decide(found, threshold)
