"""The second round of the experiment ``busi_small``: the final networks.

Teachers, students from scratch and students with hints and soft masks are trained for fixed numbers
of epochs on every image that is not of the test part, with three seeds, and scored on it.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from tinyseg import plan as plans
from tinyseg import presets
from tinyseg.experiments.jobs import Jobs
from tinyseg.experiments.runs import RECIPE_NAMES, of_files, quantize_and_score, score_file
from tinyseg.plan import Plan
from tinyseg.steps.distill import distill
from tinyseg.steps.session import Session
from tinyseg.steps.train import train

SEEDS = 3
WORK = Path("build/experiments/busi_small/final")
STUDENTS = ("scratch", "distilled")


@dataclasses.dataclass(frozen=True)
class Effort:
    """How long everything is trained, in epochs, and by how many teachers."""

    teacher: int = 70
    hints: int = 10
    masks: int = 80
    teachers: int = 2


def folder(role: str, seed: int) -> Path:
    """Return where a network of this round lies."""
    return WORK / role / f"seed{seed}"


def weights(role: str, seed: int) -> Path:
    """Return its weights file."""
    return folder(role, seed) / presets.WEIGHTS


def train_plain(plan: Plan, role: str, seed: int) -> dict[str, Any]:
    """Train a teacher, or a student from scratch."""
    return train(dataclasses.replace(plan, seed=seed), folder(role, seed)).as_dict()


def train_distilled(plan: Plan, seed: int, effort: Effort) -> dict[str, Any]:
    """Train a student on the feature maps of one teacher, then on the soft masks of all."""
    first, *others = (str(weights("teacher", each)) for each in range(effort.teachers))
    settings = plans.DistillationPlan(
        method="hints_and_soft_masks",
        teacher=first,
        ensemble=tuple(others),
        encoder_epochs=effort.hints,
        decoder_epochs=effort.hints,
        learning_rate=2e-3,
        teacher_weight=0.6,
    )
    plan = dataclasses.replace(plan, distillation=settings, seed=seed)
    return distill(plan, Session.open(first), folder("distilled", seed)).as_dict()


def _lasting(plan: Plan, epochs: int) -> Plan:
    """Return a plan without a validation part that lasts for so many epochs."""
    changes = {"data.fold": -1, "training.epochs": epochs, "training.patience": epochs}
    return plans.override(plan, changes)


def _to_quantize() -> dict[str, tuple]:
    """Return the jobs that quantize every student by every recipe."""
    return {
        f"final {role} {recipe} {seed}": (
            quantize_and_score,
            (
                weights(role, seed),
                folder(f"{role}_{recipe}", seed),
                {"quantization.recipe": full_name},
            ),
        )
        for role in STUDENTS
        for recipe, full_name in RECIPE_NAMES.items()
        for seed in range(SEEDS)
    }


def compare(jobs: Jobs, student: Plan, teacher: Plan) -> dict[str, Any]:
    """Train, quantize and score the final networks.

    Args:
        jobs: keeps what each run returns.
        student: plan of the students; how long they learn is settled here.
        teacher: plan of the teachers; likewise.

    Returns:
        By role the test scores of the seeds, and the files of the quantized ones.
    """
    effort, seeds = Effort(), range(SEEDS)
    teacher = _lasting(teacher, effort.teacher)
    student = plans.override(student, {"training.augment_wide": True})
    long = _lasting(student, 2 * effort.hints + effort.masks)
    student = _lasting(student, effort.masks)
    trained = jobs.run(
        {
            f"final teacher {each}": (train_plain, (teacher, "teacher", each))
            for each in range(effort.teachers)
        }
    )
    trained |= jobs.run(
        {
            **{
                f"final distilled {seed}": (train_distilled, (student, seed, effort))
                for seed in seeds
            },
            **{f"final scratch {seed}": (train_plain, (long, "scratch", seed)) for seed in seeds},
        }
    )
    made = jobs.run(_to_quantize())
    counted = {"teacher": range(effort.teachers), **dict.fromkeys(STUDENTS, seeds)}
    tested = jobs.run(
        {
            f"final test {role} {seed}": (score_file, (weights(role, seed), "test"))
            for role, numbers in counted.items()
            for seed in numbers
        }
    )
    runs = {
        role: [tested[f"final test {role} {seed}"] for seed in numbers]
        for role, numbers in counted.items()
    }
    quantized = {
        f"{role}_{recipe}": [made[f"final {role} {recipe} {seed}"] for seed in seeds]
        for role in STUDENTS
        for recipe in RECIPE_NAMES
    }
    runs |= {role: [run["test"] for run in results] for role, results in quantized.items()}
    return {
        "effort": dataclasses.asdict(effort),
        "runs": runs,
        "files": of_files(quantized),
        "seconds": sum(run["seconds"] for run in (*trained.values(), *made.values())),
    }
