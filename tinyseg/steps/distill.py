"""Train a student with the help of a trained teacher."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyseg import files
from tinyseg.errors import InputError
from tinyseg.plan import Plan
from tinyseg.steps.session import Session
from tinyseg.steps.train import Trained, finish

if TYPE_CHECKING:
    import tf_keras as keras

    from tinyseg.compression.distillation import Hint
    from tinyseg.data.store import ImageStore
    from tinyseg.training.hooks import Hook

log = logging.getLogger(__name__)

METHODS = ("hints", "soft_masks", "hints_and_soft_masks")


@dataclasses.dataclass(frozen=True)
class Distilled(Trained):
    """A network that was trained with the help of a teacher.

    Attributes:
        hints: pairs of feature maps of teacher and student; none with soft masks alone.
    """

    hints: list[Hint] = dataclasses.field(kw_only=True)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**super().as_dict(), "hints": [hint._asdict() for hint in self.hints]}


def distill(
    plan: Plan,
    teacher: Session,
    folder: str | Path | None = None,
    split_file: str | Path | None = None,
    hooks: Sequence[Hook] = (),
) -> Distilled:
    """Train a student with the help of a teacher; resumes in the phase that was interrupted.

    With hints there are three phases, each in a folder of its own: the encoder's feature maps,
    the decoder's, and the masks; the last writes what :func:`tinyseg.steps.train.train` does. With
    soft masks the teacher's probabilities take part in it.

    Args:
        plan: of the student; its distillation names the weights of the teacher and, for soft
            masks, of more teachers.
        teacher: the trained network.
        folder: where the results go; None for ``build/MODEL/DATA/float``.
        split_file: division of the images; None for the one that the teacher was trained with.
        hooks: follow the last phase, see :class:`tinyseg.training.hooks.Hook`.

    Raises:
        InputError: unusable settings or images, or networks that do not match.
    """
    from tinyseg.compression import distillation
    from tinyseg.training.loop import new_network

    settings = plan.distillation
    _check(plan)
    teacher = teacher.named(settings.teacher)
    for path in settings.ensemble:
        Session.open(path)  # Refuses a file that is not there or not what its plan describes.
    recorded = dataclasses.replace(
        settings,
        teacher_sha256=files.sha256(settings.teacher),
        ensemble_sha256=tuple(map(files.sha256, settings.ensemble)),
    )
    plan = dataclasses.replace(plan, distillation=recorded)
    session = Session(plan, split_file=split_file, parent=teacher)
    folder = Path(folder or session.run_folder("float"))
    master = teacher.network
    student = new_network(plan)
    hints = []
    if "hints" in settings.method:
        hints = distillation.find_hints(master, student, settings.hints)
    images = session.images
    parts = images.part("train"), images.part("validation")
    epochs = {"encoder": settings.encoder_epochs, "decoder": settings.decoder_epochs}
    for phase, count in epochs.items():
        of_phase = [hint for hint in hints if hint.phase == phase]
        if not of_phase:
            continue
        log.info("learning the %s's feature maps", phase)
        learner = distillation.HintLearner(master, student, of_phase)
        _learn_hints(learner, student, _phase_plan(session.plan, count), parts, folder / phase)
    log.info("learning the masks")
    learn_masks(student, teachers_of(session.plan), session.plan, *parts, folder, hooks)
    return Distilled(**vars(finish(student, session, folder)), hints=hints)


def _check(plan: Plan) -> None:
    settings = plan.distillation
    if settings.method not in METHODS:
        raise InputError(f"distillation.method: '{settings.method}' is not {' or '.join(METHODS)}")
    if settings.ensemble and not _soft(plan):
        raise InputError(
            f"distillation.ensemble: {settings.method} has one teacher; take a method of soft masks"
        )


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
    return [Session.open(path).network for path in paths]


def learn_masks(
    student: keras.Model,
    teachers: list[keras.Model],
    plan: Plan,
    training: ImageStore,
    validation: ImageStore,
    folder: str | Path,
    hooks: Sequence[Hook] = (),
) -> None:
    """Train a network on the masks, and on its teachers' soft ones if there are teachers.

    Args:
        student: its weights are trained.
        teachers: trained; they stay as they are.
        plan, training, validation, folder, hooks: as of
            :func:`tinyseg.training.loop.train_network`.
    """
    from tinyseg.compression.distillation import SoftMaskLearner, SoftMaskLoss
    from tinyseg.training.loop import Learner, mask_losses, run_epochs, train_network
    from tinyseg.training.losses import mask_loss

    if not teachers:
        train_network(student, plan, training, validation, folder, hooks)
        return
    settings = plan.distillation
    loss = SoftMaskLoss(settings.teacher_weight, mask_loss(plan.training))
    learner = SoftMaskLearner(teachers, student, settings.mirrored)
    learns = Learner(learner, mask_losses(loss), student)
    run_epochs(learns, plan, training, validation, folder, hooks=hooks)


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
    from tinyseg.training.divergence import Diverged
    from tinyseg.training.loop import Learner, run_epochs

    training, validation = parts
    learns = Learner(learner, {}, student)
    try:
        run_epochs(learns, plan, training, validation, folder, VALIDATION_LOSS)
    except Diverged as error:
        raise error.by("distillation.learning_rate") from None
