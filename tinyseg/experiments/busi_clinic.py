"""A network for breast ultrasound that finds lesions and leaves healthy images blank.

Teachers on an encoder that learned ImageNet teach a student of at most 60,000 parameters, on
images that are changed at random and mixed. All choices, that of the operating point among them,
are made on the validation images of one fold, on which levers are taken away or added one by one
too. There were seven rounds. In the first the student goes on at a lower rate with all that is not
of the test part. In the second labels are balanced and presence counts more, and final networks
learn from the start with all that is not of the test part, their last weights being kept as those
of the fold's student are. In the third a network without an encoder learns from the same teachers;
the final one starts from where the fold's student does and learns for as many epochs. In the fourth
both go on, with labels balanced and more presence. In the fifth the third is done again, longer and
on images that differ more, and the point is the one with most Dice with a lesion among those that
mark at most a quarter of the healthy images. In the sixth the third goes on for twice as long with
one teacher, and the final network goes on from it. In the seventh the same network learns from
that teacher alone from the start, and the point is one of the mean of each image and its mirror
image. Since that marks too many healthy images of the test part, a second point is chosen for most
Dice over all and scored too. Rounds from the third on have final networks only if the student is
better on the validation images than an earlier one. The test part is scored once for each final
network but the seventh one's; ``docs/protocol.md``.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import click

from tinyseg import files
from tinyseg.experiments import FRESH, OUTPUT, clinic_mirror, clinic_page
from tinyseg.experiments.clinic_failures import show_failures
from tinyseg.experiments.clinic_networks import judge_point, pull_lever, try_plan
from tinyseg.experiments.clinic_plans import (
    FIFTH,
    FIRST_LONG,
    FOURTH,
    LEVERS,
    LONG,
    POINT_SEEDS,
    SEVENTH,
    SHORT,
    SIXTH,
    THIRD,
    TRIALS,
    WORK,
)
from tinyseg.experiments.clinic_points import role
from tinyseg.experiments.clinic_rounds import rounds
from tinyseg.experiments.jobs import Jobs

# Made of the seventh round's final network, whose failures are shown.
PUBLISHED = Path("models/lw_unet_256k/busi/lw_unet_256k.tflite")


def trials(jobs: Jobs) -> dict[str, Any]:
    """Train what else was tried on the fold; return it beside the students of the fold."""
    students = {
        "first student, its best epoch": (FIRST_LONG, "student"),
        "second student": (LONG, f"student {POINT_SEEDS[0]}"),
        "third student: lw_unet, 112 x 112": (THIRD, "third student"),
        "fourth student: the third goes on": (FOURTH, "fourth student"),
        "fifth student: as the third, images differ more": (FIFTH, "fifth student"),
        "sixth student: the third goes on with one teacher": (SIXTH, "sixth student"),
        "seventh student: that teacher from the start": (SEVENTH, "seventh student"),
    }
    judged = jobs.run(
        {f"judged {name}": (judge_point, (role(name),)) for _, name in students.values()}
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
