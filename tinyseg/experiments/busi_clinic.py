"""A network for breast ultrasound that finds lesions and leaves healthy images blank.

Teachers on an encoder that learned ImageNet teach a student of at most 60,000 parameters, on
images that are changed at random and mixed. All choices, that of the operating point among them,
are made on the validation images of one fold, on which levers are taken away or added one by one
too. There were five rounds. In the first the student goes on at a lower rate with all that is not
of the test part. In the second labels are balanced and presence counts more, and final networks
learn from the start with all that is not of the test part, their last weights being kept as those
of the fold's student are. In the third a network without an encoder learns from the same teachers;
the final one starts from where the fold's student does and learns for as many epochs. In the fourth
both go on, with labels balanced and more presence. In the fifth the third is done again, longer and
on images that differ more, and the point is the one with most Dice with a lesion among those that
mark at most a quarter of the healthy images. The last three rounds have final networks only if the
student is better on the validation images than the first one is by the same wish. The test part is
scored once for each final network; ``docs/protocol.md``.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from tinyseg import files, presets
from tinyseg import plan as plans
from tinyseg.experiments import FRESH, OUTPUT, clinic_mirror, clinic_page
from tinyseg.experiments.clinic_failures import show_failures
from tinyseg.experiments.clinic_plans import (
    FIFTH,
    FINAL,
    FIRST_LONG,
    FOLD,
    FOURTH,
    LEVERS,
    LIMIT,
    LONG,
    NONE,
    POINT_SEEDS,
    SEEDS,
    SHORT,
    START,
    TEACHERS,
    THIRD,
    TRIALS,
    WISH,
    WORK,
    fifth_plan,
    first_final_plan,
    first_student_plan,
    fourth_plan,
    lever_plan,
    student_plan,
    teacher_plan,
    teacher_role,
    third_plan,
    trial_plan,
    trial_role,
    weights,
)
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

# Made of the first round's final network, which is what its failures are shown of.
PUBLISHED = Path("models/encoder_unet/busi/encoder_unet.tflite")


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


def settle_point(paths: tuple[str, ...], wish: str = WISH) -> dict[str, Any]:
    """Choose the operating point on the integer files of the fold's students.

    Args:
        paths: of the files.
        wish: see :func:`tinyseg.steps.calibrate.parse_wish`.
    """
    first, *others = map(Session.open, paths)
    return calibrate(first, wish, others, WORK / "calibration").as_dict()


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


def trials(jobs: Jobs) -> dict[str, Any]:
    """Train what else was tried on the fold; return it beside the students of the fold."""
    students = {
        "first student, its best epoch": (FIRST_LONG, "student"),
        "second student": (LONG, f"student {POINT_SEEDS[0]}"),
        "third student: lw_unet, 112 x 112": (THIRD, "third student"),
        "fourth student: the third goes on": (FOURTH, "fourth student"),
        "fifth student: as the third, images differ more": (FIFTH, "fifth student"),
    }
    judged = jobs.run(
        {f"judged {name}": (judge_point, (_role(name),)) for _, name in students.values()}
    )
    names = {name: f"trial {name}" for name in TRIALS}
    rows = jobs.run({job: (try_plan, (name,)) for name, job in names.items()})
    return {
        **{
            title: {"epochs": epochs, **judged[f"judged {name}"]}
            for title, (epochs, name) in students.items()
        },
        **{name: rows[job] for name, job in names.items()},
    }


def ablation(jobs: Jobs, chosen: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Train the student for a few epochs without each lever, or with one more.

    Args:
        jobs: keeps what each run returns.
        chosen: names of ``LEVERS``; None for all.
    """
    names = {name: f"lever {name}" for name in chosen or LEVERS}
    rows = jobs.run({job: (pull_lever, (name,)) for name, job in names.items()})
    return {name: rows[job] for name, job in names.items()}


def _role(name: str) -> str:
    return name.replace(" ", "_")


def better(one: Mapping[str, Any], other: Mapping[str, Any], wish: str = WISH) -> bool:
    """Return whether a network has more Dice, each at its point for a wish.

    With a lesion and over all; with a lesion alone if the wish limits false alarms.
    """
    keys = ("lesion_dice", "dice") if wish == WISH else ("lesion_dice",)
    return all(one[key] > other[key] for key in keys)


def _train(jobs: Jobs, networks: Mapping[str, Plan]) -> dict[str, Any]:
    return jobs.run({name: (train_student, (plan, _role(name))) for name, plan in networks.items()})


