"""A trained network makes another: distillation into a student, binarization."""

from __future__ import annotations

import dataclasses
import inspect
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyseg import files
from tinyseg import plan as plans
from tinyseg.errors import InputError
from tinyseg.plan import ModelPlan, Plan
from tinyseg.workflow import Images, finish, load_trained, open_images, plan_of, validation_scores

if TYPE_CHECKING:
    import tf_keras as keras

    from tinyseg.data.store import ImageStore

log = logging.getLogger(__name__)

METHODS = ("hints", "soft_masks", "hints_and_soft_masks")


def successor(trained: Plan, name: str, changes: Mapping[str, Any]) -> Plan:
    """Return the plan of a network that is made from a trained one.

    It has the same data, preprocessing, training settings and seed, and those of the arguments
    that its builder takes too.

    Args:
        trained: plan of the trained network.
        name: of the new network in the zoo.
        changes: values to override, see :func:`tinyseg.plan.override`.

    Raises:
        InputError: unknown network or value.
    """
    from tinyseg.zoo import builder, network

    for one in (trained.model.name, name):
        if network(one).task != "segmentation":
            raise InputError(f"{one}: only networks for segmentation teach or follow others")
    taken = inspect.signature(builder(name)).parameters
    shared = {key: value for key, value in trained.model.arguments.items() if key in taken}
    plan = dataclasses.replace(
        trained,
        model=ModelPlan(name, shared),
        distillation=plans.DistillationPlan(),
        binarization=plans.BinarizationPlan(),
        training=dataclasses.replace(trained.training, initial_weights=""),
        weights="",
    )
    return plans.override(plan, changes)


def distill(
    plan: Plan, teacher: Plan, folder: str | Path, split_file: str | Path | None = None
) -> dict[str, Any]:
    """Train a student with the help of a teacher; resumes in the phase that was interrupted.

    With hints there are three phases, each in a folder of its own: the encoder's feature maps,
    the decoder's, and the masks; the last writes what :func:`tinyseg.workflow.train` does. With
    soft masks the teacher's probabilities take part in it.

    Args:
        plan: of the student; its distillation names the weights of the teacher and, for soft
            masks, of more teachers.
        teacher: plan of the teacher.
        folder: where the results go.
        split_file: division of the images; None for the one that the teacher was trained with.

    Returns:
        ``{"folder", "weights", "hints", "validation": scores}``.

    Raises:
        InputError: unusable settings or images, or networks that do not match.
    """
    from tinyseg.compression import distillation
    from tinyseg.training.fit import new_network

    settings = plan.distillation
    if settings.method not in METHODS:
        raise InputError(f"distillation.method: '{settings.method}' is not {' or '.join(METHODS)}")
    if settings.ensemble and not _soft(plan):
        raise InputError(
            f"distillation.ensemble: {settings.method} has one teacher; take a method of soft masks"
        )
    for path in (settings.teacher, *settings.ensemble):
        plan_of(path)  # Tells of a file that is not there or not what its plan describes.
    recorded = dataclasses.replace(
        settings,
        teacher_sha256=files.sha256(settings.teacher),
        ensemble_sha256=tuple(map(files.sha256, settings.ensemble)),
    )
    plan = dataclasses.replace(plan, distillation=recorded)
    master = load_trained(teacher, settings.teacher)
    student = new_network(plan)
    hints = distillation.find_hints(master, student, settings.hints)
    plan, images = _open_as(teacher, plan, split_file, Path(settings.teacher).parent)
    parts = images.part("train"), images.part("validation")
    epochs = {"encoder": settings.encoder_epochs, "decoder": settings.decoder_epochs}
    for phase, count in epochs.items() if "hints" in settings.method else ():
        of_phase = [hint for hint in hints if hint.phase == phase]
        if not of_phase:
            continue
        log.info("learning the %s's feature maps", phase)
        _learn_hints(
            distillation.HintLearner(master, student, of_phase),
            student,
            _phase_plan(plan, count),
            parts,
            Path(folder) / phase,
        )
    log.info("learning the masks")
    learn_masks(student, teachers_of(plan), plan, *parts, folder)
    result = finish(student, plan, images, folder)
    return {**result, "hints": [hint._asdict() for hint in hints]}


