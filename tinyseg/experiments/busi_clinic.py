"""A network for breast ultrasound that finds lesions and leaves healthy images blank.

Teachers on an encoder that learned ImageNet teach a student of at most 60,000 parameters, on
images that are changed at random and mixed. All choices, that of the operating point among them,
are made on the validation images of one fold, on which the levers are taken away or added one by
one too. The student then goes on at a lower rate with all that is not of the test part, which is
scored once. See ``docs/protocol.md``.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

from tinyseg import files, presets
from tinyseg import plan as plans
from tinyseg.experiments import FRESH, OUTPUT, clinic_page
from tinyseg.experiments.jobs import Jobs
from tinyseg.plan import Plan
from tinyseg.scoring.scores import score_each
from tinyseg.steps.calibrate import calibrate, store
from tinyseg.steps.distill import distill
from tinyseg.steps.evaluate import evaluate, score
from tinyseg.steps.images import open_images
from tinyseg.steps.quantize import quantize
from tinyseg.steps.session import Session
from tinyseg.steps.train import train

WORK = Path("build/experiments/busi_clinic")
WISH = "most-dice"
# Of the fold that decides; the final networks have none.
FOLD, NONE = 0, -1
# Epochs of the student, whose best one is found on the fold; of going on from it, which ends with
# the last; and of a row of the ablation.
LONG, FINAL, SHORT = 80, 16, 30

_MIXED = {"training.mix": 0.5, "training.average": 0.99, "training.presence_weight": 0.2}
# By name the seed, the epochs and what differs from a plain training run.
TEACHERS: Mapping[str, tuple[int, int, Mapping[str, Any]]] = MappingProxyType(
    {"mixed": (1, 40, _MIXED), "plain": (0, 24, {})}
)
# What the student is without one lever, or with one more.
LEVERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "all": {},
        "without teachers": {"distillation.method": "none"},
        "with one teacher": {"distillation.ensemble": ()},
        "with hints beside": {
            "distillation.method": "hints_and_soft_masks",
            "distillation.encoder_epochs": 5,
            "distillation.decoder_epochs": 5,
            "training.epochs": SHORT - 10,
        },
        "without mixing": {"training.mix": 0.0},
        "with cutmix": {"training.mix_by": "cutmix"},
        "with pasted lesions": {"training.paste": 0.3},
        "without presence": {"training.presence_weight": 0.0},
        "without averaging": {"training.average": 0.0},
        "with Tversky": {"training.miss_weight": 0.7},
        "with focal Tversky": {"training.miss_weight": 0.7, "training.focal": 0.75},
        "from random weights": {"training.initial_weights": ""},
        "with rates by depth": {"training.stage_rate": 0.7},
        "with a frozen stage": {"training.frozen_stages": 1, "training.frozen_norms": True},
    }
)


def _plan(model: Mapping[str, Any], training: Mapping[str, Any], fold: int) -> Plan:
    epochs = training["epochs"]
    return plans.from_mapping(
        {
            "model": {"name": "encoder_unet", "arguments": dict(model)},
            "data": {
                "source": "busi",
                "fractions": [0.65, 0.15, 0.2],
                "folds": 5,
                "fold": fold,
            },
            "preprocessing": {"height": 128, "width": 128, "channels": 1},
            "training": {
                "patience": epochs,
                "batch_size": 8,
                "precision": "float32",
                "augment_wide": True,
                "initial_weights": "pretrained",
                **training,
            },
            "quantization": {"lower": "patches", "equalize": True, "calibration_images": 64},
        }
    )


def teacher_plan(name: str, fold: int) -> Plan:
    """Return the plan of a teacher, see ``TEACHERS``."""
    seed, epochs, changes = TEACHERS[name]
    model = {"encoder": "efficientnet_lite0", "decoder_width": 16}
    plan = _plan(model, {"epochs": epochs, "learning_rate": 1e-3}, fold)
    return plans.override(dataclasses.replace(plan, seed=seed), changes)


def student_plan(fold: int, epochs: int) -> Plan:
    """Return the plan of a student of all teachers."""
    model = {"encoder": "mobilenet_v1_025", "decoder_width": 8}
    plan = _plan(model, {"epochs": epochs, "learning_rate": 3e-3}, fold)
    first, *others = (str(_weights(f"teacher_{name}")) for name in TEACHERS)
    lessons = {
        "distillation.method": "soft_masks",
        "distillation.teacher": first,
        "distillation.ensemble": tuple(others),
        "distillation.teacher_weight": 0.7,
    }
    return plans.override(plan, {**_MIXED, **lessons})


def final_plan() -> Plan:
    """Return the plan by which the student goes on with all images but those of the test part."""
    changes = {
        "training.initial_weights": str(_weights("student")),
        "training.learning_rate": 1e-3,
    }
    return plans.override(student_plan(NONE, FINAL), changes)


def _weights(role: str) -> Path:
    return WORK / role / presets.WEIGHTS


def train_teacher(name: str) -> dict[str, Any]:
    """Train a teacher; return its scores on the validation part."""
    return train(teacher_plan(name, FOLD), WORK / f"teacher_{name}").as_dict()


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
    session = Session.open(_weights(role))
    images = session.images.part("validation")
    _, found = score(session.runner(), images, session.preprocessing)
    return {
        "dice": score_each(images, found).tolist(),
        "ill": images.masks.any((1, 2, 3)).tolist(),
    }


def make_file(role: str) -> dict[str, Any]:
    """Quantize a network; return the size of its file, and of its memory."""
    made = quantize(
        Session.open(_weights(role)),
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


def settle_point(file: str) -> dict[str, Any]:
    """Choose the operating point on the fold's integer file, and give it to the final network."""
    found = calibrate(Session.open(file), WISH, folder=WORK / "calibration")
    store(Session.open(_weights("final")), found.chosen.point)
    return found.as_dict()