def run_round(
    jobs: Jobs,
    students: Mapping[str, Plan],
    finals: Mapping[str, Plan],
    bar: Mapping[str, Any] | None = None,
    wish: str = WISH,
) -> dict[str, Any]:
    """Train students of the fold, choose the point, train final networks and score the test part.

    Args:
        jobs: keeps what each run returns.
        students: plans by name; their integer files choose the point.
        finals: plans of the networks that get it.
        bar: scores of an earlier student at its point: if they are not exceeded there are no final
            networks, and the test part stays unseen; None if there are anyway.
        wish: what the point is chosen for.
    """
    trained = _train(jobs, students)
    made = jobs.run({f"file {name}": (make_file, (_role(name),)) for name in students})
    paths = tuple(file["path"] for file in made.values())
    job = f"point of {next(iter(students))}"
    chosen = (point := jobs.run({job: (settle_point, (paths, wish))})[job])["chosen"]
    if bar is not None and not better(chosen, bar, wish):
        finals = {}
    trained |= _train(jobs, finals)
    of_finals = jobs.run(
        {f"file {name}": (make_file, (_role(name), chosen["point"])) for name in finals}
    )
    tested = jobs.run(
        {
            f"test of {name}": (test_final, (_role(name), of_finals[f"file {name}"]["path"]))
            for name in finals
        }
    )
    runs = (*trained.values(), *made.values(), *of_finals.values())
    return {
        "validation": {name: run["validation"] for name, run in trained.items()},
        "files": list((of_finals or made).values()),
        "point": point,
        "tests": list(tested.values()),
        "seconds": sum(run["seconds"] for run in runs),
    }


def _limited(jobs: Jobs) -> dict[str, Any]:
    """Return the point of the first student's file by the wish of the fifth round."""
    file = jobs.run({"file student": (make_file, ("student",))})["file student"]
    job = "point of student, healthy limited"
    return jobs.run({job: (settle_point, ((file["path"],), LIMIT))})[job]


def rounds(jobs: Jobs) -> dict[str, Any]:
    """Train the teachers and run all rounds; the first one's network is the published one."""
    taught = jobs.run({f"teacher {name}": (train_teacher, (name,)) for name in TEACHERS})
    first = run_round(jobs, {"student": first_student_plan()}, {"final": first_final_plan()})
    second = run_round(
        jobs,
        {f"student {seed}": student_plan(FOLD, LONG, seed) for seed in POINT_SEEDS},
        {f"final {seed}": student_plan(NONE, FINAL, seed) for seed in SEEDS},
    )
    jobs.run({f"trial {START}": (try_plan, (START,))})
    done = {"first": first, "second": second}
    for name, plan_for in (("third", third_plan), ("fourth", fourth_plan)):
        done[name] = run_round(
            jobs,
            {f"{name} student": plan_for(FOLD)},
            {f"{name} final": plan_for(NONE)},
            first["point"]["chosen"],
        )
    limited = _limited(jobs)
    done["fifth"] = run_round(
        jobs,
        {"fifth student": fifth_plan(FOLD)},
        {"fifth final": fifth_plan(NONE)},
        limited["chosen"],
        LIMIT,
    )
    return {
        "teachers": {name: run["validation"] for name, run in taught.items()},
        "rounds": done,
        "limited": limited,
        "seconds": sum(run["seconds"] for run in (*taught.values(), *done.values())),
    }


@click.command()
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Processes.")
@OUTPUT
@click.option("--levers", help="Rows of the ablation, by commas; all of them if not told.")
@FRESH
def main(jobs: int, output: Path, levers: str | None, fresh: bool) -> None:
    """Train a small network that leaves healthy images blank, and say what helps."""
    results = output / "busi_clinic"
    if fresh:
        shutil.rmtree(WORK, ignore_errors=True)
        shutil.rmtree(results, ignore_errors=True)
    runner = Jobs(results, jobs)
    result = {"short": SHORT, **rounds(runner), "trials": trials(runner)}
    result["mirror"] = clinic_mirror.run(runner)
    shown = {"failures": (show_failures, (str(PUBLISHED), str(results)))}
    result |= runner.run(shown)
    chosen = tuple(name.strip() for name in levers.split(",")) if levers else None
    result["ablation"] = ablation(runner, chosen)
    files.write_json(output / "busi_clinic.json", result)
    clinic_page.write(result, output / "busi_clinic.md")


if __name__ == "__main__":
    main()
