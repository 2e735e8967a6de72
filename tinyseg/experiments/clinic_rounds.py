"""The rounds of the experiment ``busi_clinic``: students, final networks, the test part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tinyseg.experiments.clinic_networks import train_student, train_teacher, try_plan
from tinyseg.experiments.clinic_plans import (
    FINAL,
    FOLD,
    LIMIT,
    LONG,
    NONE,
    POINT_SEEDS,
    SEEDS,
    START,
    TEACHERS,
    WISH,
    fifth_plan,
    first_final_plan,
    first_last_plan,
    first_student_plan,
    fourth_plan,
    seventh_plan,
    sixth_plan,
    sixth_start_plan,
    student_plan,
    third_plan,
)
from tinyseg.experiments.clinic_points import role, score_at, settle
from tinyseg.experiments.jobs import Jobs
from tinyseg.plan import Plan

# Dice that count.
BOTH = ("lesion_dice", "dice")


class Bar(NamedTuple):
    """What a student must exceed for the test part to be scored.

    Attributes:
        scores: of an earlier student at its point.
        keys: of those that count.
        words: for what is exceeded.
    """

    scores: Mapping[str, Any]
    keys: Sequence[str]
    words: str

    def exceeded_by(self, scores: Mapping[str, Any]) -> bool:
        """Return whether a student has more of all that counts."""
        return all(scores[key] > self.scores[key] for key in self.keys)


def _train(jobs: Jobs, networks: Mapping[str, Plan]) -> dict[str, Any]:
    return jobs.run({name: (train_student, (plan, role(name))) for name, plan in networks.items()})


def run_round(
    jobs: Jobs,
    students: Mapping[str, Plan],
    finals: Mapping[str, Plan],
    bar: Bar | None = None,
    wish: str = WISH,
    mirrored: bool = False,
) -> dict[str, Any]:
    """Train students of the fold, choose the point, train final networks and score the test part.

    Args:
        jobs: keeps what each run returns.
        students: plans by name; their integer files choose the point.
        finals: plans of the networks that get it.
        bar: if it is not exceeded there are no final networks, and the test part stays unseen;
            None if there are anyway.
        wish: what the point is chosen for.
        mirrored: whether it is of images and their mirror images.
    """
    trained = _train(jobs, students)
    settled = settle(jobs, students, wish, mirrored)
    chosen = settled.point["chosen"]
    if bar is not None and not bar.exceeded_by(chosen):
        finals = {}
    trained |= _train(jobs, finals)
    scored = score_at(jobs, finals, chosen["point"])
    runs = (*trained.values(), *settled.files, *scored.files)
    return {
        "validation": {name: run["validation"] for name, run in trained.items()},
        "files": scored.files or settled.files,
        "point": settled.point,
        "tests": scored.tests,
        "asked": bar.words if bar is not None else "",
        "seconds": sum(run["seconds"] for run in runs),
    }


def choose_again(jobs: Jobs, student: str, final: str, wish: str) -> dict[str, Any]:
    """Choose another point of mirror images too, and score a round's final network with it.

    Args:
        jobs: keeps what each run returns.
        student, final: networks of the round.
        wish: what the point is chosen for.

    Returns:
        As of :func:`run_round`.
    """
    note = f", {wish}"
    settled = settle(jobs, [student], wish, True, note)
    scored = score_at(jobs, [final], settled.point["chosen"]["point"], note)
    return {
        "validation": {},
        "files": scored.files,
        "point": settled.point,
        "tests": scored.tests,
        "asked": "",
        "seconds": scored.files[0]["seconds"],
    }


def _limited(jobs: Jobs, student: str) -> dict[str, Any]:
    """Return the point of a student's file by the wish of the later rounds."""
    return settle(jobs, [student], LIMIT, False, ", healthy limited").point


def rounds(jobs: Jobs) -> dict[str, Any]:
    """Train the teachers and run all rounds; networks of the first and the last are published."""
    taught = jobs.run({f"teacher {name}": (train_teacher, (name,)) for name in TEACHERS})
    first = run_round(jobs, {"student": first_student_plan()}, {"final": first_final_plan()})
    second = run_round(
        jobs,
        {f"student {seed}": student_plan(FOLD, LONG, seed) for seed in POINT_SEEDS},
        {f"final {seed}": student_plan(NONE, FINAL, seed) for seed in SEEDS},
    )
    jobs.run({f"trial {START}": (try_plan, (START,))})
    done = {"first": first, "second": second}
    words = "more Dice of both kinds than that of the first round"
    bar = Bar(first["point"]["chosen"], BOTH, words)
    for name, plan_for in (("third", third_plan), ("fourth", fourth_plan)):
        done[name] = run_round(
            jobs, {f"{name} student": plan_for(FOLD)}, {f"{name} final": plan_for(NONE)}, bar
        )
    limited = {"first round": _limited(jobs, "student")}
    words = "more Dice with a lesion than that of the first round by this wish"
    done["fifth"] = run_round(
        jobs,
        {"fifth student": fifth_plan(FOLD)},
        {"fifth final": fifth_plan(NONE)},
        Bar(limited["first round"]["chosen"], BOTH[:1], words),
        LIMIT,
    )
    begun = _train(jobs, {"student last": first_last_plan(), "sixth start": sixth_start_plan()})
    last = limited["first round, its last weights"] = _limited(jobs, "student last")
    words = "more Dice of both kinds than the last weights of the first round's by this wish"
    done["sixth"] = run_round(
        jobs,
        {"sixth student": sixth_plan(FOLD)},
        {"sixth final": sixth_plan(NONE)},
        Bar(last["chosen"], BOTH, words),
        LIMIT,
    )
    words = "more Dice of both kinds than that of the sixth round"
    done["seventh"] = run_round(
        jobs,
        {"seventh student": seventh_plan(FOLD)},
        {"seventh final": seventh_plan(NONE)},
        Bar(done["sixth"]["point"]["chosen"], BOTH, words),
        LIMIT,
        mirrored=True,
    )
    if done["seventh"]["tests"]:
        # After its score: too many healthy images were marked.
        done["second choice in the seventh"] = choose_again(
            jobs, "seventh student", "seventh final", WISH
        )
    return {
        "teachers": {name: run["validation"] for name, run in taught.items()},
        "rounds": done,
        "limited": limited,
        "seconds": sum(
            run["seconds"] for run in (*taught.values(), *begun.values(), *done.values())
        ),
    }