def test_final(file: str) -> dict[str, Any]:
    """Score the final network and its file on the test part, at their operating point."""
    return {
        "float": evaluate(Session.open(_weights("final")), "test"),
        "integers": evaluate(Session.open(file), "test"),
    }


def ablation(jobs: Jobs, chosen: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Train the student for a few epochs without each lever, or with one more.

    Args:
        jobs: keeps what each run returns.
        chosen: names of ``LEVERS``; None for all.
    """
    rows = {name: f"short_{presets.slug(name)}" for name in chosen or LEVERS}
    work = {
        f"train {role}": (
            train_student,
            (plans.override(student_plan(FOLD, SHORT), LEVERS[name]), role),
        )
        for name, role in rows.items()
    }
    trained = jobs.run(work)
    judged = jobs.run({f"judge {role}": (judge, (role,)) for role in rows.values()})
    return {
        name: {**judged[f"judge {role}"], "seconds": trained[f"train {role}"]["seconds"]}
        for name, role in rows.items()
    }


def final(jobs: Jobs) -> dict[str, Any]:
    """Train the student of the fold and the final one, choose the point, score the test part."""
    trained = jobs.run({f"teacher {name}": (train_teacher, (name,)) for name in TEACHERS})
    trained |= jobs.run({"student": (train_student, (student_plan(FOLD, LONG), "student"))})
    trained |= jobs.run({"final": (train_student, (final_plan(), "final"))})
    made = jobs.run({"file student": (make_file, ("student",))})
    point = jobs.run({"point": (settle_point, (made["file student"]["path"],))})["point"]
    made |= jobs.run({"file final": (make_file, ("final",))})
    tested = jobs.run({"test": (test_final, (made["file final"]["path"],))})["test"]
    return {
        "validation": {name: run["validation"] for name, run in trained.items()},
        "file": made["file final"],
        "point": point,
        "test": tested,
        "seconds": sum(run["seconds"] for run in (*trained.values(), *made.values())),
    }


@click.command()
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Processes.")
@OUTPUT
@click.option(
    "--epochs", type=click.IntRange(1), default=80, show_default=True, help="Of students."
)
@click.option("--levers", help="Rows of the ablation, by commas; all of them if not told.")
@FRESH
def main(jobs: int, output: Path, levers: str | None, fresh: bool) -> None:
    """Train a small network that leaves healthy images blank, and say what helps."""
    results = output / "busi_clinic"
    if fresh:
        shutil.rmtree(WORK, ignore_errors=True)
        shutil.rmtree(results, ignore_errors=True)
    runner = Jobs(results, jobs)
    result = {"short": SHORT, **final(runner)}
    chosen = tuple(name.strip() for name in levers.split(",")) if levers else None
    result["ablation"] = ablation(runner, chosen)
    files.write_json(output / "busi_clinic.json", result)
    clinic_page.write(result, output / "busi_clinic.md")


if __name__ == "__main__":
    main()