def _soft(plan: Plan) -> bool:
    return "soft_masks" in plan.distillation.method


def teachers_of(plan: Plan) -> list[keras.Model]:
    """Return the teachers whose soft masks a network learns from, none if it has no such.

    A network that was copied without its teachers has none either, and a warning says so.
    """
    if not _soft(plan):
        return []
    settings = plan.distillation
    paths = (settings.teacher, *settings.ensemble)
    for path, digest in zip(
        paths, (settings.teacher_sha256, *settings.ensemble_sha256), strict=True
    ):
        if not Path(path).is_file() or files.sha256(path) != digest:
            log.warning("%s: this teacher is not there; learning from the masks alone", path)
            return []
    return [load_trained(*plan_of(path)) for path in paths]


def learn_masks(
    student: keras.Model,
    teachers: list[keras.Model],
    plan: Plan,
    training: ImageStore,
    validation: ImageStore,
    folder: str | Path,
) -> None:
    """Train a network on the masks, and on its teachers' soft ones if there are teachers.

    Args:
        student: its weights are trained.
        teachers: trained; they stay as they are.
        plan, training, validation, folder: as of :func:`tinyseg.training.fit.fit`.
    """
    from tinyseg.compression.distillation import SoftMaskLearner, SoftMaskLoss
    from tinyseg.training.fit import fit, mask_losses, run_epochs

    if not teachers:
        fit(student, plan, training, validation, folder)
        return
    loss = SoftMaskLoss(plan.distillation.teacher_weight, plan.training.dice_weight)
    learner = SoftMaskLearner(teachers, student)
    run_epochs(learner, mask_losses(loss), student, plan, training, validation, folder)


def _phase_plan(plan: Plan, epochs: int) -> Plan:
    training = dataclasses.replace(
        plan.training,
        epochs=epochs,
        patience=epochs,
        learning_rate=plan.distillation.learning_rate,
    )
    return dataclasses.replace(plan, training=training)


def _learn_hints(
    learner: keras.Model, student: keras.Model, plan: Plan, parts: tuple, folder: Path
) -> None:
    from tinyseg.training.callbacks import VALIDATION_LOSS
    from tinyseg.training.fit import run_epochs

    run_epochs(learner, {}, student, plan, *parts, folder, VALIDATION_LOSS)


def binarize(
    plan: Plan, source: Plan, folder: str | Path, split_file: str | Path | None = None
) -> dict[str, Any]:
    """Start a residual-binarized network from a trained one, then train it on the masks.

    Args:
        plan: of the binarized network; its binarization names the source's weights.
        source: plan of the trained network.
        folder: where the results go.
        split_file: division of the images; None for the one that the source was trained with.

    Returns:
        ``{"folder", "weights", "start": scores before training, "validation": scores}``.

    Raises:
        InputError: unusable settings or images, or networks that do not match.
    """
    from tinyseg.compression.binarization import transfer_weights
    from tinyseg.training.fit import fit, new_network

    settings = plan.binarization
    digest = files.sha256(settings.source)
    plan = dataclasses.replace(
        plan, binarization=dataclasses.replace(settings, source_sha256=digest)
    )
    trained = load_trained(source, settings.source)
    network = new_network(plan)
    plan, images = _open_as(source, plan, split_file, Path(settings.source).parent)
    transfer_weights(trained, network, images.calibration(plan))
    start = validation_scores(network, plan, images)
    fit(network, plan, images.part("train"), images.part("validation"), folder)
    return {**finish(network, plan, images, folder), "start": start}


def _open_as(
    trained: Plan, plan: Plan, split_file: str | Path | None, home: Path
) -> tuple[Plan, Images]:
    """Open a plan's images, divided as for the network it is made from, if they are the same."""
    known = dataclasses.replace(plan.data, fingerprint=trained.data.fingerprint)
    return open_images(dataclasses.replace(plan, data=known), split_file, home)
