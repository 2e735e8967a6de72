"""The second round of the experiment ``busi_small``: the final networks.

Teachers, students from scratch and students with hints and soft masks are trained for fixed numbers
of epochs on every image that is not of the test part, with three seeds, and scored on it. On one
fold the recipe is tried beside that, to tell its validation Dice.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from tinyseg import plan as plans
from tinyseg import presets, transfer, workflow
from tinyseg.experiments.jobs import Jobs
from tinyseg.experiments.runs import (
    RECIPES,
    headline,
    of_files,
    quantize,
    score,
)
from tinyseg.plan import Plan

SEEDS = 3
# Folds for validation: one to try the recipe on, none for the final networks.
TRIED, FINAL = 0, -1
WORK = Path("build/experiments/busi_small")
STUDENTS = ("scratch", "distilled")
# The seed whose network is published, fixed before any of them was trained.
PUBLISHED_SEED = 0


@dataclasses.dataclass(frozen=True)
class Effort:
    """How long everything is trained, in epochs, and by how many teachers."""

    teacher: int = 70
    hints: int = 10
    masks: int = 80
    teachers: int = 2


def folder(role: str, fold: int, seed: int) -> Path:
    """Return where a network of this round lies."""
    stage = "final" if fold == FINAL else "tried"
    return WORK / stage / role / f"seed{seed}"


def weights(role: str, fold: int, seed: int) -> Path:
    """Return its weights file."""
    return folder(role, fold, seed) / presets.WEIGHTS


def train_plain(plan: Plan, role: str, fold: int, seed: int) -> dict[str, Any]:
    """Train a teacher, or a student from scratch."""
    return workflow.train(_placed(plan, fold, seed), folder(role, fold, seed))


def train_distilled(plan: Plan, fold: int, seed: int, effort: Effort) -> dict[str, Any]:
    """Train a student on the feature maps of one teacher, then on the soft masks of all."""
    first, *others = (str(weights("teacher", fold, each)) for each in range(effort.teachers))
    settings = plans.DistillationPlan(
        method="hints_and_soft_masks",
        teacher=first,
        ensemble=tuple(others),
        encoder_epochs=effort.hints,
        decoder_epochs=effort.hints,
        learning_rate=2e-3,
        teacher_weight=0.8,
    )
    plan = dataclasses.replace(_placed(plan, fold, seed), distillation=settings)
    return transfer.distill(plan, plans.beside(first), folder("distilled", fold, seed))


def _placed(plan: Plan, fold: int, seed: int) -> Plan:
    return plans.override(plan, {"data.fold": fold, "seed": seed})


def _lasting(plan: Plan, epochs: int) -> Plan:
    return plans.override(plan, {"training.epochs": epochs, "training.patience": epochs})


def compare(jobs: Jobs, student: Plan, teacher: Plan) -> dict[str, Any]:
    """Try the recipe on a fold, then train, quantize and score the final networks.

    Args:
        jobs: keeps what each run returns.
        student: plan of the students.
        teacher: plan of the teachers.

    Returns:
        By role the test scores of the seeds, the files of the quantized ones, and the validation
        Dice on the fold.
    """
    effort, seeds = Effort(), range(SEEDS)
    teacher = _lasting(teacher, effort.teacher)
    long = _lasting(student, 2 * effort.hints + effort.masks)
    student = _lasting(student, effort.masks)
    places = {"final": FINAL, "tried": TRIED}
    trained = jobs.run(
        {
            f"{stage} teacher {each}": (train_plain, (teacher, "teacher", fold, each))
            for stage, fold in places.items()
            for each in range(effort.teachers)
        }
    )
    students = [*(("final", seed) for seed in seeds), ("tried", 0)]
    trained |= jobs.run(
        {
            name: job
            for stage, seed in students
            for name, job in (
                (
                    f"{stage} distilled {seed}",
                    (train_distilled, (student, places[stage], seed, effort)),
                ),
                (
                    f"{stage} scratch {seed}",
                    (train_plain, (long, "scratch", places[stage], seed)),
                ),
            )
        }
    )
    made = jobs.run(
        {
            f"final distilled {recipe} {seed}": (
                quantize,
                (
                    weights("distilled", FINAL, seed),
                    folder(f"distilled_{recipe}", FINAL, seed),
                    {"quantization.recipe": full_name},
                ),
            )
            for recipe, full_name in RECIPES.items()
            for seed in seeds
        }
    )
    counted = {"teacher": range(effort.teachers), **dict.fromkeys(STUDENTS, seeds)}
    tested = jobs.run(
        {
            f"final test {role} {seed}": (score, (weights(role, FINAL, seed), "test"))
            for role, numbers in counted.items()
            for seed in numbers
        }
    )
    runs = {
        role: [tested[f"final test {role} {seed}"] for seed in numbers]
        for role, numbers in counted.items()
    }
    quantized = {
        f"distilled_{recipe}": [made[f"final distilled {recipe} {seed}"] for seed in seeds]
        for recipe in RECIPES
    }
    runs |= {role: [run["test"] for run in results] for role, results in quantized.items()}
    return {
        "effort": dataclasses.asdict(effort),
        "validation": {
            role: headline(trained[f"tried {role} 0"]["validation"])
            for role in ("teacher", *STUDENTS)
        },
        "runs": runs,
        "files": of_files(quantized),
        "published_seed": PUBLISHED_SEED,
        "seconds": sum(run["seconds"] for run in (*trained.values(), *made.values())),
    }
