"""What the experiment ``busi_clinic`` does with one network: each a job of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from tinyseg import plan as plans
from tinyseg import presets
from tinyseg.experiments.clinic_plans import (
    FOLD,
    WISH,
    WORK,
    lever_plan,
    teacher_plan,
    teacher_role,
    trial_plan,
    trial_role,
    weights,
)
from tinyseg.plan import Plan
from tinyseg.scoring.scores import score_each
from tinyseg.steps.calibrate import calibrate, store
from tinyseg.steps.distill import distill
from tinyseg.steps.evaluate import evaluate, score
from tinyseg.steps.images import open_images
from tinyseg.steps.quantize import quantize
from tinyseg.steps.session import Session
from tinyseg.steps.train import train


def train_teacher(name: str) -> dict[str, Any]:
    """Train a teacher; return its scores on the validation part."""
    return train(teacher_plan(name, FOLD), WORK / teacher_role(name)).as_dict()


def train_student(plan: Plan, role: str) -> dict[str, Any]:
    """Train a student; return its scores on the validation part."""
    settings, folder = plan.distillation, WORK / role
    if settings.method == "none":
        plan = dataclasses.replace(plan, distillation=plans.DistillationPlan())
        return train(plan, folder).as_dict()
    # Not that of the teachers, which had another fold.
    _, images = open_images(plan)
    split = images.split.write(WORK / f"{role}_split.json")
    return distill(plan, Session.open(settings.teacher), folder, split).as_dict()


def judge(role: str) -> dict[str, Any]:
    """Score each validation image of a network at the threshold 0.5.

    Returns:
        ``dice`` of each image, and ``ill``: whether it has a lesion.
    """
    session = Session.open(weights(role))
    images = session.images.part("validation")
    _, found = score(session.runner(), images, session.preprocessing)
    return {
        "dice": score_each(images, found).tolist(),
        "ill": images.masks.any((1, 2, 3)).tolist(),
    }


def make_file(role: str, point: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Quantize a network; return the size of its file, and of its memory.

    Args:
        role: of the network.
        point: values of the operating point that it gets first.
    """
    if point is not None:
        session = Session.open(weights(role))
        store(session, dataclasses.replace(session.preprocessing, **point).point)
    made = quantize(
        Session.open(weights(role)),
        WORK / f"{role}_int8",
        verify_images=8,
        max_drop=1.0,
        profiled=False,
    )
    check = made.verification
    assert check.arena is not None  # TFLM runs what it verifies here.
    return {
        "path": str(made.path),
        "bytes": made.file_bytes,
        "arena_bytes": check.arena.total,
        "bit_exact": check.bit_exact,
    }


def settle_point(
    paths: tuple[str, ...], wish: str = WISH, mirrored: bool = False
) -> dict[str, Any]:
    """Choose the operating point on the integer files of the fold's students.

    Args:
        paths: of the files.
        wish: see :func:`tinyseg.steps.calibrate.parse_wish`.
        mirrored: whether mirror images are seen too.
    """
    first, *others = map(Session.open, paths)
    folder = WORK / "calibration"
    return calibrate(first, wish, others, folder, mirrored=mirrored).as_dict()


def test_final(role: str, file: str) -> dict[str, Any]:
    """Score a final network and its file on the test part, at their operating point."""
    return {
        "float": evaluate(Session.open(weights(role)), "test"),
        "integers": evaluate(Session.open(file), "test"),
    }


def pull_lever(name: str) -> dict[str, Any]:
    """Train a student for a few epochs without a lever, or with one more, and judge it."""
    role = f"short_{presets.slug(name)}"
    train_student(lever_plan(name), role)
    return judge(role)


def judge_point(role: str) -> dict[str, Any]:
    """Return what a network reaches on the validation images at its best operating point."""
    found = calibrate(Session.open(weights(role)), WISH, folder=WORK / f"{role}_calibration")
    return {"presence_auc": found.presence.area, **found.chosen.as_dict()}


def try_plan(name: str) -> dict[str, Any]:
    """Train what else was tried, and judge it at its best operating point."""
    plan, role = trial_plan(name), trial_role(name)
    train_student(plan, role)
    return {"epochs": plan.training.epochs, **judge_point(role)}
