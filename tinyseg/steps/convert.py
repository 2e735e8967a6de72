"""From a Keras network to an integer ``.tflite`` file."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinyseg import files
from tinyseg import plan as plans
from tinyseg.compression.recipe import parse
from tinyseg.errors import InputError
from tinyseg.keras_files.description import fingerprint
from tinyseg.plan import Plan
from tinyseg.steps import distill
from tinyseg.steps.images import SPLIT, Images
from tinyseg.steps.origin import warn_of_other_images
from tinyseg.steps.session import Session
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.lowering import lower
from tinyseg.tflite.packing import pack

if TYPE_CHECKING:
    import tf_keras as keras

log = logging.getLogger(__name__)

LOWER = ("none", "exact", "patches")


def convert(
    session: Session, folder: Path, begun: Callable[[], None] = lambda: None
) -> tuple[Session, keras.Model | None]:
    """Write a network's integer file, with its plan and the division of its images.

    Where the recipe trains with the rounding in place, that resumes where it was interrupted.

    Args:
        session: trained weights and how to quantize them.
        folder: where ``MODEL.tflite``, ``plan.json`` and ``split.json`` go.
        begun: called once weights and images are open, before the long part.

    Returns:
        The session of the file, and the network that simulates it, see :func:`to_integers`.

    Raises:
        InputError: unusable settings, weights or images.
    """
    _open(session)
    begun()
    plan, images = session.plan, session.images
    log.info("quantizing %s with %s", plan.model.name, plan.quantization.recipe)
    content, aware = to_integers(
        session.float_network,
        plan,
        images.calibration(plan),
        lambda aware: train_simulation(aware, plan, images, folder / "training"),
    )
    path = files.write_bytes(folder / f"{plan.model.name}.tflite", content)
    images.split.write(folder / SPLIT)
    plans.write(plan, folder, path)
    return session.converted(path), aware


def _open(session: Session) -> None:
    """Load the weights, then open the images; warn if the weights know others."""
    if session.network is None:
        raise InputError(f"{session.path}: give the weights of the float network to quantize it")
    session.plan = dataclasses.replace(session.plan, weights=fingerprint(session.float_weights))
    warn_of_other_images(session)


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

    settings = plan.quantization
    trained = parse(settings.recipe).method == "qat"
    few = settings.weight_bits < 8 or is_binarized(network)
    aware = None
    if trained or few:
        aware = quantization_aware(network, calibration, settings.weight_bits)
        if trained and train is not None:
            train(aware)
        content = quantization.convert_quantization_aware(aware, plan)
    else:
        content = quantization.convert_post_training(network, plan, calibration)
    if few:
        content = pack(content)
    return lowered(content, plan), aware


def lowered(content: bytes, plan: Plan) -> bytes:
    """Apply the passes that a plan asks for to a file.

    Raises:
        InputError: no such way.
    """
    how = plan.quantization.lower
    if how not in LOWER:
        raise InputError(f"quantization.lower: '{how}' is unknown; choose from {', '.join(LOWER)}")
    if how == "none":
        return content
    without = () if plan.quantization.io == "integer" else ("integer_border",)
    model = TfliteModel.parse(content, plan.model.name)
    return lower(model, without=without, patches=how == "patches").model.content


def train_simulation(aware: keras.Model, plan: Plan, images: Images, folder: Path) -> None:
    """Go on training with the rounding of the integer form; resumes where it was interrupted.

    A student of soft masks goes on learning from its teachers.

    Args:
        aware: simulates the file.
        plan: its quantization has epochs and learning rate.
        images: of the plan.
        folder: for the training's state.
    """
    from tinyseg.training.divergence import Diverged

    settings = dataclasses.replace(
        plan.training,
        epochs=plan.quantization.epochs,
        learning_rate=plan.quantization.learning_rate,
        warmup_epochs=0.0,
        patience=plan.quantization.epochs,
    )
    plan = dataclasses.replace(plan, training=settings)
    parts = images.part("train"), images.part("validation")
    try:
        distill.learn_masks(aware, distill.teachers_of(plan), plan, *parts, folder)
    except Diverged as error:
        raise error.by("quantization.learning_rate") from None
